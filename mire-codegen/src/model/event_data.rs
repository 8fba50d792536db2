//! The model of `#[derive(EventData)]`.

use proc_macro2::{Ident, TokenStream};

use super::StoredVariant;

/// An enum or a struct of the user's own.
pub(crate) struct EventType {
    /// Where the runtime is.
    pub(crate) krate: TokenStream,
    pub(crate) ident: Ident,
    pub(crate) form: EventTypeForm,
}

pub(crate) enum EventTypeForm {
    /// Several events.
    Enum {
        /// The first half of their stored names.
        entity: String,
        variants: Vec<StoredVariant>,
    },
    /// One event.
    Struct {
        /// Its whole stored name.
        event_type: String,
    },
}
