//! What the macros of mire write, as an ordinary library.
//!
//! The way through it: tokens are *parsed* into a model, the model is *checked* as a whole, and
//! what is left is *expanded*. Mistakes are collected on the way and reported all at once, each on
//! its own tokens, beside the items that could be made out. Expansion is a pure function of its
//! tokens: no files, no network, no clock, no statics.
//!
//! # Snapshot tests of your own domain
//!
//! Stored names, versions and fields are a contract with a log that lives for years. A snapshot of
//! [`calls`] over your own source makes each change of it visible in a review; see the example
//! `snapshot_your_domain`, which is such a test.

mod attrs;
mod check;
mod errors;
mod expand;
mod fingerprint;
mod fragments;
pub mod keywords;
mod model;
mod names;
mod outline;
mod parse;
mod pretty;
mod source;

use proc_macro2::TokenStream;
use quote::quote;

use crate::errors::Errors;
use crate::parse::wrong_macro::{AGGREGATE, PROJECTION, refused};

pub use crate::pretty::pretty;
pub use crate::source::{Call, calls};

/// What `aggregate!` writes for its content.
///
/// Mistakes become `compile_error!`s, each on its tokens; the items that could be made out are
/// written beside them, so that nothing else misses them.
#[must_use]
pub fn aggregate(input: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    if refused(&AGGREGATE, &PROJECTION, &input, &mut errors) {
        written_as_projection(input, errors)
    } else {
        written_as_aggregate(input, errors)
    }
}

fn written_as_aggregate(input: TokenStream, mut errors: Errors) -> TokenStream {
    let parsed = parse::aggregate::parse(input, &mut errors);
    let items = parsed.aggregate.map(|mut aggregate| {
        check::aggregate(&mut aggregate, &mut errors);
        expand::aggregate::expand(&aggregate)
    });
    let (beside, errors) = (parsed.beside, errors.into_tokens());
    quote!(#errors #items #beside)
}

/// The content of `aggregate!` at a glance: its stored names, versions, fields and commands, a line
/// each. `None` when there is no state in it. Mistakes are left to [`aggregate`].
#[must_use]
pub fn aggregate_outline(input: TokenStream) -> Option<String> {
    let mut errors = Errors::default();
    let mut aggregate = parse::aggregate::parse(input, &mut errors).aggregate?;
    check::aggregate(&mut aggregate, &mut errors);
    Some(outline::aggregate(&aggregate))
}

/// What `projection!` writes for its content.
///
/// Mistakes are reported as by [`aggregate`](fn@aggregate).
#[must_use]
pub fn projection(input: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    if refused(&PROJECTION, &AGGREGATE, &input, &mut errors) {
        written_as_aggregate(input, errors)
    } else {
        written_as_projection(input, errors)
    }
}

fn written_as_projection(input: TokenStream, mut errors: Errors) -> TokenStream {
    let parsed = parse::projection::parse(input, &mut errors);
    let items = parsed.projection.map(|mut projection| {
        check::projection(&mut projection, &mut errors);
        expand::projection::expand(&projection)
    });
    let (beside, errors) = (parsed.beside, errors.into_tokens());
    quote!(#errors #items #beside)
}

/// The content of `projection!` at a glance: its subscription, its table, the events that it reads
/// and what it does for each. `None` when there is no struct in it. Mistakes are left to
/// [`projection`].
#[must_use]
pub fn projection_outline(input: TokenStream) -> Option<String> {
    let mut errors = Errors::default();
    let mut projection = parse::projection::parse(input, &mut errors).projection?;
    check::projection(&mut projection, &mut errors);
    Some(outline::projection(&projection))
}

/// What `runner!` writes for its content, behind the path to mire and a `;`: an expression.
///
/// Mistakes are reported as by [`aggregate`](fn@aggregate).
#[must_use]
pub fn runner(input: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let runner = parse::runner::parse(input, &mut errors);
    let builder = expand::runner::expand(&runner);
    let errors = errors.into_tokens();
    quote!({ #errors #builder })
}

/// What `#[derive(EventData)]` writes for an item.
#[must_use]
pub fn derive_event_data(input: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let items = parse::event_data::parse(input, &mut errors).map(|mut event_type| {
        check::event_type(&mut event_type, &mut errors);
        expand::event_data::expand(&event_type)
    });
    let errors = errors.into_tokens();
    quote!(#errors #items)
}
