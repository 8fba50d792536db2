//! Shows tokens as a person would write them.

use proc_macro2::TokenStream;

/// An expansion as formatted Rust, for snapshots and for reading. Tokens that are no items are
/// shown as they are.
#[must_use]
pub fn pretty(tokens: &TokenStream) -> String {
    match syn::parse2(tokens.clone()) {
        Ok(file) => prettyplease::unparse(&file),
        Err(_) => tokens.to_string(),
    }
}
