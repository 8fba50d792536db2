//! Arrays that serde has no implementation for. rustc would advise to derive one.

use proc_macro2::Ident;
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{Expr, ExprLit, Lit, Type};

use super::std_type;
use crate::errors::Errors;
use crate::names;

/// The longest array that serde knows.
const LONGEST: u64 = 32;

/// Reports each longer array whose length is written out, and makes a list of it. Answers whether there
/// was one.
pub(super) fn shorten(ty: &mut Type, errors: &mut Errors) -> bool {
    let before = errors.count();
    Shortener { errors }.visit_type_mut(ty);
    errors.count() > before
}

struct Shortener<'a> {
    errors: &'a mut Errors,
}

impl VisitMut for Shortener<'_> {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        if matches!(&*ty, Type::Path(path) if !std_type::is_holder(path)) {
            return;
        }
        visit_mut::visit_type_mut(self, ty);
        let Type::Array(array) = ty else { return };
        let Expr::Lit(ExprLit {
            lit: Lit::Int(length),
            ..
        }) = &array.len
        else {
            return;
        };
        if length.base10_parse::<u64>().is_ok_and(|it| it <= LONGEST) {
            return;
        }
        let elem = &array.elem;
        let vec = Ident::new("Vec", array.bracket_token.span.span());
        let list: Type = syn::parse_quote!(#vec<#elem>);
        self.errors.at(
            length.span(),
            format_args!("serde stores arrays of up to {LONGEST} elements"),
            format_args!("write `{}`", names::type_text(&list)),
        );
        *ty = list;
    }
}
