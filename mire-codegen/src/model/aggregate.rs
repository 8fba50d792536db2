//! The model of `aggregate!`.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::quote;

use super::{Docs, Parameter};

/// An aggregate.
pub(crate) struct Aggregate {
    /// Where the runtime is.
    pub(crate) krate: TokenStream,
    pub(crate) state: State,
    pub(crate) category: String,
    pub(crate) id: Id,
    pub(crate) snapshot_every: Option<u32>,
    pub(crate) events: Vec<Event>,
    pub(crate) commands: Vec<Command>,
}

/// The state.
pub(crate) struct State {
    pub(crate) ident: Ident,
    /// The enum of its events.
    pub(crate) event: Ident,
    pub(crate) vis: TokenStream,
    /// The struct or enum with its attributes, `derive`s included, but without the macro's own.
    pub(crate) item: TokenStream,
    /// The last names of the traits that the user derives.
    pub(crate) derives: Vec<String>,
    /// The fields that `Default` is written for; `None` when it is derived.
    pub(crate) defaults: Option<Vec<(Ident, TokenStream)>>,
    /// The types of the fields that a snapshot holds, as far as nothing is said of how.
    pub(crate) stored: Vec<TokenStream>,
    /// A hash of the declaration, to tell snapshots of other shapes apart.
    pub(crate) fingerprint: u32,
}

/// The id type of an aggregate.
pub(crate) enum Id {
    /// None: any text.
    Text,
    /// A UUID newtype of this name, to be generated.
    Generated(Ident),
    /// A type of the user's own.
    Named(TokenStream),
}

/// An event.
pub(crate) struct Event {
    /// The function's name.
    pub(crate) ident: Ident,
    /// Where its `fn` and its parentheses stand, from which rustc shows the function.
    pub(crate) header: [Span; 2],
    /// The variant's.
    pub(crate) variant: Ident,
    pub(crate) docs: Docs,
    /// Attributes for the function: lint levels.
    pub(crate) attrs: TokenStream,
    /// The whole stored name.
    pub(crate) stored: String,
    pub(crate) stored_span: Span,
    pub(crate) version: u32,
    /// Functions, the one that reads version 1 first.
    pub(crate) upcasts: Vec<TokenStream>,
    pub(crate) fields: Vec<Field>,
    /// The braces, and what is between them.
    pub(crate) body: TokenStream,
}

/// A field of an event.
pub(crate) struct Field {
    pub(crate) parameter: Parameter,
    /// Attributes for the field of the enum: docs, and serde's.
    pub(crate) attrs: TokenStream,
    /// How many of them are no docs.
    pub(crate) own_attrs: usize,
    /// The type that is stored.
    pub(crate) stored: TokenStream,
    /// Whether the function takes it by reference.
    pub(crate) by_reference: bool,
}

/// A command.
pub(crate) struct Command {
    pub(crate) ident: Ident,
    pub(crate) docs: Docs,
    /// The function as it was written.
    pub(crate) function: TokenStream,
    /// The attributes that say whether it is there at all.
    pub(crate) cfg: TokenStream,
    /// The attribute that advises against it, if any.
    pub(crate) deprecated: TokenStream,
    /// The visibility of its recording form; `None` without one.
    pub(crate) recorded: Option<TokenStream>,
    /// `false` when it has a mistake, so that its recording form can only be declared.
    pub(crate) sound: bool,
    /// Generic parameters, `<…>`, and the `where` clause.
    pub(crate) generics: TokenStream,
    pub(crate) where_clause: TokenStream,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) output: Output,
}

/// What a command returns.
pub(crate) struct Output {
    /// The type as it was written.
    pub(crate) ty: TokenStream,
    pub(crate) span: Span,
    pub(crate) recorded: Recorded,
}

/// What a command's recording form returns.
pub(crate) enum Recorded {
    /// Nothing: the command answers events, or something that is a mistake.
    Nothing,
    /// Of a `Result`, the same type with `()` for the events.
    Result(TokenStream),
    /// What the type behind a name says, such as an alias of a `Result`.
    Named,
}

impl Command {
    /// The command, so that nothing follows from a mistake in its body.
    pub(crate) fn without_body(self) -> Self {
        let mut tokens: Vec<TokenTree> = self.function.into_iter().collect();
        tokens.pop();
        let function = quote! {
            #[allow(unused_variables)]
            #(#tokens)* { ::core::unreachable!() }
        };
        Self { function, ..self }
    }
}
