//! A function that is a command: what it answers, and what it can't be.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{GenericArgument, PathArguments, Type, Visibility};

use super::streams::KNOWN_TYPES;
use crate::errors::Errors;
use crate::model::{Command, Docs, Output, Recorded};
use crate::names;
use crate::parse::answer;
use crate::parse::attributes::Sorted;
use crate::parse::functions::{self, SelfKind};
use crate::parse::items::{Data, Function};

pub(super) fn command(
    state: &Data,
    event: &Ident,
    attrs: Sorted,
    mut function: Function,
    errors: &mut Errors,
) -> Command {
    if function.broken {
        return broken_command(state, event, attrs, function);
    }
    let what = format!("the command `{}`", function.sig.ident);
    let mut sound = functions::refuse_qualifiers(&function.sig, &what, errors);
    if let Some(token) = &function.sig.asyncness {
        errors.at(
            token.span,
            format_args!("{what} can't be `async`: it decides on the state alone"),
            "remove `async`; fetch what it needs before, and pass it in",
        );
        sound = false;
    }
    let mut lost_body = functions::mend_receiver(&mut function, state.ident(), "&self", errors);
    let (receiver, span) = functions::receiver(&function.sig);
    if receiver != SelfKind::Shared {
        let mend = if receiver == SelfKind::Mutable {
            "take `&self`; the change belongs in an `#[event]`, which the command returns"
        } else {
            "make `&self` the first parameter"
        };
        errors.at(
            span,
            format_args!("{what} decides on the state and doesn't change it, so it takes `&self`"),
            mend,
        );
        sound = false;
    }
    let before = errors.count();
    let parameters = functions::parameters(&mut function, errors);
    lost_body |= errors.count() > before;
    lost_body |= answer::mend(&mut function.sig, state.ident(), event, &what, errors);
    let sig = &function.sig;
    let output = match functions::return_type(sig) {
        Some(ty) => output(ty, &names::text(event)),
        None => Output {
            ty: quote!(()),
            span: sig.ident.span(),
            recorded: Recorded::Nothing,
        },
    };
    if function.body.is_none() {
        errors.at(
            sig.ident.span(),
            format_args!("{what} has no body"),
            "write how it decides",
        );
    }
    // It can't be more visible than the state.
    let recorded = match &function.vis {
        Visibility::Public(_) => state.vis().to_token_stream(),
        vis => vis.to_token_stream(),
    };
    let (impl_generics, where_clause) = (&sig.generics, &sig.generics.where_clause);
    let params = &impl_generics.params;
    let generics = if params.is_empty() {
        TokenStream::new()
    } else {
        quote!(<#params>)
    };
    let command = Command {
        ident: sig.ident.clone(),
        recorded: Some(recorded),
        sound,
        generics,
        where_clause: where_clause.to_token_stream(),
        parameters: parameters.into_iter().map(|it| it.parameter).collect(),
        output,
        function: written_out(&attrs, &function),
        cfg: attrs.of("cfg"),
        deprecated: attrs.of("deprecated"),
        docs: attrs.docs,
    };
    match lost_body {
        true => command.without_body(),
        false => command,
    }
}

/// A command whose header has a mistake, which was told.
fn broken_command(state: &Data, event: &Ident, attrs: Sorted, mut function: Function) -> Command {
    function.broken = false;
    if functions::return_type(&function.sig).is_none() {
        function.sig.output =
            syn::parse_quote!(-> ::core::result::Result<#event, ::core::convert::Infallible>);
    }
    let command = command(state, event, attrs, function, &mut Errors::default());
    let sound = false;
    Command { sound, ..command }.without_body()
}

/// A command as it was written.
fn written_out(attrs: &Sorted, function: &Function) -> TokenStream {
    let Sorted {
        docs: Docs { tokens: docs, .. },
        lints,
        rest,
        ..
    } = attrs;
    let Function { vis, sig, body, .. } = function;
    let body = body
        .clone()
        .unwrap_or_else(|| quote!({ ::core::unreachable!() }));
    quote!(#docs #lints #(#rest)* #vis #sig #body)
}

/// A command's return type. In a `Result`, the events are the first type argument.
fn output(ty: &Type, event: &str) -> Output {
    Output {
        ty: ty.to_token_stream(),
        span: ty.span(),
        recorded: recorded(ty, event),
    }
}

fn recorded(ty: &Type, event: &str) -> Recorded {
    let Type::Path(path) = ty else {
        return Recorded::Nothing;
    };
    let mut path = path.clone();
    let Some(last) = path.path.segments.last_mut() else {
        return Recorded::Named;
    };
    let name = names::text(&last.ident);
    let known = ["Option", "Vec"].contains(&&*name) || KNOWN_TYPES.contains(&&*name);
    if known || name == event || name.ends_with("Event") {
        return Recorded::Nothing;
    }
    if name == "Result"
        && let PathArguments::AngleBracketed(arguments) = &mut last.arguments
        && let Some(first) = arguments
            .args
            .iter_mut()
            .find(|argument| matches!(argument, GenericArgument::Type(_)))
    {
        // It stands where the events do, so that rustc tells of a `Result` without an error's type once.
        let nothing = quote_spanned!(first.span()=> ());
        *first = GenericArgument::Type(syn::parse_quote!(#nothing));
        return Recorded::Result(path.to_token_stream());
    }
    Recorded::Named
}
