//! Maps that JSON has no form for: those whose keys are neither text nor numbers, as far as it shows in
//! the types. serde would say so when the first of them is saved.

use syn::visit::{self, Visit};
use syn::{GenericArgument, PathArguments, Type, TypePath};

use super::std_type;
use crate::errors::Errors;
use crate::names;

/// Reports each such map in the type of something that is stored.
pub(super) fn refuse(ty: &Type, errors: &mut Errors) {
    Finder { errors }.visit_type(ty);
}

struct Finder<'a> {
    errors: &'a mut Errors,
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_type_path(&mut self, path: &'ast TypePath) {
        if let Some((key, value)) = entry(path)
            && is_compound(key)
        {
            let pair = format!("({}, {})", names::type_text(key), names::type_text(value));
            self.errors.on(
                key,
                "JSON has no form for a map with such a key, so it can't be stored",
                format_args!("write `Vec<{pair}>`, or take text or a number as the key"),
            );
        }
        if std_type::is_holder(path) {
            visit::visit_type_path(self, path);
        }
    }
}

/// The types of keys and values, if it is a map of the standard library.
fn entry(path: &TypePath) -> Option<(&Type, &Type)> {
    let is_map = ["HashMap", "BTreeMap"]
        .iter()
        .any(|name| std_type::is_path(path, name, "collections"));
    if !is_map {
        return None;
    }
    let last = path.path.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    let mut types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    });
    Some((types.next()?, types.next()?))
}

/// Types that have no form as a key, whatever is in them. Of an `Option`, a `Some` has one, and a `None`
/// has none.
const COMPOUND: [&str; 7] = [
    "BTreeMap", "BTreeSet", "HashMap", "HashSet", "Option", "Vec", "VecDeque",
];

/// Whether a type is a list or its like.
fn is_compound(ty: &Type) -> bool {
    match ty {
        Type::Tuple(_) | Type::Array(_) => true,
        Type::Path(path) => {
            let last = path.path.segments.last();
            std_type::is_holder(path)
                && last.is_some_and(|last| {
                    COMPOUND.iter().any(|name| last.ident == name)
                        && matches!(last.arguments, PathArguments::AngleBracketed(_))
                })
        }
        _ => false,
    }
}
