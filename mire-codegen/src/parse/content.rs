//! What a macro holds: one struct with the macro's attribute, and functions.

use std::collections::VecDeque;

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, FnArg, GenericParam};

use super::around;
use super::attributes::{marks, without_own};
use super::constants;
use super::fields;
use super::functions::return_type;
use super::items::{Data, Function, Item, Other, items};
use crate::errors::Errors;
use crate::names;

/// A macro, as its messages name it.
pub(super) struct Macro {
    /// `aggregate!`
    pub(super) name: &'static str,
    /// The attribute of its struct, `aggregate`.
    pub(super) attribute: &'static str,
    /// What it declares, as a noun: `aggregate`.
    pub(super) declares: &'static str,
    /// What its struct is to that, as a noun: `state`.
    pub(super) role: &'static str,
    /// How it begins.
    pub(super) form: &'static str,
}

/// The sorted content of a macro call.
pub(super) struct Content {
    /// The struct (or enum); `None` without one.
    pub(super) data: Option<Data>,
    /// Whether one of its fields is unknown, which was told.
    pub(super) lost: bool,
    pub(super) functions: Vec<Function>,
    /// The attributes of a function that is still to be written.
    pub(super) dangling: Vec<Attribute>,
    /// Items that have no place in the macro. They go out beside it, so that nothing else misses
    /// them.
    pub(super) beside: TokenStream,
}

/// Sorts the content of a macro call.
pub(super) fn content(tokens: TokenStream, of: &Macro, errors: &mut Errors) -> Content {
    let mut content = Content {
        data: None,
        lost: false,
        functions: Vec::new(),
        dangling: Vec::new(),
        beside: TokenStream::new(),
    };
    let mut data = Vec::new();
    let has_struct = mentions_struct(&tokens);
    let marks_state = marks(&tokens, &[of.attribute]);
    let before = errors.count();
    let marked = |item: &Data| {
        item.attrs()
            .iter()
            .any(|attr| attr.path().is_ident(of.attribute))
    };
    let mut items: VecDeque<Item> = items(tokens, errors).into();
    while let Some(item) = items.pop_front() {
        match item {
            Item::Data(item, lost) => data.push((item, lost)),
            Item::Function(mut function) => {
                // What stands behind a second state was written for that one.
                let is_other = data.iter().filter(|(item, _)| marked(item)).count() > 1;
                let ident = &function.sig.ident;
                let is_twin = content.functions.iter().any(|it| it.sig.ident == *ident);
                function.broken |= is_other;
                if !(is_other && is_twin) {
                    content.functions.push(*function);
                }
            }
            Item::Dangling(attrs) => content.dangling.extend(attrs),
            Item::Other(other) => match around::functions(&other, of, errors) {
                Some(inner) => items.extend(self::items(inner, errors)),
                None => misplaced(other, of, &mut content.beside, errors),
            },
        }
    }
    let own = data.iter().position(|(item, _)| marked(item)).unwrap_or(0);
    if own < data.len() {
        let (mut own, lost) = data.remove(own);
        own.refuse_twins(errors);
        if let Data::Struct(item) = &mut own {
            fields::refuse_values(item, errors);
        }
        (content.data, content.lost) = (Some(own), lost);
    }
    for (extra, _) in data {
        let refused = is_function(&extra, errors) || is_generated(&extra, &content, of, errors);
        if !refused {
            errors.at(
                extra.ident().span(),
                format_args!(
                    "`{}` declares one {}, and `{}` is not its {}",
                    of.name,
                    of.declares,
                    extra.ident(),
                    of.role
                ),
                format_args!(
                    "put it beside the macro; {} {} of its own goes into {} `{}` of its own",
                    article(of.declares),
                    of.declares,
                    article(of.name),
                    of.name
                ),
            );
        }
        if !refused && !marked(&extra) {
            extra.to_tokens(&mut content.beside);
        }
    }
    // What was meant to be the state may have been told of as what it is.
    let is_told = has_struct || marks_state && errors.count() > before;
    if content.data.is_none() && !is_told {
        errors.at(
            Span::call_site(),
            format_args!(
                "`{}` needs a struct for the {}'s {}",
                of.name, of.declares, of.role
            ),
            format_args!("begin with `{}`", of.form),
        );
    }
    content
}

/// Tells of a type that is marked as a function.
fn is_function(data: &Data, errors: &mut Errors) -> bool {
    let mut attrs = data.attrs().iter();
    let is = |attr: &&Attribute, name: &str| attr.path().is_ident(name);
    let Some(attr) = attrs.find(|it| is(it, "event") || is(it, "command")) else {
        return false;
    };
    let name = names::kebab(&names::text(data.ident())).replace('-', "_");
    if attr.path().is_ident("command") {
        errors.at(
            data.ident().span(),
            "a command is a function, which answers events",
            format_args!("write `pub fn {name}(&self, …) -> …Event {{ … }}`"),
        );
        return true;
    }
    let parameters: Vec<String> = data
        .named_fields()
        .into_iter()
        .flatten()
        .map(|(field, ty)| format!(", {field}: {}", names::type_text(&ty)))
        .collect();
    errors.at(
        data.ident().span(),
        "an event is a function, which has its fields as parameters",
        format_args!(
            "write `#[event] fn {name}(&mut self{}) {{ … }}`",
            parameters.concat()
        ),
    );
    true
}

/// Tells of a type that the macro writes itself.
fn is_generated(data: &Data, content: &Content, of: &Macro, errors: &mut Errors) -> bool {
    let Some(own) = content.data.as_ref().filter(|_| of.name == "aggregate!") else {
        return false;
    };
    let is_events = *data.ident() == format!("{}Event", names::text(own.ident()));
    if is_events {
        errors.at(
            data.ident().span(),
            format_args!("`{}` is written by the macro", data.ident()),
            "remove it; each function with `#[event]` becomes a variant",
        );
    }
    is_events
}

/// Whether a struct was begun, however it goes on.
fn mentions_struct(tokens: &TokenStream) -> bool {
    tokens
        .clone()
        .into_iter()
        .any(|token| matches!(token, TokenTree::Ident(word) if word == "struct" || word == "enum"))
}

pub(super) fn article(noun: &str) -> &'static str {
    if noun.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    }
}

/// Macros of the standard library that stand in bodies.
const EXPRESSIONS: [&str; 14] = [
    "assert",
    "assert_eq",
    "dbg",
    "debug_assert",
    "eprint",
    "eprintln",
    "format",
    "panic",
    "print",
    "println",
    "todo",
    "unimplemented",
    "unreachable",
    "vec",
];

/// An item that has no place in a macro: says where to put it.
fn misplaced(other: Other, of: &Macro, beside: &mut TokenStream, errors: &mut Errors) {
    let macro_name = of.name;
    const BESIDE: &str =
        "put it beside the macro, in the same module; the macro holds one struct and its `fn`s";
    if let Some(call) = &other.call {
        let is_expression = EXPRESSIONS.contains(&call.as_str());
        let mend = match is_expression {
            true => "put it into the body of a `fn`",
            false => BESIDE,
        };
        let wrong = format_args!("`{call}!` has no place in `{macro_name}`");
        errors.at(other.span, wrong, mend);
        if is_expression {
            return;
        }
    } else if other.keyword.is_empty() {
        errors.at(
            other.span,
            format_args!("`{macro_name}` expects items here: a struct and functions"),
            "remove this, or write a `fn`",
        );
    } else if other.tokens.is_empty() {
        errors.at(
            other.span,
            format_args!(
                "`{}` begins no item that `{macro_name}` knows",
                other.keyword
            ),
            "remove it, or write a `struct` or a `fn`",
        );
    } else if marks(&other.tokens, &[of.attribute]) {
        errors.at(
            other.span,
            format_args!(
                "`{}` can't be the {} of {} {}",
                other.keyword,
                of.role,
                article(of.declares),
                of.declares
            ),
            "write a `struct` in its place",
        );
    } else {
        errors.at(
            other.span,
            format_args!("`{}` has no place in `{macro_name}`", other.keyword),
            BESIDE,
        );
    }
    if other.keyword == "use" {
        // That nothing beside the macro uses it would only follow.
        beside.extend(quote!(#[allow(unused_imports)]));
    }
    beside.extend(without_own(other.tokens));
}

/// Generic parameters on the struct are a mistake. What functions do with values of such a type
/// would only follow from it, so they go out without their bodies.
pub(super) fn refuse_generics<'a>(
    data: &mut Data,
    functions: impl IntoIterator<Item = &'a mut Function>,
    wrong: &str,
    errors: &mut Errors,
) {
    let functions: Vec<&mut Function> = functions.into_iter().collect();
    let mut users: TokenStream = data
        .fields()
        .iter()
        .map(ToTokens::to_token_stream)
        .collect();
    for function in &functions {
        function.sig.to_tokens(&mut users);
    }
    let generics = data.generics_mut();
    let Some(parameter) = generics.params.first() else {
        return;
    };
    errors.at(parameter.span(), wrong, "write the parameter's type out");
    // That nothing uses it would only follow.
    let is_used = |parameter: &GenericParam| match parameter {
        GenericParam::Type(parameter) => names::has_word(&users, &names::text(&parameter.ident)),
        _ => true,
    };
    let params = std::mem::take(&mut generics.params);
    generics.params = params.into_iter().filter(is_used).collect();
    // Its name alone is a type as well, and no bound is missing.
    generics.where_clause = None;
    for parameter in generics.type_params_mut() {
        parameter.bounds = syn::parse_quote!(::core::marker::Send + ::core::marker::Sync + 'static);
        parameter
            .default
            .get_or_insert_with(|| (Default::default(), syn::parse_quote!(())));
    }
    constants::take(data);
    for function in functions {
        let Some(body) = function.body.as_ref().filter(|body| !is_empty_block(body)) else {
            continue;
        };
        let at = body.span();
        let taken = function.sig.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(typed) => Some(&typed.pat),
            FnArg::Receiver(_) => None,
        });
        let answer = return_type(&function.sig).map(|_| quote!(::core::unreachable!()));
        function.body = Some(quote_spanned!(at=> { let _ = (#(#taken,)*); #answer }));
    }
}

/// Whether a body is `{}`.
pub(super) fn is_empty_block(body: &TokenStream) -> bool {
    matches!(
        body.clone().into_iter().next(),
        Some(TokenTree::Group(group)) if group.stream().is_empty()
    )
}
