//! The functions of a projection: what each does for its event.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::spanned::Spanned;
use syn::{Attribute, Type};

use super::events::{self, On, Reads};
use super::is_private;
use crate::errors::Errors;
use crate::fingerprint::Fingerprint;
use crate::keywords::{Place, words_of};
use crate::model::{Argument, Call, Effect, Handler, WrittenFunction};
use crate::names;
use crate::parse::attributes::{NoCfg, Sorted};
use crate::parse::functions::{
    SelfKind, parameters, receiver, refuse_generics, refuse_qualifiers, return_type,
};
use crate::parse::items::Function;

const NO_CFG_ON_HANDLER: NoCfg = NoCfg {
    on: "a function that handles an event",
    why: "the event is read, whatever is compiled",
    mend: "remove it, or put it on the whole macro call; the body may ask `cfg!(…)`",
};

/// The functions that were read.
pub(super) struct Handlers {
    table: bool,
    pub(super) handlers: Vec<Handler>,
    pub(super) functions: Vec<WrittenFunction>,
    /// What decides how rows come about.
    pub(super) fingerprint: Fingerprint,
    /// The type of the connection, and the same as text.
    pub(super) connection: Option<(TokenStream, String)>,
}

impl Handlers {
    pub(super) fn new(table: bool) -> Self {
        Self {
            table,
            handlers: Vec::new(),
            functions: Vec::new(),
            fingerprint: Fingerprint::new(),
            connection: None,
        }
    }

    /// Adds a function.
    pub(super) fn add(
        &mut self,
        function: Function,
        mut attrs: Sorted,
        on: Option<On>,
        reads: &mut Reads,
        errors: &mut Errors,
    ) {
        NO_CFG_ON_HANDLER.refuse(&["cfg"], &mut attrs.rest, errors);
        if self.table {
            attrs.refuse_rest("a function that folds an event into a row", errors);
        }
        self.functions.push(WrittenFunction {
            ident: function.sig.ident.clone(),
            tokens: written_out(&attrs, &function),
        });
        let Some(On { path, words }) = on else {
            return;
        };
        let event = path.as_ref().and_then(|path| reads.resolve(path, errors));
        let key = words.path("key", errors);
        let deletes = words.flag("delete", errors);
        if !self.table {
            for word in words_of(Place::On) {
                if let Some(span) = words.span_of(word.name) {
                    errors.at(
                        span,
                        format_args!("`{}` is for a projection that keeps a table", word.name),
                        "remove it, or mark the field that names a row with `#[key]`",
                    );
                }
            }
        }
        let key = key.and_then(|path| {
            let field = path.get_ident().cloned();
            if field.is_none() {
                errors.at(
                    path.span(),
                    "a key is one field of the event",
                    "name the field alone, as in `key(customer)`",
                );
            }
            field
        });
        if let Some(event) = &event {
            self.fingerprint.text(&names::path_text(&event.path));
            self.fingerprint.text(if deletes { "delete" } else { "" });
            self.fingerprint
                .text(&key.as_ref().map(names::text).unwrap_or_default());
            self.fingerprint
                .tokens(function.sig.inputs.to_token_stream());
            self.fingerprint
                .tokens(function.body.clone().unwrap_or_default());
        }
        let sound = if self.table {
            check_fold(&function, deletes, errors)
        } else {
            check_action(&function, errors)
        };
        let unclear = key.is_none() && words.span_of("key").is_some();
        let arguments = self.arguments(&function, deletes, errors);
        let effect = match arguments {
            _ if !sound || unclear => Effect::Mistaken,
            _ if deletes => Effect::Delete { key },
            Some(arguments) => Effect::Call(Call {
                output: return_type(&function.sig).map(ToTokens::to_token_stream),
                ident: function.sig.ident,
                arguments,
                key,
            }),
            None => Effect::Mistaken,
        };
        self.handlers
            .extend(event.map(|event| Handler { event, effect }));
    }

    /// Adds the events of `#[ignores(…)]`.
    pub(super) fn ignore(&mut self, attrs: &[Attribute], reads: &mut Reads, errors: &mut Errors) {
        for attr in attrs {
            for path in events::ignored(attr, errors) {
                let event = reads.resolve(&path, errors);
                self.handlers.extend(event.map(|event| Handler {
                    event,
                    effect: Effect::Ignore,
                }));
            }
        }
    }

    /// What a function takes behind `self`; `None` after a mistake.
    fn arguments(
        &mut self,
        function: &Function,
        deletes: bool,
        errors: &mut Errors,
    ) -> Option<Vec<Argument>> {
        let before = errors.count();
        let mut arguments = Vec::new();
        for (parameter, typed) in parameters(function, errors) {
            let ident = parameter.ident;
            if deletes && self.table {
                errors.at(
                    ident.span(),
                    "a function that removes the row takes nothing but `&mut self`",
                    "remove the parameter; `key(field)` says which field names the row",
                );
                break;
            }
            let argument = match &*typed.ty {
                Type::Reference(reference) if reference.mutability.is_some() => {
                    let twice = arguments
                        .iter()
                        .any(|it| matches!(it, Argument::Connection));
                    self.connection(&reference.elem, twice, errors);
                    Argument::Connection
                }
                Type::Reference(reference) if is_event_info(&reference.elem) => Argument::Info,
                ty if is_event_info(ty) => {
                    errors.on(
                        ty,
                        "the event's info is lent",
                        format_args!("write `{ident}: &{}`", names::path_text(ty)),
                    );
                    Argument::Info
                }
                ty => Argument::Field {
                    ident,
                    ty: ty.to_token_stream(),
                    by_reference: matches!(ty, Type::Reference(_)),
                },
            };
            arguments.push(argument);
        }
        (errors.count() == before).then_some(arguments)
    }

    fn connection(&mut self, ty: &Type, twice: bool, errors: &mut Errors) {
        let text = names::path_text(ty);
        if self.table {
            errors.on(
                ty,
                "a function that folds an event into a row has nothing else to change: the runner writes the rows",
                "take the event's field by `&` or by value; a projection that writes by itself is an `async fn`, in a `projection!` of its own",
            );
        } else if !text.ends_with("Connection") {
            errors.on(
                ty,
                format_args!("`&mut {text}` is not a connection, and an event's fields can't be changed"),
                "take a field by `&` or by value; the connection is `&mut PgConnection` or `&mut SqliteConnection`",
            );
        } else if twice {
            errors.on(
                ty,
                "a transaction has one connection",
                "remove one of the two parameters",
            );
        } else {
            let (_, first) = self
                .connection
                .get_or_insert_with(|| (ty.to_token_stream(), text.clone()));
            if *first != text {
                errors.on(
                    ty,
                    format_args!(
                        "this function takes `&mut {text}`, and another one `&mut {first}`"
                    ),
                    "a projection runs on one store: use the same connection in all its functions",
                );
            }
        }
    }
}

fn is_event_info(ty: &Type) -> bool {
    let Type::Path(path) = ty else { return false };
    path.path
        .segments
        .last()
        .is_some_and(|last| last.ident == "EventInfo")
}

/// A function as it was written.
fn written_out(attrs: &Sorted, function: &Function) -> TokenStream {
    let (docs, lints, rest) = (&attrs.docs.tokens, &attrs.lints, &attrs.rest);
    let Function {
        attrs: _,
        vis,
        sig,
        body,
    } = function;
    let (unused, body) = match body {
        Some(body) => (None, body.clone()),
        // It lacks a body, which is said elsewhere; that its parameters are unused follows from it.
        None => (
            Some(quote!(#[allow(unused_variables)])),
            quote!({ ::core::unreachable!() }),
        ),
    };
    quote!(#docs #lints #(#rest)* #unused #vis #sig #body)
}

/// Refuses what a fold can't be.
fn check_fold(function: &Function, deletes: bool, errors: &mut Errors) -> bool {
    let sig = &function.sig;
    let before = errors.count();
    let what = format!("the function `{}`", sig.ident);
    refuse_qualifiers(sig, &what, errors);
    if let Some(token) = &sig.asyncness {
        errors.at(
            token.span,
            format_args!("{what} can't be `async`: it folds an event into a row, in memory"),
            "remove `async`; what has to wait belongs in a projection that acts: a `projection!` of its own, whose struct has no `#[key]`",
        );
    }
    check_generics(function, &what, errors);
    let (receiver, span) = receiver(sig);
    if receiver != SelfKind::Mutable {
        errors.at(
            span,
            format_args!("{what} takes no `&mut self`: it changes the event's row"),
            "make `&mut self` the first parameter",
        );
    }
    if let Some(output) = return_type(sig) {
        errors.at(
            output.span(),
            format_args!(
                "{what} returns something, but the event has happened, and its row follows"
            ),
            "remove the return type",
        );
    }
    if !is_private(&function.vis) {
        errors.at(
            function.vis.span(),
            format_args!("{what} is called by the runner alone"),
            "remove the visibility",
        );
    }
    let empty = function.body.as_ref().is_some_and(is_empty_block);
    match &function.body {
        None => no_body(sig.ident.span(), &what, errors),
        Some(body) if deletes && !empty => errors.at(
            body.span(),
            format_args!("{what} removes the row, so it has nothing to do with it"),
            "write `{}` for its body",
        ),
        Some(_) => {}
    }
    errors.count() == before
}

/// Refuses what an action can't be.
fn check_action(function: &Function, errors: &mut Errors) -> bool {
    let sig = &function.sig;
    let before = errors.count();
    let what = format!("the function `{}`", sig.ident);
    refuse_qualifiers(sig, &what, errors);
    check_generics(function, &what, errors);
    let (receiver, span) = receiver(sig);
    if receiver == SelfKind::Mutable && sig.asyncness.is_none() {
        errors.at(
            span,
            format_args!("{what} folds an event into a row, but this projection acts, and has no table"),
            "make it an `async fn` that takes `&self`; for a table, mark the field that names a row with `#[key]`, in a `projection!` of its own",
        );
        return false;
    }
    if receiver != SelfKind::Shared {
        errors.at(
            span,
            format_args!("{what} takes no `&self`: the projection is shared by all that it does"),
            "make `&self` the first parameter; keep what changes in a `Mutex`, or in the database",
        );
    }
    if sig.asyncness.is_none() {
        errors.at(
            sig.fn_token.span,
            format_args!("{what} acts on an event, so it is `async`"),
            "write `async fn`",
        );
    }
    if function.body.is_none() {
        no_body(sig.ident.span(), &what, errors);
    }
    errors.count() == before
}

fn check_generics(function: &Function, what: &str, errors: &mut Errors) {
    refuse_generics(
        &function.sig,
        what,
        "write out the type that the event's field has",
        errors,
    );
}

fn no_body(span: Span, what: &str, errors: &mut Errors) {
    errors.at(
        span,
        format_args!("{what} has no body"),
        "write what it does, or `{}` for nothing",
    );
}

fn is_empty_block(body: &TokenStream) -> bool {
    matches!(
        body.clone().into_iter().next(),
        Some(proc_macro2::TokenTree::Group(group)) if group.stream().is_empty()
    )
}
