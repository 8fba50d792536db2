//! What the macros of mire write, as an ordinary library.

mod attrs;
mod check;
mod errors;
mod event_data;
mod expand;
mod fingerprint;
pub mod keywords;
mod model;
mod names;
mod parse;
mod pretty;

use proc_macro2::TokenStream;
use quote::quote;

use crate::errors::Errors;

pub use crate::pretty::pretty;

/// What `aggregate!` writes for its content.
///
/// Mistakes become `compile_error!`s, each on its tokens; the items that could be made out are
/// written beside them, so that nothing else misses them.
#[must_use]
pub fn aggregate(input: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let parsed = parse::aggregate::parse(input, &mut errors);
    let items = parsed.aggregate.map(|mut aggregate| {
        check::aggregate(&mut aggregate, &mut errors);
        expand::aggregate::expand(&aggregate)
    });
    let (beside, errors) = (parsed.beside, errors.into_tokens());
    quote!(#errors #items #beside)
}

/// What `#[derive(EventData)]` writes for an item.
#[must_use]
pub fn derive_event_data(input: TokenStream) -> TokenStream {
    event_data::derive(input)
}
