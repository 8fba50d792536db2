//! `Option`s of what JSON stores as `null`, which is `None` to whoever reads it.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{GenericArgument, PathArguments, Type, TypePath};

use super::std_type;
use crate::errors::Errors;
use crate::names;

/// Reports each such `Option` in the type of something that is stored.
pub(super) fn refuse(ty: &Type, errors: &mut Errors) {
    Finder { errors }.visit_type(ty);
}

struct Finder<'a> {
    errors: &'a mut Errors,
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_type_path(&mut self, path: &'ast TypePath) {
        if !std_type::is_holder(path) {
            return;
        }
        let Some(held) = held(path, "Option", "option") else {
            return visit::visit_type_path(self, path);
        };
        let held = bare(held);
        match held {
            Type::Path(path) if self::held(path, "Option", "option").is_some() => {
                let inner = innermost(held);
                let last = path.path.segments.last();
                self.errors.at(
                    last.map_or_else(|| path.span(), |last| last.ident.span()),
                    "JSON stores `Some(None)` as it stores `None`, so it is read as `None`",
                    format_args!(
                        "take an enum of your own, such as `enum Change {{ Keep, Clear, Set({}) }}`",
                        names::type_text(inner)
                    ),
                );
                self.visit_type(inner);
            }
            Type::Tuple(unit) if unit.elems.is_empty() => self.errors.on(
                unit,
                "JSON stores `Some(())` as it stores `None`, so it is read as `None`",
                "write `bool` for this `Option`",
            ),
            Type::Path(path) if is_json(path) => self.errors.on(
                path,
                "JSON stores `Some(Value::Null)` as it stores `None`, so it is read as `None`",
                "write it without `Option`: that there is none, `Null` says as well",
            ),
            held => self.visit_type(held),
        }
    }
}

/// What a type of the standard library holds, if it is called so.
fn held<'a>(path: &'a TypePath, name: &str, module: &str) -> Option<&'a Type> {
    if !std_type::is_path(path, name, module) {
        return None;
    }
    let PathArguments::AngleBracketed(arguments) = &path.path.segments.last()?.arguments else {
        return None;
    };
    match arguments.args.first()? {
        GenericArgument::Type(ty) if arguments.args.len() == 1 => Some(ty),
        _ => None,
    }
}

/// A type without what serde stores as if it weren't there.
fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Paren(inner) => bare(&inner.elem),
        Type::Group(inner) => bare(&inner.elem),
        Type::Path(path) => {
            let pointed = held(path, "Box", "boxed").or_else(|| held(path, "Arc", "sync"));
            pointed.map_or(ty, bare)
        }
        _ => ty,
    }
}

/// What `Option`s within each other hold.
fn innermost(ty: &Type) -> &Type {
    match bare(ty) {
        Type::Path(path) => held(path, "Option", "option").map_or(ty, innermost),
        _ => ty,
    }
}

/// Whether it certainly is serde's type of any JSON. A `Value` may be the user's own.
fn is_json(path: &TypePath) -> bool {
    let text = names::path_text(path);
    let text = text.trim_start_matches("::");
    text == "serde_json::Value" || text == "serde_json::value::Value"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(ty: &str) -> usize {
        let mut errors = Errors::default();
        refuse(&syn::parse_str(ty).unwrap(), &mut errors);
        errors.count()
    }

    #[test]
    fn what_json_stores_as_null_is_refused_in_an_option() {
        for ty in [
            "Option<Option<i64>>",
            "&Option<(Option<i64>)>",
            "core::option::Option<Box<Option<i64>>>",
            "Option<std::sync::Arc<Option<Option<i64>>>>",
            "Vec<(i64, HashMap<String, Option<()>>)>",
            "Option<serde_json::Value>",
            "[Option<::serde_json::value::Value>; 2]",
        ] {
            assert_eq!(refused(ty), 1, "{ty}");
        }
        assert_eq!(refused("(Option<()>, Option<Option<Option<()>>>)"), 2);
    }

    #[test]
    fn what_is_or_may_be_told_from_none_is_left_alone() {
        for ty in [
            "Option<i64>",
            "Option<Vec<Option<i64>>>",
            "Option<(Option<i64>, ())>",
            "Option<HashMap<String, Option<i64>>>",
            "Option<Value>",
            "Option<json::Value>",
            "Option<my::Option<i64>>",
            "Own<Option<Option<i64>>>",
            "serde_json::Value",
            "Option<>",
        ] {
            assert_eq!(refused(ty), 0, "{ty}");
        }
    }
}
