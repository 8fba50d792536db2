//! Generated code that is reported where the user wrote something.
//!
//! rustc shows an expression at the tokens from its first to its last. So what is to be reported on
//! the user's tokens has its own first and last token moved there; how names resolve stays as it is.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};

/// Tokens of ours, shown at `at`.
pub(crate) fn located(tokens: TokenStream, at: Span) -> TokenStream {
    tokens
        .into_iter()
        .map(|token| match token {
            TokenTree::Group(group) => {
                let span = group.span().located_at(at);
                let mut moved = Group::new(group.delimiter(), located(group.stream(), at));
                moved.set_span(span);
                TokenTree::Group(moved)
            }
            mut token => {
                token.set_span(token.span().located_at(at));
                token
            }
        })
        .collect()
}

/// `function(arguments)`, shown at the user's tokens `at`; the arguments stay where they are.
pub(crate) fn call(
    function: TokenStream,
    arguments: TokenStream,
    at: &impl ToTokens,
) -> TokenStream {
    let (first, last) = ends(at);
    let mut call = located(function, first);
    let mut parentheses = Group::new(Delimiter::Parenthesis, arguments);
    parentheses.set_span(Span::mixed_site().located_at(last));
    call.extend([TokenTree::Group(parentheses)]);
    call
}

/// `function::<Type, others>(arguments)`, shown at the user's tokens of the type. These stay as they
/// are, so that what rustc has to say of a part of it stands on that part.
pub(crate) fn ask(
    function: &TokenStream,
    ty: &TokenStream,
    others: &TokenStream,
    arguments: TokenStream,
) -> TokenStream {
    let (first, last) = ends(ty);
    let mut call = located(quote!(#function::<), first);
    call.extend(ty.clone());
    call.extend(others.clone());
    call.extend(located(quote!(>), last));
    let mut parentheses = Group::new(Delimiter::Parenthesis, arguments);
    parentheses.set_span(Span::mixed_site().located_at(last));
    call.extend([TokenTree::Group(parentheses)]);
    call
}

/// `first` and then `last`, shown at the user's tokens `at` from their first to their last.
pub(crate) fn from_to(first: TokenStream, last: TokenStream, at: &impl ToTokens) -> TokenStream {
    let (start, end) = ends(at);
    let mut tokens = located(first, start);
    tokens.extend(located(last, end));
    tokens
}

/// Where tokens begin and end.
fn ends(tokens: &impl ToTokens) -> (Span, Span) {
    let mut tokens = tokens.to_token_stream().into_iter();
    let first = tokens
        .next()
        .map_or_else(Span::call_site, |token| token.span());
    let last = tokens.last().map_or(first, |token| token.span());
    (first, last)
}

/// Where tokens begin.
pub(crate) fn start(tokens: &impl ToTokens) -> Span {
    ends(tokens).0
}
