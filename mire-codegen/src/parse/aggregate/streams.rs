//! What the streams of an aggregate are called: its category and its id.

use proc_macro2::Ident;
use quote::ToTokens;
use syn::Path;

use crate::attrs::Words;
use crate::errors::Errors;
use crate::model::Id;
use crate::names;

pub(super) fn category(words: &Words, ident: &Ident, errors: &mut Errors) -> String {
    let fallback = names::category_of(&names::text(ident));
    if words.lacks("category") {
        let others = if words.is_empty() { "" } else { ", …" };
        errors.at(
            words.span,
            format_args!("the aggregate `{ident}` has no `category`"),
            format_args!(
                "write `#[aggregate(category = \"{fallback}\"{others})]`; its streams are then named `{fallback}-…`"
            ),
        );
        return fallback;
    }
    let Some(category) = words.text("category") else {
        return fallback;
    };
    match names::category_mistake(&category.value()) {
        None => category.value(),
        Some(mistake) => {
            errors.at(category.span(), &mistake.wrong, mistake.mend("category"));
            fallback
        }
    }
}

/// Types that everybody knows.
pub(super) const KNOWN_TYPES: [&str; 14] = [
    "String", "Uuid", "bool", "char", "str", "i16", "i32", "i64", "i128", "u16", "u32", "u64",
    "u128", "usize",
];

pub(super) fn id(words: &Words, state: &Ident, refused: bool, errors: &mut Errors) -> Id {
    let own = |ident: &Ident| {
        let name = names::text(state);
        let generated = [format!("{name}Event"), format!("{name}Commands")];
        ident == "Self" || *ident == name || generated.iter().any(|it| ident == it)
    };
    match words.path("id") {
        // What it names is unclear, which was told.
        None if words.span_of("id").is_some() || refused => Id::Generated(names::derived(
            &format!("{}Id", names::text(state)),
            words.span,
        )),
        None => Id::Text,
        Some(path) => match path.get_ident() {
            Some(ident) if own(ident) => {
                let id = format!("{}Id", names::text(state));
                errors.at(
                    ident.span(),
                    format_args!("`{ident}` is a type of the aggregate, and its id is another one"),
                    format_args!("write `id({id})`"),
                );
                Id::Generated(names::derived(&id, ident.span()))
            }
            Some(ident) if ident == "Uuid" => {
                errors.at(
                    ident.span(),
                    format_args!("`id({ident})` would generate a new type called `{ident}`"),
                    format_args!(
                        "write `id({}Id)` for a UUID in a type of its own, or `id(uuid::Uuid)` for any UUID",
                        names::text(state)
                    ),
                );
                Id::Text
            }
            Some(ident) if KNOWN_TYPES.iter().any(|known| ident == known) => {
                errors.at(
                    ident.span(),
                    format_args!("`id({ident})` would generate a new type called `{ident}`"),
                    format_args!(
                        "write `id({}Id)` for a UUID, a path for a type of yours, as in `id(crate::Isbn)`, or leave `id` out for any text",
                        names::text(state)
                    ),
                );
                Id::Text
            }
            Some(ident) => Id::Generated(ident.clone()),
            None if is_text(&path) => {
                let name = names::text(state);
                errors.on(
                    &path,
                    "an id of any text needs no type",
                    format_args!(
                        "leave `id` out for any text, or write `id({name}Id)` for a UUID, or a path for a type of yours, as in `id(crate::Isbn)`"
                    ),
                );
                Id::Text
            }
            None => Id::Named(path.to_token_stream()),
        },
    }
}

/// Whether a path is the standard library's `String`.
fn is_text(path: &Path) -> bool {
    let text = names::path_text(path);
    ["std::string::String", "alloc::string::String"].contains(&text.trim_start_matches("::"))
}
