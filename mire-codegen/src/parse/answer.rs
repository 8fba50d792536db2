//! What a command answers: events of its aggregate. Where it says something else that shows in the
//! type's name, the enum of events goes out instead.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::visit_mut::{self, VisitMut};
use syn::{Path, ReturnType, Signature, Type};

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
    mender.visit_type_mut(ty);
    let Some((at, wrong)) = mender.found else {
        return false;
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
