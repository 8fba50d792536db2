//! Types that no event and no state can have, whatever is in them. They are told by their names, once
//! and with the mend: rustc would tell of each in all the places that need what it lacks.

use proc_macro2::{Ident, Span};
use syn::punctuated::Punctuated;
use syn::visit_mut::{self, VisitMut};
use syn::{GenericArgument, Path, PathArguments, Token, Type, TypeParamBound};

use crate::names;

/// What holds the type.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    Event,
    State,
}

/// A type that doesn't fit.
pub(super) struct Unfit {
    /// The smallest token that is wrong.
    pub(super) span: Span,
    pub(super) wrong: String,
    /// What to do, when it isn't to write the mended type.
    pub(super) mend: Option<&'static str>,
}

/// Replaces what in a type doesn't fit by what owns the same; answers the first of it. `lent` says that
/// the type stands behind a reference.
pub(super) fn mend(ty: &mut Type, holder: Holder, lent: bool) -> Option<Unfit> {
    let mut mender = Mender {
        holder,
        is_whole: true,
        is_behind_pointer: lent,
        found: None,
    };
    if lent && let Some((name, owned)) = sized_of_std(ty) {
        // Of what an event borrows, `str` and `[T]` alone are known by what owns them.
        let wrong = owns(holder, &format!("can't hold a bare `{name}`"));
        mender.is(name.span(), wrong, None);
        *ty = owned;
    }
    mender.visit_type_mut(ty);
    mender.found
}

struct Mender {
    holder: Holder,
    /// Whether this is all of the type.
    is_whole: bool,
    /// Whether `str` and `[T]` may stand here.
    is_behind_pointer: bool,
    found: Option<Unfit>,
}

impl Mender {
    fn is(&mut self, span: Span, wrong: impl Into<String>, mend: Option<&'static str>) {
        self.found.get_or_insert_with(|| Unfit {
            span,
            wrong: wrong.into(),
            mend,
        });
    }

    /// The type that owns what a pointer or a cell of this name holds.
    fn owned_of(&mut self, path: &Path) -> Option<Type> {
        let last = path.segments.last()?;
        let of_state = self.holder == Holder::State;
        let name = names::text(&last.ident);
        let (module, wrong) = match &*name {
            "Rc" if of_state => (
                "rc",
                "threads share a state, so it can't hold an `Rc`".to_owned(),
            ),
            "Rc" => (
                "rc",
                "an event owns its data, so it can't hold an `Rc`".to_owned(),
            ),
            "Cell" | "RefCell" if of_state => (
                "cell",
                format!("`&mut self` changes a state, so it needs no `{name}`"),
            ),
            "Cell" | "RefCell" => (
                "cell",
                format!("an event never changes, so it can't hold a `{name}`"),
            ),
            // What shares one, such as an `Arc`, may well be held.
            "Mutex" | "RwLock" if of_state && !self.is_whole => return None,
            "Mutex" | "RwLock" if of_state => (
                "sync",
                format!("`&mut self` changes a state, so it needs no `{name}`"),
            ),
            "Mutex" | "RwLock" => (
                "sync",
                format!("an event never changes, so it can't hold a `{name}`"),
            ),
            "Cow" => ("borrow", owns(self.holder, "can't hold a `Cow`")),
            _ => return None,
        };
        let inner = owned_argument(path, module)?;
        self.is(last.ident.span(), wrong, None);
        Some(inner)
    }
}

/// "a state owns what it holds, so it …"
fn owns(holder: Holder, so: &str) -> String {
    match holder {
        Holder::Event => format!("an event owns its data, so it {so}"),
        Holder::State => format!("a state owns what it holds, so it {so}"),
    }
}

/// The only type that a type of the standard library is of. Another type of its name may stand in
/// another module: it is the user's own.
fn owned_argument(path: &Path, module: &str) -> Option<Type> {
    let last = path.segments.last()?;
    let before = path.segments.iter().rev().nth(1);
    if before.is_some_and(|before| before.ident != module) {
        return None;
    }
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    let is_static = |it: &GenericArgument| matches!(it, GenericArgument::Lifetime(lifetime) if lifetime.ident == "static");
    if arguments.args.iter().any(is_static) {
        return None;
    }
    match arguments.args.last()? {
        GenericArgument::Type(inner) => Some(inner.clone()),
        _ => None,
    }
}

/// `str` as `String`, `[T]` as `Vec<T>`.
fn sized(ty: &Type) -> Option<(Span, Type)> {
    match ty {
        Type::Path(path) if path.qself.is_none() && path.path.is_ident("str") => {
            let span = path.path.get_ident().map(Ident::span)?;
            let string = Ident::new("String", span);
            Some((span, syn::parse_quote!(#string)))
        }
        Type::Slice(slice) => {
            let (span, elem) = (slice.bracket_token.span.open(), &slice.elem);
            let vec = Ident::new("Vec", span);
            Some((span, syn::parse_quote!(#vec<#elem>)))
        }
        _ => None,
    }
}

/// The types of the standard library that are borrowed, as those that own the same. A `Path` may be the
/// user's own, unless it is named as a whole.
fn sized_of_std(ty: &Type) -> Option<(Ident, Type)> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?.ident.clone();
    let owned = match &*names::path_text(path) {
        "std::path::Path" | "::std::path::Path" => "PathBuf",
        "OsStr" | "ffi::OsStr" | "std::ffi::OsStr" => "OsString",
        "CStr" | "ffi::CStr" | "std::ffi::CStr" => "CString",
        _ => return None,
    };
    let mut mended = path.clone();
    mended.path.segments.last_mut()?.ident = Ident::new(owned, last.span());
    Some((last, Type::Path(mended)))
}

/// `std::time::Instant`; otherwise it may be the user's own.
fn instant(ty: &Type) -> Option<Ident> {
    let Type::Path(path) = ty else { return None };
    let text = names::path_text(path);
    let known = [
        "std::time::Instant",
        "::std::time::Instant",
        "tokio::time::Instant",
    ];
    let last = path.path.segments.last()?;
    known.contains(&&*text).then(|| last.ident.clone())
}

/// What may point at a `str` or a `[T]`.
const POINTERS: [&str; 3] = ["Arc", "Box", "Cow"];

/// Whether all threads can share a trait object.
fn is_shared(bounds: &Punctuated<TypeParamBound, Token![+]>) -> bool {
    let has = |name: &str| {
        bounds.iter().any(|bound| match bound {
            TypeParamBound::Trait(bound) => bound.path.is_ident(name),
            _ => false,
        })
    };
    has("Send") && has("Sync")
}

impl VisitMut for Mender {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        let is_behind_pointer = self.is_behind_pointer;
        let inner = match ty {
            Type::Path(path) if path.qself.is_none() => self.owned_of(&path.path),
            _ => None,
        };
        (self.is_whole, self.is_behind_pointer) = (false, false);
        if let Some(inner) = inner {
            *ty = inner;
            if let Some((_, owned)) = sized(ty) {
                *ty = owned;
            }
            return self.visit_type_mut(ty);
        }
        if !is_behind_pointer && let Some((span, owned)) = sized(ty) {
            let written = match &*ty {
                Type::Slice(_) => "`[…]`",
                _ => "`str`",
            };
            let wrong = owns(self.holder, &format!("can't hold a bare {written}"));
            self.is(span, wrong, None);
            *ty = owned;
        }
        if !is_behind_pointer && let Some((name, owned)) = sized_of_std(ty) {
            let wrong = owns(self.holder, &format!("can't hold a bare `{name}`"));
            self.is(name.span(), wrong, None);
            *ty = owned;
        }
        let of_event = self.holder == Holder::Event;
        if of_event && let Some(instant) = instant(ty) {
            self.is(
                instant.span(),
                "an `Instant` means nothing to another process, so it can't be stored",
                Some("write `std::time::SystemTime`, or `chrono::DateTime<chrono::Utc>`"),
            );
            *ty = syn::parse_quote!(::std::time::SystemTime);
        }
        match ty {
            Type::Ptr(pointer) => {
                let wrong = owns(self.holder, "can't hold a pointer");
                self.is(pointer.star_token.span, wrong, None);
                *ty = (*pointer.elem).clone();
                if let Some((_, owned)) = sized(ty) {
                    *ty = owned;
                }
                self.visit_type_mut(ty);
            }
            // A state without snapshots may hold one.
            Type::FnPtr(function) if of_event => {
                self.is(
                    function.fn_token.span,
                    "a function can't be stored",
                    Some("hold what says which function it is, such as an enum"),
                );
                *ty = syn::parse_quote!(());
            }
            Type::TraitObject(object) if of_event || !is_shared(&object.bounds) => {
                let span = object.dyn_token.as_ref().map(|token| token.span);
                let span = span.unwrap_or_else(|| syn::spanned::Spanned::span(object));
                if of_event {
                    self.is(
                        span,
                        "a stored field has one type, known by name",
                        Some("write the type out"),
                    );
                } else {
                    self.is(
                        span,
                        "threads share a state, and a `dyn` type may not be shared",
                        Some("write the type out, or use an enum of all that it can be"),
                    );
                }
                *ty = syn::parse_quote!(());
            }
            // It is refused as a whole.
            Type::ImplTrait(_) => {}
            Type::Reference(reference) => {
                self.is_behind_pointer = true;
                self.visit_type_mut(&mut reference.elem);
            }
            Type::Path(path) => {
                let last = path.path.segments.last();
                let points = |last: &syn::PathSegment| POINTERS.iter().any(|it| last.ident == it);
                self.is_behind_pointer = last.is_some_and(points);
                visit_mut::visit_type_mut(self, ty);
            }
            _ => visit_mut::visit_type_mut(self, ty),
        }
        self.is_behind_pointer = false;
    }
}
