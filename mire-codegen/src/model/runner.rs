//! The model of `runner!`.

use proc_macro2::TokenStream;

/// A runner of several projections.
pub(crate) struct Runner {
    /// Where the runtime is.
    pub(crate) krate: TokenStream,
    /// The store; `None` when it was forgotten.
    pub(crate) store: Option<TokenStream>,
    pub(crate) projections: Vec<Listed>,
}

/// A projection in the list.
pub(crate) struct Listed {
    pub(crate) ty: TokenStream,
    /// One that acts has a value; one that keeps a table is known by its type.
    pub(crate) value: Option<TokenStream>,
}
