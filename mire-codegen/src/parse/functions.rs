//! What the functions of both macros share: receivers, parameters, and what a signature may not
//! have.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{FnArg, Pat, PatType, Receiver, ReturnType, Signature, Type};

use super::borrowed;
use super::items::Function;
use crate::errors::Errors;
use crate::model::Parameter;

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

fn self_kind(receiver: &Receiver) -> SelfKind {
    let written = receiver.to_token_stream().to_string();
    match written.split_whitespace().collect::<String>().as_str() {
        "&self" => SelfKind::Shared,
        "&mutself" => SelfKind::Mutable,
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
    let span = match (generics.params.first(), &generics.where_clause) {
        (Some(parameter), _) => parameter.span(),
        (None, Some(clause)) => clause.where_token.span,
        (None, None) => return true,
    };
    errors.at(span, format_args!("{what} has no generic parameters"), mend);
    false
}

/// The parameters behind `self`, each a plain name.
pub(crate) fn parameters<'a>(
    function: &'a Function,
    errors: &mut Errors,
) -> Vec<(Parameter, &'a PatType)> {
    let mut parameters: Vec<(Parameter, &PatType)> = Vec::new();
    for argument in &function.sig.inputs {
        let FnArg::Typed(typed) = argument else {
            continue;
        };
        let Some(ident) = plain_name(&typed.pat) else {
            errors.at(
                typed.pat.span(),
                "a parameter here is a plain name",
                "write `name: Type`, and take the value apart in the body",
            );
            continue;
        };
        if parameters.iter().any(|(twin, _)| twin.ident == *ident) {
            errors.at(
                ident.span(),
                format_args!("the parameter `{ident}` is declared twice"),
                "rename one of them",
            );
            continue;
        }
        let (pat, ty) = (&typed.pat, &typed.ty);
        let parameter = Parameter {
            ident: ident.clone(),
            declared: quote!(#pat: #ty),
            ty: ty.to_token_stream(),
        };
        parameters.push((parameter, typed));
    }
    parameters
}

fn plain_name(pat: &Pat) -> Option<&Ident> {
    match pat {
        Pat::Ident(pat) if pat.subpat.is_none() && pat.by_ref.is_none() => Some(&pat.ident),
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
    let mut mended = None;
    let (inner, stored, by_reference) = match ty {
        Type::Reference(reference) => {
            let inner = &*reference.elem;
            if let Some(mutable) = &reference.mutability {
                errors.at(
                    mutable.span(),
                    "an event has happened, so its fields can't be changed",
                    "take the field by `&`, or by value",
                );
                mended = Some(quote!(&#inner));
            }
            let stored = match inner {
                Type::Path(path) if path.path.is_ident("str") => {
                    quote!(::std::string::String)
                }
                Type::Slice(slice) => {
                    let elem = &slice.elem;
                    quote!(::std::vec::Vec<#elem>)
                }
                other => other.to_token_stream(),
            };
            (inner, stored, true)
        }
        other => (other, other.to_token_stream(), false),
    };
    let mut finder = NotStorable::default();
    finder.visit_type(inner);
    let Some((span, wrong, mend)) = finder.found else {
        return Some(Owned {
            stored,
            by_reference,
            mended,
        });
    };
    errors.at(span, wrong, mend);
    let text = stored.to_string();
    let stored = if text.starts_with("impl") && (text.contains("str") || text.contains("String")) {
        // `impl AsRef<str>` and its like.
        quote!(::std::string::String)
    } else {
        let mut lifetimes = Lifetimes::default();
        lifetimes.visit_type(inner);
        borrowed::owned(stored, &lifetimes.0)
    };
    let names_one = |ty: &Type| {
        let mut again = NotStorable::default();
        again.visit_type(ty);
        again.found.is_none()
    };
    if !syn::parse2::<Type>(stored.clone()).is_ok_and(|ty| names_one(&ty)) {
        return None;
    }
    let mended = if by_reference {
        quote!(&#stored)
    } else {
        stored.clone()
    };
    Some(Owned {
        stored,
        by_reference,
        mended: Some(mended),
    })
}

/// All lifetimes in a type.
#[derive(Default)]
struct Lifetimes(Vec<Ident>);

impl<'ast> Visit<'ast> for Lifetimes {
    fn visit_lifetime(&mut self, lifetime: &'ast syn::Lifetime) {
        self.0.push(lifetime.ident.clone());
    }
}

/// Finds what the type of a stored field can't have.
#[derive(Default)]
struct NotStorable {
    found: Option<(Span, &'static str, &'static str)>,
}

impl NotStorable {
    fn is(&mut self, span: Span, wrong: &'static str, mend: &'static str) {
        self.found.get_or_insert((span, wrong, mend));
    }
}

impl<'ast> Visit<'ast> for NotStorable {
    fn visit_type_reference(&mut self, reference: &'ast syn::TypeReference) {
        self.is(
            reference.and_token.span,
            "a stored field can't hold a reference",
            "take the whole field by reference, as in `&Option<String>`, and own what is in it",
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
