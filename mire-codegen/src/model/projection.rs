//! The model of `projection!`.

use proc_macro2::{Ident, TokenStream};

/// A projection.
pub(crate) struct Projection {
    /// Where the runtime is.
    pub(crate) krate: TokenStream,
    pub(crate) ident: Ident,
    pub(crate) vis: TokenStream,
    pub(crate) generics: Generics,
    /// The struct with its attributes, but without the macro's own.
    pub(crate) item: TokenStream,
    pub(crate) subscription: String,
    pub(crate) reads: Vec<EventSet>,
    pub(crate) handlers: Vec<Handler>,
    /// All functions as they were written, also those that handle nothing because of a mistake.
    pub(crate) functions: Vec<WrittenFunction>,
    /// Whether each event could be made out, so that the compiler can tell which are missing.
    pub(crate) complete: bool,
    pub(crate) form: Form,
}

/// A function as it was written.
pub(crate) struct WrittenFunction {
    pub(crate) ident: Ident,
    pub(crate) tokens: TokenStream,
}

/// The generic parameters of a projection that acts.
pub(crate) struct Generics {
    /// `<…>` behind `impl`.
    pub(crate) declared: TokenStream,
    /// The same, with a backend as one more parameter.
    pub(crate) with_backend: TokenStream,
    /// That parameter.
    pub(crate) backend: Ident,
    /// `<…>` behind the name.
    pub(crate) arguments: TokenStream,
    pub(crate) where_clause: TokenStream,
}

/// An enum of events that is read.
pub(crate) struct EventSet {
    /// As `reads` names it.
    pub(crate) path: TokenStream,
    /// The same as text.
    pub(crate) text: String,
}

/// An event that a projection names: `AccountEvent::Opened`.
pub(crate) struct EventPath {
    /// Which of the enums.
    pub(crate) set: usize,
    pub(crate) variant: Ident,
    /// The whole path as it was written.
    pub(crate) path: TokenStream,
}

/// An event, and what is done for it.
pub(crate) struct Handler {
    pub(crate) event: EventPath,
    pub(crate) effect: Effect,
}

/// What is done for an event.
#[derive(Clone)]
pub(crate) enum Effect {
    /// A function is called.
    Call(Call),
    /// The row goes.
    Delete {
        /// The field of the event that names the row.
        key: Option<Ident>,
    },
    /// Nothing: it is ignored.
    Ignore,
    /// It has a mistake, so nothing can be called.
    Mistaken,
}

/// How a function is called.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) ident: Ident,
    pub(crate) arguments: Vec<Argument>,
    /// What it returns, as it was written.
    pub(crate) output: Option<TokenStream>,
    /// The field of the event that names the row.
    pub(crate) key: Option<Ident>,
}

/// What a function takes behind `self`.
#[derive(Clone)]
pub(crate) enum Argument {
    /// A field of the event.
    Field {
        ident: Ident,
        ty: TokenStream,
        by_reference: bool,
    },
    /// `&EventInfo`.
    Info,
    /// `&mut` the connection.
    Connection,
}

/// What a projection is.
pub(crate) enum Form {
    Table(Table),
    Acting(Acting),
}

/// A projection that keeps a table.
pub(crate) struct Table {
    /// Whether the user derives `Default`, which is written by the macro instead.
    pub(crate) default: bool,
    pub(crate) name: String,
    /// A hash of the declaration: another one is another table.
    pub(crate) fingerprint: u32,
    pub(crate) columns: Vec<Column>,
    /// Which column names a row; `None` is a mistake that can't be mended.
    pub(crate) key: Option<usize>,
}

/// A column: it is named as its field.
pub(crate) struct Column {
    pub(crate) ident: Ident,
    pub(crate) ty: TokenStream,
    pub(crate) indexed: bool,
    pub(crate) json: bool,
}

impl Column {
    pub(crate) fn name(&self) -> String {
        crate::names::text(&self.ident)
    }
}

/// A projection that acts.
pub(crate) struct Acting {
    /// The type of the connection that its functions take.
    pub(crate) connection: Option<TokenStream>,
    /// The types of its fields. None when it has generic parameters: what they are is for its user
    /// to say.
    pub(crate) holds: Vec<HeldField>,
}

/// A field of a projection that acts.
pub(crate) struct HeldField {
    /// Its name, or its place in a tuple; `None` in a variant of an enum.
    pub(crate) member: Option<syn::Member>,
    pub(crate) ty: TokenStream,
}
