//! A variant of an enum of events, as both `aggregate!` and `#[derive(EventData)]` store it.

use proc_macro2::{Ident, Span, TokenStream};

/// How a variant keeps its fields.
pub(crate) enum VariantShape {
    Named,
    Unnamed,
    Unit,
}

/// A variant, and how it is stored.
pub(crate) struct StoredVariant {
    pub(crate) ident: Ident,
    pub(crate) shape: VariantShape,
    /// The whole stored name.
    pub(crate) stored: String,
    pub(crate) stored_span: Span,
    pub(crate) version: u32,
    /// Paths of functions, the one that reads version 1 first.
    pub(crate) upcasts: Vec<TokenStream>,
}
