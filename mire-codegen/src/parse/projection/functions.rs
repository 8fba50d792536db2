//! The functions of a projection: what each does for its event.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::spanned::Spanned;
use syn::{FnArg, Pat, Path, Type};

use super::events::{On, Reads};
use super::fallible;
use super::is_private;
use super::lent::{self, Meant};
use super::patterns;
use crate::errors::Errors;
use crate::fingerprint::Fingerprint;
use crate::keywords::{Place, words_of};
use crate::model::{Argument, Call, Effect, Handler, WrittenFunction};
use crate::names;
use crate::parse::attributes::{NoCfg, Sorted};
use crate::parse::content::is_empty_block;
use crate::parse::functions::{
    self, Declared, SelfKind, receiver, refuse_generics, refuse_qualifiers, return_type,
};
use crate::parse::items::Function;

const NO_CFG_ON_HANDLER: NoCfg = NoCfg {
    on: "a function that handles an event",
    why: "the event is read, whatever is compiled",
    mend: "remove it, or put it on the whole macro call; the body may ask `cfg!(…)`",
};

/// The functions that were read.
pub(super) struct Handlers {
    /// The projection's name.
    ident: Ident,
    table: bool,
    pub(super) handlers: Vec<Handler>,
    pub(super) functions: Vec<WrittenFunction>,
    /// What decides how rows come about.
    pub(super) fingerprint: Fingerprint,
    /// The type of the connection, and the same as text.
    pub(super) connection: Option<(TokenStream, String)>,
}

impl Handlers {
    pub(super) fn new(ident: Ident, table: bool) -> Self {
        Self {
            ident,
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
        mut function: Function,
        mut attrs: Sorted,
        on: Option<On>,
        reads: &mut Reads,
        errors: &mut Errors,
    ) {
        NO_CFG_ON_HANDLER.refuse(&["cfg"], &mut attrs.rest, errors);
        if self.table {
            attrs.refuse_rest("a function that folds an event into a row", errors);
        }
        let Some(On { path, words, .. }) = on else {
            self.write_out(&attrs, function);
            return;
        };
        let event = path.as_ref().and_then(|path| reads.resolve(path, errors));
        let key = words.path("key");
        let deletes = words.flag("delete");
        if !self.table {
            for word in words_of(Place::On) {
                if let Some(span) = words.untold(word.name) {
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
        let receiver = if self.table { "&mut self" } else { "&self" };
        let renamed = functions::mend_receiver(&mut function, &self.ident, receiver, errors);
        let mut lost_body = renamed;
        let (sound, arguments) = if self.table && function.sig.asyncness.is_some() {
            acts(&function, errors);
            (false, None)
        } else {
            let sound = if self.table {
                check_fold(&mut function, deletes, errors)
            } else {
                check_action(&function, errors)
            };
            let arguments = self.arguments(&mut function, deletes, reads, errors);
            lost_body |= arguments.is_none();
            (sound && !renamed, arguments)
        };
        if lost_body {
            without_body(&mut function);
        }
        let unclear = key.is_none() && words.span_of("key").is_some();
        let effect = match arguments {
            _ if !sound || unclear => Effect::Mistaken,
            _ if deletes => Effect::Delete { key },
            Some(arguments) => Effect::Call(Call {
                output: return_type(&function.sig).map(ToTokens::to_token_stream),
                ident: function.sig.ident.clone(),
                arguments,
                key,
            }),
            None => Effect::Mistaken,
        };
        self.handlers
            .extend(event.map(|event| Handler { event, effect }));
        self.write_out(&attrs, function);
    }

    fn write_out(&mut self, attrs: &Sorted, function: Function) {
        self.functions.push(WrittenFunction {
            tokens: written_out(attrs, &function),
            ident: function.sig.ident,
        });
    }

    /// Adds a function whose header has a mistake, which was told. Its body may use what isn't there.
    pub(super) fn add_broken(&mut self, mut function: Function, attrs: &Sorted) {
        function.body = None;
        self.write_out(attrs, function);
    }

    /// Adds events for which no function is called.
    pub(super) fn note(
        &mut self,
        paths: &[Path],
        effect: Effect,
        reads: &mut Reads,
        errors: &mut Errors,
    ) {
        for path in paths {
            let event = reads.resolve(path, errors);
            let effect = effect.clone();
            self.handlers
                .extend(event.map(|event| Handler { event, effect }));
        }
    }

    /// Whether something is done for an event, or it is ignored.
    pub(super) fn has(&self, path: &Path) -> bool {
        let text = names::path_text(path);
        let mut handlers = self.handlers.iter();
        handlers.any(|handler| names::path_text(&handler.event.path) == text)
    }

    /// What a function takes behind `self`; `None` after a mistake. What has one is mended in the
    /// function, too.
    fn arguments(
        &mut self,
        function: &mut Function,
        deletes: bool,
        reads: &Reads,
        errors: &mut Errors,
    ) -> Option<Vec<Argument>> {
        let before = errors.count();
        let mut arguments = Vec::new();
        let mut mended: Vec<(Ident, Type)> = Vec::new();
        patterns::take_out(function, &reads.sets, errors);
        for Declared { parameter, ty, .. } in functions::parameters(function, errors) {
            let ident = parameter.ident;
            if deletes && self.table {
                errors.at(
                    ident.span(),
                    "a function that removes the row takes nothing but `&mut self`",
                    "remove the parameter; `key(field)` says which field names the row",
                );
                break;
            }
            let lent = match &ty {
                Type::Reference(reference) => Some((reference, reference.mutability.is_some())),
                _ => None,
            };
            if let Some((reference, false)) = lent
                && let Some(lifetime) = reference
                    .lifetime
                    .as_ref()
                    .filter(|it| it.ident == "static")
            {
                let (elem, text) = (&reference.elem, names::type_text(&reference.elem));
                errors.at(
                    lifetime.span(),
                    "what a function takes is lent to it for its call",
                    format_args!("write `{ident}: &{text}`"),
                );
                mended.push((ident, syn::parse_quote!(&#elem)));
                continue;
            }
            let argument = match lent {
                Some((reference, false)) if is_plain_info(&reference.elem) => {
                    if arguments.iter().any(|it| matches!(it, Argument::Info)) {
                        errors.at(
                            ident.span(),
                            "an event has one info",
                            "remove one of the two parameters",
                        );
                    }
                    Argument::Info
                }
                _ if lent::is_event_info(&ty) => {
                    let path = lent::held(&ty).map(names::path_text).unwrap_or_default();
                    errors.on(
                        &ty,
                        "the event's info is lent",
                        format_args!("write `{ident}: &{path}`"),
                    );
                    Argument::Info
                }
                Some((reference, true)) if self.table || lent::is_connection(&reference.elem) => {
                    let twice = arguments
                        .iter()
                        .any(|it| matches!(it, Argument::Connection));
                    self.connection(&reference.elem, twice, errors);
                    Argument::Connection
                }
                // It was said that there are no generic parameters.
                Some((reference, true)) if is_generic(function, &reference.elem) => {
                    Argument::Connection
                }
                _ => {
                    let of_database = lent::connection(&ident, &ty);
                    let is_of_database = of_database.is_some();
                    let sets = &reads.sets;
                    if let Some(meant) = of_database.or_else(|| lent::event(&ident, &ty, sets)) {
                        let Meant {
                            wrong,
                            mend,
                            connection,
                        } = meant;
                        if self.table && is_of_database {
                            self.connection(&ty, false, errors);
                        } else {
                            errors.on(&ty, wrong, mend);
                        }
                        if let Some(connection) = connection {
                            let text = names::path_text(&connection);
                            self.connection
                                .get_or_insert_with(|| (connection.to_token_stream(), text));
                            mended.push((ident, syn::parse_quote!(&mut #connection)));
                        } else if !is_of_database && let Some(info) = lent::info_instead(&ty) {
                            mended.push((ident, info));
                        }
                        continue;
                    }
                    if let Some((reference, true)) = lent {
                        self.connection(&reference.elem, false, errors);
                    }
                    if is_unsized(&ty) {
                        errors.on(
                            &ty,
                            format_args!("`{}` is lent", names::type_text(&ty)),
                            format_args!("write `{ident}: &{}`", names::type_text(&ty)),
                        );
                        mended.push((ident.clone(), syn::parse_quote!(&#ty)));
                    }
                    field(&ident, &ty, errors)
                }
            };
            arguments.push(argument);
        }
        for (ident, ty) in mended {
            take_as(function, &ident, ty);
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
                format_args!("`&mut {text}` is no connection by its name, and an event's fields can't be changed"),
                "take a field by `&` or by value; the connection is `&mut PgConnection` or `&mut SqliteConnection`, or an alias whose name ends in `Connection`",
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

/// A parameter that is taken for a field of the event.
fn field(ident: &Ident, ty: &Type, errors: &mut Errors) -> Argument {
    let name = names::text(ident);
    if name.starts_with('_') {
        errors.at(
            ident.span(),
            format_args!(
                "a parameter is a field of the event, and `{name}` says that it isn't used"
            ),
            "remove the parameter: a function takes the fields that it needs",
        );
    }
    let taken = match ty {
        Type::Reference(reference) => &*reference.elem,
        other => other,
    };
    if let Type::ImplTrait(of_any_type) = taken {
        errors.at(
            of_any_type.impl_token.span,
            "a parameter has the type of the event's field",
            "write that type out",
        );
    }
    Argument::Field {
        ident: ident.clone(),
        ty: ty.to_token_stream(),
        by_reference: matches!(ty, Type::Reference(_)),
    }
}

fn is_plain_info(ty: &Type) -> bool {
    matches!(ty, Type::Path(_))
        && lent::is_event_info(ty)
        && lent::held(ty).is_some_and(|path| names::path_text(path) == names::path_text(ty))
}

/// Whether a type is a generic parameter of the function.
fn is_generic(function: &Function, ty: &Type) -> bool {
    let mut params = function.sig.generics.type_params();
    matches!(ty, Type::Path(path) if params.any(|it| path.path.is_ident(&it.ident)))
}

/// `str` and `[T]`, which can't be taken by value.
fn is_unsized(ty: &Type) -> bool {
    match ty {
        Type::Slice(_) => true,
        Type::Path(path) => path.path.is_ident("str"),
        _ => false,
    }
}

/// Has a function take a parameter as another type.
fn take_as(function: &mut Function, name: &Ident, ty: Type) {
    for input in &mut function.sig.inputs {
        if let FnArg::Typed(typed) = input
            && matches!(&*typed.pat, Pat::Ident(pat) if pat.ident == *name)
        {
            *typed.pat = syn::parse_quote!(#name);
            *typed.ty = ty;
            return;
        }
    }
}

/// What a body does with what was mended would only follow from that.
pub(super) fn without_body(function: &mut Function) {
    function.body = Some(match return_type(&function.sig) {
        Some(_) => quote!({ ::core::unreachable!() }),
        None => quote!({}),
    });
}

/// A function as it was written. What of its event it doesn't use gives no warning: rustc would propose
/// a name that the event doesn't have.
fn written_out(attrs: &Sorted, function: &Function) -> TokenStream {
    let (docs, lints, rest) = (&attrs.docs.tokens, &attrs.lints, &attrs.rest);
    let Function {
        attrs: _,
        vis,
        sig,
        body,
        broken: _,
    } = function;
    // It may lack a body, which is said elsewhere.
    let body = match body {
        Some(body) => body.clone(),
        None => quote!({ ::core::unreachable!() }),
    };
    let mut sig = sig.clone();
    for input in &mut sig.inputs {
        // An attribute costs rustc more than the parameter.
        if let FnArg::Typed(typed) = input
            && !matches!(&*typed.pat, Pat::Ident(pat) if names::may_use(&body, &pat.ident.to_string()))
        {
            // Where rustc shows the parameter, it shows its attributes as well.
            let at = typed.pat.span();
            let allow = syn::parse_quote_spanned!(at=> #[allow(unused_variables)]);
            typed.attrs.push(allow);
        }
    }
    quote!(#docs #lints #(#rest)* #vis #sig #body)
}

/// Refuses a function that acts, among those of a table.
fn acts(function: &Function, errors: &mut Errors) {
    if let Some(token) = &function.sig.asyncness {
        errors.at(
            token.span,
            format_args!(
                "the function `{}` can't be `async`: a table is folded in memory, and its runner writes the rows",
                function.sig.ident
            ),
            "write `fn` that takes `&mut self`, and returns nothing; or move it into a `projection!` of its own, whose struct has no `#[key]`: that one acts",
        );
    }
}

/// Refuses what a fold can't be.
fn check_fold(function: &mut Function, deletes: bool, errors: &mut Errors) -> bool {
    let before = errors.count();
    let sig = &function.sig;
    let what = format!("the function `{}`", sig.ident);
    refuse_qualifiers(sig, &what, errors);
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
            "remove the return type: a command refuses what can't be, and a fold ignores what it can't take",
        );
    } else if let Some(question) = function.body.as_ref().and_then(fallible::question) {
        errors.at(
            question,
            format_args!("{what} can't fail: the event has happened, and its row follows"),
            "remove the `?`: a command refuses what can't be, and a fold ignores what it can't take",
        );
        // What rustc says of it would only follow.
        function.body = Some(quote!({}));
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
    if let Some(FnArg::Receiver(receiver)) = function.sig.inputs.first_mut()
        && functions::self_kind(receiver) == SelfKind::Shared
    {
        // That it can't be changed would only follow.
        *receiver = syn::parse_quote!(&mut self);
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
