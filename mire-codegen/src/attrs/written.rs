//! The tokens of an attribute without what says nothing in it.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::paths::is_punct;
use crate::errors::Errors;
use crate::fragments;

/// The tokens of an attribute: fragments of a `macro_rules!` as what they hold, and without
/// documentation, which is a mistake.
pub(super) fn written(tokens: TokenStream, errors: &mut Errors) -> Vec<TokenTree> {
    let tokens = fragments::opened(tokens);
    if !tokens.iter().any(|it| is_punct(it, '#')) {
        return tokens;
    }
    let mut kept = Vec::new();
    let (mut rest, mut told) = (&*tokens, false);
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if let Some(after) = comment(first, behind) {
            rest = after;
            // Each line of a comment is one.
            if !std::mem::replace(&mut told, true) {
                errors.at(
                    first.span(),
                    "this comment documents nothing",
                    "write a comment within an attribute as `// …`",
                );
            }
        } else {
            kept.push(first.clone());
            told = false;
        }
    }
    kept
}

/// What stands behind `#[doc = "…"]`, as a doc comment comes.
fn comment<'a>(first: &TokenTree, behind: &'a [TokenTree]) -> Option<&'a [TokenTree]> {
    let after_bang = match behind {
        [bang, after @ ..] if is_punct(bang, '!') => after,
        _ => behind,
    };
    match after_bang {
        [TokenTree::Group(group), after @ ..]
            if is_punct(first, '#') && group.delimiter() == Delimiter::Bracket =>
        {
            let word = fragments::first(group.stream());
            matches!(word, Some(TokenTree::Ident(word)) if word == "doc").then_some(after)
        }
        _ => None,
    }
}
