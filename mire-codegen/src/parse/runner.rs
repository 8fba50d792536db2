//! `runner!`: from tokens to its model.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::discouraged::Speculative;
use syn::parse::{ParseStream, Parser};
use syn::{Expr, ExprCall, PathSegment, Token, Type, token};

use crate::errors::Errors;
use crate::fragments;
use crate::model::{Listed, Runner};
use crate::names;

const STORE_FIRST: &str = "write the store in front: `mire::runner!(&store, …)`";

/// Reads `path to mire; &store, Balance, WelcomeMail = mail`.
pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Runner {
    let mut runner = Runner {
        krate: quote!(::mire),
        store: None,
        projections: Vec::new(),
    };
    let parser = |input: ParseStream<'_>| {
        runner.krate = input.call(krate)?;
        let span = input.span();
        if input.is_empty() {
            errors.at(span, "`runner!` has no store", STORE_FIRST);
            return Ok(());
        }
        let store: Expr = input.parse()?;
        if is_type(&store) {
            errors.on(&store, "`runner!` has no store", STORE_FIRST);
            return input.call(rest).map(drop);
        }
        runner.store = Some(store.to_token_stream());
        comma(input, errors)?;
        if input.is_empty() {
            errors.on(
                &store,
                "`runner!` has no projection",
                "name those that keep a table by their types, and those that act with their values: `mire::runner!(&store, Balance, WelcomeMail = mail)`",
            );
        }
        projections(input, &mut runner.projections, errors)
    };
    if let Err(error) = parser.parse2(tokens) {
        errors.push(error);
    }
    runner
}

fn projections(
    input: ParseStream<'_>,
    into: &mut Vec<Listed>,
    errors: &mut Errors,
) -> syn::Result<()> {
    while !input.is_empty() {
        if input.peek(token::Bracket) {
            let inner;
            let brackets = syn::bracketed!(inner in input);
            errors.at(
                brackets.span.open(),
                "the projections of `runner!` stand behind the store, in no list",
                "remove the brackets",
            );
            projections(&inner, into, errors)?;
        } else {
            into.extend(listed(input, errors)?);
        }
        comma(input, errors)?;
    }
    Ok(())
}

/// What stands in front of the `;`.
fn krate(input: ParseStream<'_>) -> syn::Result<TokenStream> {
    let krate = input.call(syn::Path::parse_mod_style)?.to_token_stream();
    input.parse::<Token![;]>()?;
    Ok(krate)
}

fn rest(input: ParseStream<'_>) -> syn::Result<TokenStream> {
    input.parse()
}

fn comma(input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<()> {
    if input.is_empty() || input.peek(Token![,]) {
        input.parse::<Option<Token![,]>>()?;
        return Ok(());
    }
    errors.at(
        input.span(),
        "something else than a comma stands behind this part of `runner!`",
        "put a `,` between the store and each projection",
    );
    input.parse::<Option<Token![;]>>()?;
    Ok(())
}

/// Whether the first part can only be a projection: types begin with a capital.
fn is_type(store: &Expr) -> bool {
    let Expr::Path(path) = store else {
        return false;
    };
    path.path.segments.last().is_some_and(is_type_name)
}

fn listed(input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Option<Listed>> {
    let attempt = input.fork();
    let ends = |rest: ParseStream<'_>| {
        rest.is_empty() || rest.peek(Token![,]) || rest.peek(Token![=]) || !rest.peek(token::Paren)
    };
    let Some(ty) = attempt
        .parse::<Type>()
        .ok()
        .map(|mut ty| {
            fragments::open_type(&mut ty);
            ty
        })
        .filter(|it| ends(&attempt) && !is_value(it))
    else {
        let value: Expr = input.parse()?;
        tell_value(&value, errors);
        return Ok(None);
    };
    input.advance_to(&attempt);
    if input.peek(token::Brace) {
        let fields: TokenTree = input.parse()?;
        let name = names::path_text(&ty);
        errors.on(
            &ty,
            format_args!("`{name}` is a value without its type"),
            format_args!("write its type in front: `{name} = {name} {{ … }}`"),
        );
        let value = Some(quote!(#ty #fields));
        let ty = ty.to_token_stream();
        return Ok(Some(Listed { ty, value }));
    }
    let value = if equals(input, errors)? {
        Some(input.parse::<Expr>()?.to_token_stream())
    } else {
        None
    };
    let ty = ty.to_token_stream();
    Ok(Some(Listed { ty, value }))
}

/// Reads the `=` in front of a value, or what was written for it.
fn equals(input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<bool> {
    let span = input.span();
    let written = if input.peek(Token![=>]) {
        input.parse::<Token![=>]>()?;
        "=>"
    } else if input.peek(Token![:]) {
        input.parse::<Token![:]>()?;
        ":"
    } else {
        return Ok(input.parse::<Option<Token![=]>>()?.is_some());
    };
    errors.at(
        span,
        format_args!("`{written}` doesn't give a projection its value"),
        "write `=`",
    );
    Ok(true)
}

/// Whether what was read as a type is rather a value: a local or a borrow.
fn is_value(ty: &Type) -> bool {
    let Type::Path(path) = ty else {
        return true;
    };
    !path.path.segments.last().is_some_and(is_type_name)
}

fn is_type_name(segment: &PathSegment) -> bool {
    names::text(&segment.ident).starts_with(char::is_uppercase)
}

fn tell_value(value: &Expr, errors: &mut Errors) {
    let text = names::path_text(value);
    if let Expr::Lit(_) = value {
        errors.on(
            value,
            format_args!("`{text}` is no projection"),
            "write the projection's type, as in `mire::runner!(&store, Balance)`",
        );
        return;
    }
    // `Mail::new(…)` says of which type it is.
    let ty = match value {
        Expr::Call(ExprCall { func, .. }) => match &**func {
            Expr::Path(path) => path.path.segments.iter().find(|it| is_type_name(it)),
            _ => None,
        },
        _ => None,
    };
    let ty = ty.map_or("WelcomeMail".to_owned(), |ty| names::text(&ty.ident));
    errors.on(
        value,
        format_args!("`{text}` is a value without its type"),
        format_args!("write the projection's type in front: `{ty} = {text}`"),
    );
}
