//! What the functions of both macros share: receivers, parameters, and what a signature may not
//! have.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{
    Attribute, FnArg, GenericParam, Pat, PatType, Receiver, ReturnType, Signature, Token, Type,
};

use super::borrowed;
use super::items::Function;
use super::unfit::{self, Holder, Unfit};
use crate::errors::Errors;
use crate::model::Parameter;
use crate::names;

/// How a function takes `self`.
#[derive(PartialEq, Eq, Clone, Copy)]
pub(crate) enum SelfKind {
    /// `&self`.
    Shared,
    /// `&mut self`.
    Mutable,
    /// By value, or by a type of its own.
    Other,
    /// Not at all.
    None,
}

/// How a signature takes `self`, and where it says so.
pub(crate) fn receiver(sig: &Signature) -> (SelfKind, Span) {
    let Some(FnArg::Receiver(receiver)) = sig.inputs.first() else {
        return (SelfKind::None, sig.ident.span());
    };
    (self_kind(receiver), receiver.span())
}

pub(crate) fn self_kind(receiver: &Receiver) -> SelfKind {
    // Of a lifetime it is said where the function declares it.
    let written = receiver.to_token_stream().into_iter();
    let words: Vec<String> = written.map(|token| token.to_string()).collect();
    match &words.iter().map(String::as_str).collect::<Vec<&str>>()[..] {
        ["&", "self"] | ["&", "'", _, "self"] | ["self", ":", "&", "Self"] => SelfKind::Shared,
        ["&", "mut", "self"] | ["&", "'", _, "mut", "self"] | ["self", ":", "&", "mut", "Self"] => {
            SelfKind::Mutable
        }
        _ => SelfKind::Other,
    }
}

/// Refuses `unsafe`, `extern` and `...`, which neither an event, a command nor a function of a
/// projection can have; answers whether there were none.
pub(crate) fn refuse_qualifiers(sig: &Signature, what: &str, errors: &mut Errors) -> bool {
    let before = [
        sig.abi.as_ref().map(|abi| (abi.span(), "extern")),
        match &sig.safety {
            syn::Safety::Unsafe(token) => Some((token.span, "unsafe")),
            syn::Safety::Safe(token) => Some((token.span, "safe")),
            _ => None,
        },
    ];
    let mut sound = true;
    for (span, word) in before.into_iter().flatten() {
        errors.at(
            span,
            format_args!("{what} can't be `{word}`"),
            format_args!("remove `{word}`"),
        );
        sound = false;
    }
    if let Some(variadic) = &sig.variadic {
        errors.at(
            variadic.span(),
            format_args!("{what} can't take `...`"),
            "remove it",
        );
        sound = false;
    }
    sound
}

/// Refuses generic parameters and `where` clauses; answers whether there were none.
pub(crate) fn refuse_generics(
    sig: &Signature,
    what: &str,
    mend: &str,
    errors: &mut Errors,
) -> bool {
    let generics = &sig.generics;
    match (generics.params.first(), &generics.where_clause) {
        (Some(GenericParam::Lifetime(lifetime)), _) => {
            let (span, name) = (lifetime.span(), &lifetime.lifetime);
            errors.at(
                span,
                format_args!("{what} has no lifetimes"),
                format_args!("remove `{name}`, and write `&` for `&{name}`"),
            );
        }
        (Some(parameter), _) => errors.at(
            parameter.span(),
            format_args!("{what} has no generic parameters"),
            mend,
        ),
        (None, Some(clause)) => errors.at(
            clause.where_token.span,
            format_args!("{what} has no generic parameters, so it bounds none"),
            "remove the `where`",
        ),
        (None, None) => return true,
    }
    false
}

/// Whether all generic parameters are lifetimes.
pub(crate) fn has_only_lifetimes(sig: &Signature) -> bool {
    let mut params = sig.generics.params.iter();
    params.all(|it| matches!(it, GenericParam::Lifetime(_)))
}

/// A parameter, and what was written for it.
pub(crate) struct Declared {
    pub(crate) parameter: Parameter,
    pub(crate) ty: Type,
    pub(crate) attrs: Vec<Attribute>,
    /// Whether its name is known.
    pub(crate) is_named: bool,
}

impl Declared {
    fn of(typed: &PatType, ident: Ident, is_named: bool) -> Self {
        let (pat, ty) = (&typed.pat, &typed.ty);
        Self {
            parameter: Parameter {
                ident,
                declared: quote!(#pat: #ty),
                ty: ty.to_token_stream(),
            },
            ty: (**ty).clone(),
            attrs: typed.attrs.clone(),
            is_named,
        }
    }
}

const PLAIN_NAME: &str = "a parameter here is a plain name";

/// The parameters behind `self`, each a plain name. What is wrong is mended in the signature as well, as
/// far as a name is known; the pattern of another one stays there, and has a name that nobody sees.
pub(crate) fn parameters(function: &mut Function, errors: &mut Errors) -> Vec<Declared> {
    let mut parameters: Vec<Declared> = Vec::new();
    let mut inputs: Punctuated<FnArg, Token![,]> = Punctuated::new();
    for argument in std::mem::take(&mut function.sig.inputs) {
        let FnArg::Typed(mut typed) = argument else {
            inputs.push(argument);
            continue;
        };
        let (ident, is_named) = match plain_name(&typed.pat) {
            Some(ident) => (ident.clone(), true),
            None => {
                let named = named_pattern(&typed.pat);
                let mend = match &named {
                    Some(ident) => format!("write `{ident}: {}`", names::type_text(&typed.ty)),
                    None => format!(
                        "write `name: {}`, and take the value apart in the body",
                        names::type_text(&typed.ty)
                    ),
                };
                errors.at(typed.pat.span(), PLAIN_NAME, mend);
                match named {
                    Some(ident) => {
                        *typed.pat = syn::parse_quote!(#ident);
                        (ident, true)
                    }
                    None => {
                        let unseen = format!("parameter_{}", parameters.len());
                        (names::local(&unseen), false)
                    }
                }
            }
        };
        if parameters.iter().any(|twin| twin.parameter.ident == ident) {
            errors.at(
                ident.span(),
                format_args!("the parameter `{ident}` is declared twice"),
                "remove it, or give it another name",
            );
            continue;
        }
        parameters.push(Declared::of(&typed, ident, is_named));
        inputs.push(FnArg::Typed(typed));
    }
    function.sig.inputs = inputs;
    parameters
}

/// Takes apart tuples among the parameters of an event, so that each field has its name.
pub(crate) fn take_tuples_apart(function: &mut Function, errors: &mut Errors) {
    let mut inputs: Punctuated<FnArg, Token![,]> = Punctuated::new();
    for argument in std::mem::take(&mut function.sig.inputs) {
        let parts = match &argument {
            FnArg::Typed(typed) => parts(typed),
            FnArg::Receiver(_) => None,
        };
        match (parts, argument) {
            (Some(parts), FnArg::Typed(typed)) => {
                let written = |(pat, ty): &(Pat, Type)| {
                    format!("{}: {}", names::path_text(pat), names::type_text(ty))
                };
                let fields: Vec<String> = parts.iter().map(written).collect();
                errors.at(
                    typed.pat.span(),
                    PLAIN_NAME,
                    format_args!("write `{}`", fields.join(", ")),
                );
                let fields = parts
                    .into_iter()
                    .map(|(pat, ty)| syn::parse_quote!(#pat: #ty));
                inputs.extend::<Vec<FnArg>>(fields.collect());
            }
            (_, argument) => inputs.push(argument),
        }
    }
    function.sig.inputs = inputs;
}

/// The fields in `(amount, fee): (i64, i64)`.
fn parts(typed: &PatType) -> Option<Vec<(Pat, Type)>> {
    let (Pat::Tuple(pat), Type::Tuple(ty)) = (&*typed.pat, &*typed.ty) else {
        return None;
    };
    let parts = pat.elems.iter().zip(&ty.elems);
    let named: Vec<(Pat, Type)> = parts
        .filter(|(pat, _)| plain_name(pat).is_some())
        .map(|(pat, ty)| (pat.clone(), ty.clone()))
        .collect();
    (pat.elems.len() == ty.elems.len() && !named.is_empty()).then_some(named)
}

/// Mends `fn deposited(account: &mut Account, …)`, where `self` goes by another name; answers whether
/// it was so. What the body does with that name is lost.
pub(crate) fn mend_receiver(
    function: &mut Function,
    state: &Ident,
    receiver: &str,
    errors: &mut Errors,
) -> bool {
    let sig = &mut function.sig;
    let Some(FnArg::Typed(typed)) = sig.inputs.first() else {
        return false;
    };
    let of = match &*typed.ty {
        Type::Reference(reference) => &*reference.elem,
        other => other,
    };
    let is_state =
        matches!(of, Type::Path(path) if path.path.is_ident("Self") || path.path.is_ident(state));
    let Some(name) = plain_name(&typed.pat).filter(|_| is_state) else {
        return false;
    };
    errors.on(
        typed,
        format_args!("the function `{}` is a method of `{state}`", sig.ident),
        format_args!("write `{receiver}`, and `self` for `{name}` in the body"),
    );
    if let (Some(first), Ok(mended)) = (sig.inputs.first_mut(), syn::parse_str(receiver)) {
        *first = mended;
    }
    true
}

fn plain_name(pat: &Pat) -> Option<&Ident> {
    match pat {
        Pat::Ident(pat) if pat.subpat.is_none() && pat.by_ref.is_none() => Some(&pat.ident),
        _ => None,
    }
}

/// The name in `ref amount` and `amount @ _`.
fn named_pattern(pat: &Pat) -> Option<Ident> {
    match pat {
        Pat::Ident(pat) => Some(pat.ident.clone()),
        _ => None,
    }
}

/// A parameter as a field that is stored.
pub(crate) struct Owned {
    /// The field's type.
    pub(crate) stored: TokenStream,
    pub(crate) by_reference: bool,
    /// What the function takes instead of what was written, after a mistake.
    pub(crate) mended: Option<TokenStream>,
}

/// The type a field has when a function takes it as `ty`: `&str` is a `String`, `&[T]` a `Vec<T>`,
/// `&T` a `T`. `None` when no type could be stored in its place.
pub(crate) fn owned(ty: &Type, errors: &mut Errors) -> Option<Owned> {
    let before = errors.count();
    let (mut inner, by_reference) = match ty {
        Type::Reference(reference) => {
            lent(reference, errors);
            ((*reference.elem).clone(), true)
        }
        other => (other.clone(), false),
    };
    misfit(&mut inner, by_reference, errors);
    let mut finder = NotStorable::default();
    finder.visit_type(&inner);
    let mut stored = as_stored(&inner, by_reference);
    if let Some(found) = finder.found {
        let NotStored { span, wrong, mend } = found;
        match mend {
            Some(mend) => errors.at(span, wrong, mend),
            None => errors.at(
                span,
                wrong,
                format_args!("write {}", lent_as(&stored, by_reference)),
            ),
        }
        let text = stored.to_string();
        stored = if text.starts_with("impl") && (text.contains("str") || text.contains("String")) {
            // `impl AsRef<str>` and its like.
            quote!(::std::string::String)
        } else {
            borrowed::owned(stored, &[])
        };
        let mut left = Lifetimes::default();
        left.visit_type(&syn::parse2(stored.clone()).unwrap_or(inner));
        if !left.0.is_empty() {
            // A type that borrows as serde reads it is refused in places of its own.
            stored = quote!(());
        }
        let names_one = |ty: &Type| {
            let mut again = NotStorable::default();
            again.visit_type(ty);
            again.found.is_none()
        };
        if !syn::parse2::<Type>(stored.clone()).is_ok_and(|ty| names_one(&ty)) {
            return None;
        }
    }
    let mended = (errors.count() > before).then(|| match by_reference {
        true => quote!(&#stored),
        false => stored.clone(),
    });
    Some(Owned {
        stored,
        by_reference,
        mended,
    })
}

/// The stored type of what a function takes, or borrows.
fn as_stored(ty: &Type, by_reference: bool) -> TokenStream {
    match ty {
        Type::Path(path) if by_reference && path.path.is_ident("str") => {
            quote!(::std::string::String)
        }
        Type::Slice(slice) if by_reference => {
            let elem = &slice.elem;
            quote!(::std::vec::Vec<#elem>)
        }
        other => other.to_token_stream(),
    }
}

/// Refuses what a reference to a field can't say: that it changes the field, or how long it lives.
fn lent(reference: &syn::TypeReference, errors: &mut Errors) {
    if let Some(mutable) = &reference.mutability {
        errors.at(
            mutable.span(),
            "an event has happened, so its fields can't be changed",
            "take the field by `&`, or by value",
        );
    }
    if let Some(lifetime) = &reference.lifetime {
        errors.at(
            lifetime.span(),
            format_args!("an event owns its data, so no field of it lives for `{lifetime}`"),
            format_args!("write `&{}`", names::type_text(&reference.elem)),
        );
    }
}

/// Refuses a type that no event can hold, and mends it.
fn misfit(inner: &mut Type, by_reference: bool, errors: &mut Errors) {
    let Some(Unfit { span, wrong, mend }) = unfit::mend(inner, Holder::Event, by_reference) else {
        return;
    };
    let text = names::type_text(inner);
    match mend {
        Some(mend) => errors.at(span, wrong, mend),
        None if by_reference && text == "String" => errors.at(span, wrong, "write `&str`"),
        None if by_reference => errors.at(span, wrong, format_args!("write `&{text}`")),
        None => errors.at(span, wrong, format_args!("write `{text}`")),
    }
}

/// All lifetimes in a type.
#[derive(Default)]
struct Lifetimes(Vec<Ident>);

impl<'ast> Visit<'ast> for Lifetimes {
    fn visit_lifetime(&mut self, lifetime: &'ast syn::Lifetime) {
        self.0.push(lifetime.ident.clone());
    }
}

/// A reference in a field, as it is to be written.
fn lent_as(stored: &TokenStream, by_reference: bool) -> String {
    let owned = names::type_text(&borrowed::owned(stored.clone(), &[]));
    let items = owned
        .strip_prefix("Vec<")
        .and_then(|it| it.strip_suffix('>'));
    let items = items.or_else(|| owned.strip_prefix("::std::vec::Vec<")?.strip_suffix('>'));
    match (&*owned, items) {
        ("String", _) => "`&str`".to_owned(),
        (_, Some(items)) if by_reference => format!("`&[{items}]`"),
        (_, Some(items)) => format!("`{owned}`, or `&[{items}]`"),
        _ => format!("`&{owned}`"),
    }
}

/// Finds what the type of a stored field can't have.
#[derive(Default)]
struct NotStorable {
    found: Option<NotStored>,
}

/// What a stored field can't have.
struct NotStored {
    span: Span,
    wrong: &'static str,
    /// What to do, when it isn't to write the type without its references.
    mend: Option<&'static str>,
}

impl NotStorable {
    fn is(&mut self, span: Span, wrong: &'static str, mend: impl Into<Option<&'static str>>) {
        let mend = mend.into();
        self.found.get_or_insert(NotStored { span, wrong, mend });
    }
}

impl<'ast> Visit<'ast> for NotStorable {
    fn visit_type_reference(&mut self, reference: &'ast syn::TypeReference) {
        self.is(
            reference.and_token.span,
            "a stored field can't hold a reference",
            None,
        );
    }

    fn visit_type_impl_trait(&mut self, ty: &'ast syn::TypeImplTrait) {
        self.is(
            ty.impl_token.span,
            "a stored field has one type, known by name",
            "write the type out",
        );
    }

    fn visit_type_infer(&mut self, ty: &'ast syn::TypeInfer) {
        self.is(
            ty.underscore_token.span,
            "a stored field has one type, known by name",
            "write the type out",
        );
    }

    fn visit_lifetime(&mut self, lifetime: &'ast syn::Lifetime) {
        if lifetime.ident != "static" {
            self.is(
                lifetime.span(),
                "a stored field can't hold a borrow",
                "use a type that owns its data",
            );
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if let Some(first) = path.segments.first()
            && first.ident == "Self"
        {
            self.is(
                first.ident.span(),
                "`Self` would be the enum of events here",
                "write the type's name",
            );
        }
        visit::visit_path(self, path);
    }
}

/// The return type, if there is one.
pub(crate) fn return_type(sig: &Signature) -> Option<&Type> {
    match &sig.output {
        ReturnType::Default => None,
        ReturnType::Type(_, ty) => Some(ty),
    }
}
