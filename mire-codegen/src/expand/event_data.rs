//! What `#[derive(EventData)]` writes.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::stored::event_data;
use crate::model::{EventType, EventTypeForm};

/// `EventData` for an enum or a struct, and `EventTypeStatic` for a struct.
pub(crate) fn expand(event_type: &EventType) -> TokenStream {
    let EventType { krate, ident, form } = event_type;
    match form {
        EventTypeForm::Enum { entity, variants } => event_data(krate, ident, entity, variants),
        EventTypeForm::Struct { event_type } => of_struct(krate, ident, event_type),
    }
}

fn of_struct(krate: &TokenStream, ident: &Ident, event_type: &str) -> TokenStream {
    quote! {
        #[automatically_derived]
        impl #krate::EventData for #ident {
            fn event_type(&self) -> &'static str {
                #event_type
            }
            fn decode(
                stored: &#krate::StoredEvent<'_>,
            ) -> ::core::result::Result<Self, #krate::DecodeError> {
                #krate::__private::decode_struct(stored)
            }
            fn event_types() -> &'static [&'static str] {
                &[#event_type]
            }
        }
        #[automatically_derived]
        impl #krate::EventTypeStatic for #ident {
            const EVENT_TYPE: &'static str = #event_type;
        }
    }
}
