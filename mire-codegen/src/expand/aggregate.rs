//! What `aggregate!` writes.

mod commands;
mod event_traits;
mod events;
mod id;
mod questions;
mod state;

use proc_macro2::TokenStream;
use quote::quote;

use crate::model::Aggregate;

/// All items of an aggregate.
pub(crate) fn expand(aggregate: &Aggregate) -> TokenStream {
    let state = state::expand(aggregate);
    let events = events::expand(aggregate);
    let id = id::expand(aggregate);
    let commands = commands::expand(aggregate);
    quote! {
        #state
        #events
        #id
        #commands
    }
}
