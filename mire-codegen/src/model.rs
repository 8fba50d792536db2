//! What a macro call declares, free of syntax. Identifiers keep their spans; types, bodies and
//! attributes that only pass through are tokens.

mod aggregate;
mod event_data;
mod projection;
mod runner;
mod stored;

pub(crate) use aggregate::{Aggregate, Command, Event, Field, Id, Output, Recorded, State};
pub(crate) use event_data::{EventType, EventTypeForm};
pub(crate) use projection::{
    Acting, Argument, Call, Column, Effect, EventPath, EventSet, Form, Generics, Handler,
    HeldField, Projection, Table, WrittenFunction,
};
pub(crate) use runner::{Listed, Runner};
pub(crate) use stored::{StoredVariant, VariantShape};

use proc_macro2::{Ident, TokenStream};

/// A user's doc comment.
#[derive(Default, Clone)]
pub(crate) struct Docs {
    /// The attributes as they were written.
    pub(crate) tokens: TokenStream,
    /// Their text, a line each.
    pub(crate) lines: Vec<String>,
}

impl Docs {
    /// The first paragraph in one line.
    pub(crate) fn summary(&self) -> String {
        let paragraph: Vec<&str> = self
            .lines
            .iter()
            .map(|line| line.trim())
            .skip_while(|line| line.is_empty())
            .take_while(|line| !line.is_empty())
            .collect();
        paragraph.join(" ")
    }
}

/// A parameter of a function that the user wrote.
pub(crate) struct Parameter {
    pub(crate) ident: Ident,
    /// Its pattern and type, as written.
    pub(crate) declared: TokenStream,
    /// Its type.
    pub(crate) ty: TokenStream,
}
