//! An `impl` around the functions of a macro, as methods have it elsewhere.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::attributes::marks;
use super::content::{Macro, article};
use super::items::Other;
use crate::errors::Errors;

/// The content of an `impl` that holds functions of the macro, or is marked as what the macro declares,
/// which is a mistake.
pub(super) fn functions(other: &Other, of: &Macro, errors: &mut Errors) -> Option<TokenStream> {
    if other.keyword != "impl" {
        return None;
    }
    let last = other.tokens.clone().into_iter().last();
    let Some(TokenTree::Group(body)) = last else {
        return None;
    };
    if body.delimiter() != Delimiter::Brace {
        return None;
    }
    if marks(&other.tokens, &[of.attribute]) {
        errors.at(
            other.span,
            format_args!(
                "`impl` can't be the {} of {} {}",
                of.role,
                article(of.declares),
                of.declares
            ),
            "write a `struct` in its place, and the functions below it, without an `impl` around them",
        );
    } else if marks(&body.stream(), &["event", "command", "on"]) {
        errors.at(
            other.span,
            format_args!(
                "`{}` takes its functions without an `impl` around them",
                of.name
            ),
            "remove the `impl` and its braces",
        );
    } else {
        return None;
    }
    Some(body.stream())
}
