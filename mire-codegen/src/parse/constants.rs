//! Constant parameters of a struct that may have none: a value stands for them, since an array has no
//! `Default` for any length.

use proc_macro2::Ident;
use syn::visit_mut::{self, VisitMut};
use syn::{GenericParam, Type};

use super::items::Data;
use crate::names;

/// Puts a value in the place of each constant parameter.
pub(super) fn take(data: &mut Data) {
    let params = std::mem::take(&mut data.generics_mut().params);
    let (constants, others): (Vec<_>, Vec<_>) = params
        .into_iter()
        .partition(|it| matches!(it, GenericParam::Const(_)));
    data.generics_mut().params = others.into_iter().collect();
    for parameter in constants {
        let GenericParam::Const(parameter) = parameter else {
            continue;
        };
        let mut value = Valued {
            name: parameter.ident,
            value: match &*names::type_text(&parameter.ty) {
                "bool" => syn::parse_quote!(false),
                "char" => syn::parse_quote!(' '),
                _ => syn::parse_quote!(0),
            },
        };
        match data {
            Data::Struct(item) => value.visit_item_struct_mut(item),
            Data::Enum(item) => value.visit_item_enum_mut(item),
        }
    }
}

/// Writes a value for a name.
struct Valued {
    name: Ident,
    value: syn::Expr,
}

impl VisitMut for Valued {
    fn visit_expr_mut(&mut self, expr: &mut syn::Expr) {
        match expr {
            syn::Expr::Path(path) if path.path.is_ident(&self.name) => *expr = self.value.clone(),
            _ => visit_mut::visit_expr_mut(self, expr),
        }
    }

    fn visit_generic_argument_mut(&mut self, argument: &mut syn::GenericArgument) {
        match argument {
            syn::GenericArgument::Type(Type::Path(path)) if path.path.is_ident(&self.name) => {
                *argument = syn::GenericArgument::Const(self.value.clone());
            }
            _ => visit_mut::visit_generic_argument_mut(self, argument),
        }
    }
}
