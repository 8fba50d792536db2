//! The versions of an event.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::Path;
use syn::spanned::Spanned;

use crate::attrs::Words;
use crate::errors::Errors;
use crate::names;

/// The version of an event, and what reads the older ones.
pub(super) fn versions(
    words: &Words,
    ident: &Ident,
    state: &Ident,
    errors: &mut Errors,
) -> (u32, Vec<TokenStream>) {
    let mut upcasts: Vec<Path> = words.paths_of("upcast");
    for path in &mut upcasts {
        if let Some(first) = path.segments.first_mut()
            && first.ident == "Self"
        {
            let span = first.ident.span();
            first.ident = names::derived(&names::text(state), span);
            errors.at(
                span,
                "`Self` would be the enum of events here",
                format_args!("write `{}`", names::path_text(path)),
            );
        }
    }
    let written = words.span_of("version");
    let (version, span) = match words.count("version") {
        Some(version) => version,
        // What it was meant to be is left to the upcasts.
        None if written.is_some() => (upcasts.len() as u32 + 1, ident.span()),
        None => (1, ident.span()),
    };
    let older = version as usize - 1;
    if upcasts.len() < older && !(upcasts.is_empty() && words.span_of("upcast").is_some()) {
        let hole = upcasts.len() + 1;
        let (wrong, mend) = if upcasts.is_empty() {
            let all: Vec<String> = (1..=older.min(4))
                .map(|v| format!("{ident}_v{v}"))
                .collect();
            (
                format!("the event `{ident}` is at version {version}, but nothing reads version 1"),
                format!(
                    "add `upcast({})`, each a `fn(serde_json::Value) -> Result<serde_json::Value, _>` \
                     that turns its version's payload into the next one's",
                    all.join(", ")
                ),
            )
        } else {
            (
                format!(
                    "the upcasts of `{ident}` have a hole: nothing turns version {hole} into version {}",
                    hole + 1
                ),
                format!(
                    "`upcast` names one function per older version, oldest first; version {version} needs {older}"
                ),
            )
        };
        errors.at(span, wrong, mend);
    }
    for (from, extra) in (1..).zip(&upcasts).skip(older) {
        errors.at(
            extra.span(),
            format_args!(
                "`{}` would read version {from} of `{ident}`, which is not older than version {version}",
                extra.to_token_stream()
            ),
            if written.is_some() {
                format!("raise it to `version = {}`, or remove the upcast", from + 1)
            } else {
                format!("add `version = {}`, or remove the upcast", from + 1)
            },
        );
    }
    let upcasts = upcasts.iter().take(older).map(ToTokens::to_token_stream);
    (version, upcasts.collect())
}
