//! Slips around the macros' own attributes, mended before anything is read, so that the items below
//! them have their attributes.

use proc_macro2::{Delimiter, Group, Ident, Punct, Spacing, TokenStream, TokenTree};

use super::attributes::OWN;
use super::parts::is_punct;
use crate::errors::Errors;

/// The content of a macro with its attributes as they were meant.
pub(super) fn mended(tokens: TokenStream, errors: &mut Errors) -> TokenStream {
    let before = errors.count();
    let mut mended: Vec<TokenTree> = Vec::new();
    let as_written = tokens.clone();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let next = tokens.peek();
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => {
                let attribute = match mended.last() {
                    Some(last) => is_punct(last, '#'),
                    None => false,
                };
                let begins = |last: &TokenTree| match last {
                    TokenTree::Group(before) => before.delimiter() != Delimiter::Parenthesis,
                    token => is_punct(token, ';'),
                };
                if !attribute && mended.last().is_none_or(begins) && own_word(&group).is_some() {
                    without_hash(&group, errors);
                    let mut hash = Punct::new('#', Spacing::Alone);
                    hash.set_span(group.span_open());
                    mended.push(hash.into());
                }
                mended.push(in_parentheses(group, errors).into());
            }
            // `#![event]`
            TokenTree::Punct(bang)
                if bang.as_char() == '!'
                    && mended.last().is_some_and(|it| is_punct(it, '#'))
                    && matches!(next, Some(TokenTree::Group(_))) =>
            {
                errors.at(
                    bang.span(),
                    "`#![…]` has no place within a macro",
                    "remove the `!`, so that it is for the item below it",
                );
            }
            TokenTree::Punct(comma) if comma.as_char() == ',' && ends_in_attribute(&mended) => {
                errors.at(
                    comma.span(),
                    "an attribute stands in front of its item without a comma",
                    "remove the comma",
                );
            }
            token => mended.push(token),
        }
    }
    // Each mend was told. To put all tokens together anew takes time that hardly anybody needs.
    match errors.count() > before {
        true => mended.into_iter().collect(),
        false => as_written,
    }
}

/// The macros' own word in `[event]` or `[event(…)]`.
fn own_word(group: &Group) -> Option<Ident> {
    let mut tokens = group.stream().into_iter();
    let Some(TokenTree::Ident(word)) = tokens.next() else {
        return None;
    };
    let has_words = matches!(tokens.next(), None | Some(TokenTree::Group(_)));
    let is_own = OWN.iter().any(|own| word == own);
    (is_own && has_words && tokens.next().is_none()).then_some(word)
}

fn without_hash(group: &Group, errors: &mut Errors) {
    errors.at(
        group.span_open(),
        format_args!("the attribute `{group}` has no `#`"),
        format_args!("write `#{group}`"),
    );
}

fn ends_in_attribute(tokens: &[TokenTree]) -> bool {
    match tokens {
        [.., hash, TokenTree::Group(group)] => {
            is_punct(hash, '#') && group.delimiter() == Delimiter::Bracket
        }
        _ => false,
    }
}

/// `[aggregate category = "card"]` with its words in parentheses.
fn in_parentheses(group: Group, errors: &mut Errors) -> Group {
    let mut tokens = group.stream().into_iter();
    let Some(TokenTree::Ident(word)) = tokens.next() else {
        return group;
    };
    let Some(TokenTree::Ident(first)) = tokens.next() else {
        return group;
    };
    if OWN.iter().all(|own| word != own) {
        return group;
    }
    let words: TokenStream = [first.clone().into()].into_iter().chain(tokens).collect();
    errors.at(
        first.span(),
        format_args!("`#[{word}(…)]` takes its words in parentheses"),
        format_args!("write `#[{word}({words})]`"),
    );
    let mut mended = Group::new(Delimiter::Bracket, quote::quote!(#word(#words)));
    mended.set_span(group.span());
    mended
}
