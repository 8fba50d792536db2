//! What a command answers: events of its aggregate. Where it says something else that shows in the
//! type's name, the enum of events goes out instead.

use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{
    GenericArgument, Lifetime, Path, PathArguments, ReturnType, Signature, Type, TypeReference,
};

use crate::errors::Errors;
use crate::names;

/// Mends the return type of a command; answers whether it was wrong, so that the body answers something
/// else.
pub(super) fn mend(
    sig: &mut Signature,
    state: &Ident,
    event: &Ident,
    what: &str,
    errors: &mut Errors,
) -> bool {
    let ReturnType::Type(_, ty) = &mut sig.output else {
        errors.at(
            sig.ident.span(),
            format_args!("{what} returns no event"),
            format_args!(
                "return the event that it makes happen: `-> {event}`, an `Option`, a `Vec` or an array of it, or a `Result` of these"
            ),
        );
        sig.output = syn::parse_quote!(-> #event);
        return true;
    };
    let mut mender = Mender {
        state,
        event,
        found: None,
        is_bare: true,
        was_slice: false,
    };
    match events_mut(ty) {
        Some(events) => mender.visit_type_mut(events),
        None => mender.visit_type_mut(ty),
    }
    let Some((at, wrong)) = mender.found else {
        Named(state).visit_type_mut(ty);
        return own(ty, what, errors);
    };
    let mended = names::type_text(ty);
    if mender.was_slice {
        let array = format!("[{event}; 2]");
        let array = mended.replacen(&format!("Vec<{event}>"), &array, 1);
        errors.on(
            &at,
            wrong,
            format_args!("write `-> {mended}`, or `-> {array}`"),
        );
    } else {
        errors.on(&at, wrong, format_args!("write `-> {mended}`"));
    }
    true
}

/// Calls the state by its name: in the recording form, `Self` is the root.
struct Named<'a>(&'a Ident);

impl VisitMut for Named<'_> {
    fn visit_path_mut(&mut self, path: &mut Path) {
        if path.is_ident("Self") {
            let mut state = self.0.clone();
            state.set_span(path.span());
            *path = state.into();
        }
        visit_mut::visit_path_mut(self, path);
    }
}

/// The events in a `Result`: its first type.
pub(super) fn events_mut(ty: &mut Type) -> Option<&mut Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last_mut()?;
    let PathArguments::AngleBracketed(given) = &mut last.arguments else {
        return None;
    };
    if last.ident != "Result" {
        return None;
    }
    given.args.iter_mut().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

/// Has a command own what it answers: without a name, a lifetime is that of the `&self`, which the
/// recording form changes while the answer is still held. Answers whether there was one.
fn own(ty: &mut Type, what: &str, errors: &mut Errors) -> bool {
    let mut borrows = Borrows { first: None };
    borrows.visit_error_mut(ty);
    let Some(at) = borrows.first else {
        return false;
    };
    errors.at(
        at,
        format_args!(
            "what {what} answers can't borrow from the state, to which the events are then applied"
        ),
        "answer what owns its content, as `String` does, or `&'static str`; what borrows from a \
         parameter takes that one's lifetime: `fn open<'a>(&self, owner: &'a str) -> Result<…, &'a str>`",
    );
    true
}

/// Finds lifetimes without a name, and makes them `'static`.
struct Borrows {
    first: Option<Span>,
}

impl Borrows {
    /// Visits what isn't events. Of events behind a reference the compiler tells that they aren't any.
    fn visit_error_mut(&mut self, ty: &mut Type) {
        let Type::Path(path) = ty else {
            return;
        };
        let Some(last) = path.path.segments.last_mut() else {
            return;
        };
        let mut has_events = last.ident == "Result";
        if let PathArguments::AngleBracketed(given) = &mut last.arguments {
            for argument in &mut given.args {
                let is_events = has_events && matches!(argument, GenericArgument::Type(_));
                if is_events {
                    has_events = false;
                } else {
                    self.visit_generic_argument_mut(argument);
                }
            }
        }
    }
}

impl VisitMut for Borrows {
    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        if reference.lifetime.is_none() {
            self.first.get_or_insert(reference.and_token.span);
            reference.lifetime = Some(Lifetime::new("'static", reference.and_token.span));
        }
        visit_mut::visit_type_reference_mut(self, reference);
    }

    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident == "_" {
            self.first.get_or_insert(lifetime.span());
            lifetime.ident = Ident::new("static", lifetime.ident.span());
        }
    }

    /// These have lifetimes of their own.
    fn visit_type_fn_ptr_mut(&mut self, _: &mut syn::TypeFnPtr) {}

    fn visit_parenthesized_generic_arguments_mut(
        &mut self,
        _: &mut syn::ParenthesizedGenericArguments,
    ) {
    }
}

struct Mender<'a> {
    state: &'a Ident,
    event: &'a Ident,
    found: Option<(TokenStream, String)>,
    /// Whether nothing points at what stands here.
    is_bare: bool,
    /// Whether events of no known number were found.
    was_slice: bool,
}

impl Mender<'_> {
    fn wrong(&self, path: &Path) -> Option<String> {
        let (state, event) = (self.state, self.event);
        if path.is_ident("Self") || path.is_ident(state) {
            return Some(format!(
                "a command answers events, and `{}` is the state",
                names::path_text(path)
            ));
        }
        let of = path.segments.iter().rev().nth(1)?;
        (of.ident == *event).then(|| {
            format!(
                "`{}` is one of the events, and no type: that is `{event}`",
                names::path_text(path)
            )
        })
    }
}

impl VisitMut for Mender<'_> {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        if let Type::Path(path) = ty
            && path.qself.is_none()
            && let Some(wrong) = self.wrong(&path.path)
        {
            let at = path.to_token_stream();
            self.found.get_or_insert((at, wrong));
            let event = self.event;
            *ty = syn::parse_quote!(#event);
            return;
        }
        if let Type::Slice(slice) = ty
            && self.is_bare
        {
            let (at, elem) = (slice.to_token_stream(), &slice.elem);
            let wrong = "a command owns what it answers, so that is no bare `[…]`".to_owned();
            self.was_slice |= self.found.is_none();
            self.found.get_or_insert((at, wrong));
            *ty = syn::parse_quote!(Vec<#elem>);
        }
        self.is_bare = match ty {
            Type::Path(path) => path
                .path
                .segments
                .last()
                .is_some_and(|last| ["Result", "Option"].iter().any(|it| last.ident == it)),
            _ => false,
        };
        visit_mut::visit_type_mut(self, ty);
    }
}
