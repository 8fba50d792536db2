//! What the macros of mire write, as an ordinary library.

mod attrs;
mod errors;
mod event_data;
mod expand;
pub mod keywords;
mod names;

use proc_macro2::TokenStream;

/// What `#[derive(EventData)]` writes for an item.
#[must_use]
pub fn derive_event_data(input: TokenStream) -> TokenStream {
    event_data::derive(input)
}
