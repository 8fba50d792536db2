//! Collects mistakes, so that all of them are reported at once.

use std::fmt::Display;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

/// The mistakes found so far, each on its tokens.
#[derive(Default)]
pub(crate) struct Errors(Vec<syn::Error>);

impl Errors {
    /// A mistake at `span`: what is wrong, and how to mend it.
    pub(crate) fn at(&mut self, span: Span, wrong: impl Display, mend: impl Display) {
        self.0
            .push(syn::Error::new(span, format_args!("{wrong}\nhelp: {mend}")));
    }

    /// A mistake on several tokens.
    pub(crate) fn on(&mut self, tokens: &impl ToTokens, wrong: impl Display, mend: impl Display) {
        self.0.push(syn::Error::new_spanned(
            tokens,
            format_args!("{wrong}\nhelp: {mend}"),
        ));
    }

    /// A mistake that syn found and words well enough.
    pub(crate) fn push(&mut self, error: syn::Error) {
        self.0.push(error);
    }

    /// Adds those that were kept apart.
    pub(crate) fn append(&mut self, mut others: Self) {
        self.0.append(&mut others.0);
    }

    /// How many there are so far.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// One `compile_error!` a mistake.
    pub(crate) fn into_tokens(self) -> TokenStream {
        self.0.iter().map(syn::Error::to_compile_error).collect()
    }
}
