//! Borrows in what has to own its data: a state, a row, an event's field. They are refused where
//! they stand, and the types that own the same go out instead, so that rustc has nothing to add.
//! What a state can't hold for other reasons goes the same way.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::visit::{self, Visit};
use syn::{Field, GenericParam, Type};

use super::items::Data;
use super::unfit::{self, Holder, Unfit};
use crate::errors::Errors;
use crate::names;

/// Refuses what the fields of a state can't hold; answers whether all can stay as it was written.
pub(super) fn refuse_in_state(data: &mut Data, errors: &mut Errors) -> bool {
    let before = errors.count();
    for field in fields(data) {
        let mut ty = field.ty.clone();
        if let Some(Unfit { span, wrong, mend }) = unfit::mend(&mut ty, Holder::State, false) {
            match mend {
                Some(mend) => errors.at(span, wrong, mend),
                None => {
                    let owned = owned(ty.to_token_stream(), &[]);
                    errors.at(
                        span,
                        wrong,
                        format_args!("write `{}`", names::type_text(&owned)),
                    );
                }
            }
            field.ty = ty;
        }
    }
    let sound = errors.count() == before;
    refuse_borrows(data, "a state", errors, before) && sound
}

/// Refuses what the fields of a struct borrow; `what` is the struct's role, as in "a row". Answers
/// whether it borrows nothing.
pub(super) fn refuse(data: &mut Data, what: &str, errors: &mut Errors) -> bool {
    let before = errors.count();
    refuse_borrows(data, what, errors, before)
}

fn refuse_borrows(data: &mut Data, what: &str, errors: &mut Errors, before: usize) -> bool {
    let lifetimes = take_lifetimes(data);
    for field in fields(data) {
        let mut finder = Borrow::default();
        finder.visit_type(&field.ty);
        if finder.0.is_none() && lifetimes.is_empty() {
            continue;
        }
        let Ok(owned) = syn::parse2::<Type>(owned(field.ty.to_token_stream(), &lifetimes)) else {
            continue;
        };
        if let Some(span) = finder.0 {
            errors.at(
                span,
                format_args!("{what} owns what it holds, so it can't hold a reference"),
                format_args!("write `{}`", names::type_text(&owned)),
            );
        }
        field.ty = owned;
    }
    if let Some(lifetime) = lifetimes.first()
        && errors.count() == before
    {
        errors.at(
            lifetime.span(),
            format_args!("{what} owns what it holds, so it has no lifetimes"),
            "remove it, and use types that own their data",
        );
    }
    errors.count() == before && lifetimes.is_empty()
}

/// Takes the lifetimes out of the generic parameters.
fn take_lifetimes(data: &mut Data) -> Vec<Ident> {
    let generics = data.generics_mut();
    let (lifetimes, others): (Vec<_>, Vec<_>) = std::mem::take(&mut generics.params)
        .into_iter()
        .partition(|parameter| matches!(parameter, GenericParam::Lifetime(_)));
    generics.params = others.into_iter().collect();
    if generics.params.is_empty() {
        (generics.lt_token, generics.gt_token) = (None, None);
    }
    let name = |parameter| match parameter {
        GenericParam::Lifetime(lifetime) => Some(lifetime.lifetime.ident),
        _ => None,
    };
    lifetimes.into_iter().filter_map(name).collect()
}

fn fields(data: &mut Data) -> Vec<&mut Field> {
    match data {
        Data::Struct(item) => item.fields.iter_mut().collect(),
        Data::Enum(item) => {
            let variants = item.variants.iter_mut();
            variants.flat_map(|it| it.fields.iter_mut()).collect()
        }
    }
}

/// The first reference that isn't `'static`.
#[derive(Default)]
struct Borrow(Option<Span>);

impl<'ast> Visit<'ast> for Borrow {
    fn visit_type_reference(&mut self, reference: &'ast syn::TypeReference) {
        let of = reference.lifetime.as_ref();
        if of.is_none_or(|lifetime| lifetime.ident != "static") {
            self.0.get_or_insert(reference.and_token.span);
        }
        visit::visit_type_reference(self, reference);
    }
}

/// A type without its references: `&str` as `String`, `&[T]` as `Vec<T>`, `&T` as `T`. Lifetimes
/// that are not declared any more become `'static`.
pub(super) fn owned(ty: TokenStream, lifetimes: &[Ident]) -> TokenStream {
    let mut owned = TokenStream::new();
    let mut tokens = ty.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '&' => {
                if matches!(tokens.peek(), Some(TokenTree::Punct(quote)) if quote.as_char() == '\'')
                {
                    let (quote, lifetime) = (tokens.next(), tokens.next());
                    if matches!(&lifetime, Some(TokenTree::Ident(name)) if *name == "static") {
                        owned.extend([TokenTree::Punct(punct)]);
                        owned.extend(quote.into_iter().chain(lifetime));
                        owned.extend(tokens.next());
                        continue;
                    }
                }
                tokens.next_if(|next| matches!(next, TokenTree::Ident(word) if *word == "mut"));
                match tokens.peek() {
                    Some(TokenTree::Ident(word)) if *word == "str" => {
                        owned.extend(quote_spanned!(word.span()=> String));
                        tokens.next();
                    }
                    Some(TokenTree::Group(slice)) if slice.delimiter() == Delimiter::Bracket => {
                        let elem = self::owned(slice.stream(), lifetimes);
                        owned.extend(quote_spanned!(slice.span()=> Vec<#elem>));
                        tokens.next();
                    }
                    _ => {}
                }
            }
            TokenTree::Ident(name) if lifetimes.contains(&name) => {
                owned.extend([TokenTree::Ident(Ident::new("static", name.span()))]);
            }
            TokenTree::Group(group) => {
                let inner = self::owned(group.stream(), lifetimes);
                owned.extend([TokenTree::Group(Group::new(group.delimiter(), inner))]);
            }
            other => owned.extend([other]),
        }
    }
    owned
}
