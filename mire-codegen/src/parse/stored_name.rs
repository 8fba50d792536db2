//! The stored name of an event, whichever macro declares it.

use proc_macro2::Ident;
use syn::LitStr;

use crate::errors::Errors;
use crate::names;

/// The part of a stored name after the dot: as it is given by `word`, or made from Rust's name.
pub(super) fn stored_name(
    ident: &Ident,
    word: &str,
    given: Option<&LitStr>,
    errors: &mut Errors,
) -> String {
    let own = names::kebab(&names::text(ident));
    let (name, span) = match given {
        Some(given) => (given.value(), given.span()),
        None => (own.clone(), ident.span()),
    };
    let Some(mistake) = names::event_name_mistake(&name, &own) else {
        return name;
    };
    let (wrong, right) = (&mistake.wrong, &mistake.right);
    if given.is_some() {
        errors.at(span, wrong, mistake.mend(word));
    } else {
        errors.at(
            span,
            format_args!("{wrong}, so `{ident}` can't be stored as `{own}`"),
            format_args!("give it a stored name, as in `{word} = \"{right}\"`"),
        );
    }
    // What is proposed may be the name of another event, which would only follow.
    own
}
