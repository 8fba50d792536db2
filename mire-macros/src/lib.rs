//! The macros of mire: a thin shell around `mire-codegen`. Use them through the crate `mire`.

use proc_macro::TokenStream;

/// Stored names for an enum of events, or for a single event struct, that is written by hand.
///
/// On an enum, `#[mire(entity = "order")]` gives the first half of the stored names; the second is
/// the variant in kebab case, or `#[mire(rename = "…")]`. The payload holds the variant's fields
/// alone. On a struct, `#[mire(event_type = "order.placed")]` gives the whole name. Serde's own
/// derives stand beside it.
///
/// ```ignore
/// #[derive(serde::Serialize, serde::Deserialize, mire::EventData)]
/// #[mire(entity = "order")]
/// enum OrderEvent {
///     Placed { amount: i64 },                 // order.placed
///     #[mire(rename = "sent")]
///     Shipped,                                // order.sent
/// }
/// ```
#[proc_macro_derive(EventData, attributes(mire))]
pub fn derive_event_data(input: TokenStream) -> TokenStream {
    mire_codegen::derive_event_data(input.into()).into()
}
