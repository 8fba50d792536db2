//! Types of the standard library, as far as they are written by their names. One of the same name in
//! another module is the user's own, and stored in whatever way.

use syn::{Type, TypePath};

/// Types that are stored as what they hold is, and the modules that they are in.
const HOLDERS: [(&str, &str); 11] = [
    ("Arc", "sync"),
    ("BTreeMap", "collections"),
    ("BTreeSet", "collections"),
    ("Box", "boxed"),
    ("Cow", "borrow"),
    ("HashMap", "collections"),
    ("HashSet", "collections"),
    ("Option", "option"),
    ("Rc", "rc"),
    ("Vec", "vec"),
    ("VecDeque", "collections"),
];

/// Types that are never read from nothing, without a module.
const PLAIN: [&str; 16] = [
    "String", "bool", "char", "f32", "f64", "i128", "i16", "i32", "i64", "i8", "str", "u128",
    "u16", "u32", "u64", "u8",
];

/// Whether a path names a type of the standard library.
pub(super) fn is_path(path: &TypePath, name: &str, module: &str) -> bool {
    let mut segments = path.path.segments.iter().rev();
    let is_called = segments.next().is_some_and(|last| last.ident == name);
    is_called && segments.next().is_none_or(|it| it.ident == module)
}

/// [`is_path`], of any type.
pub(super) fn is(ty: &Type, name: &str, module: &str) -> bool {
    matches!(ty, Type::Path(path) if is_path(path, name, module))
}

/// Whether what a type holds is stored in the standard library's way.
pub(super) fn is_holder(path: &TypePath) -> bool {
    HOLDERS
        .iter()
        .any(|(name, module)| is_path(path, name, module))
}

/// Whether serde certainly reads no value of a type where there is none.
pub(super) fn is_no_option(ty: &Type) -> bool {
    match ty {
        Type::Reference(inner) => is_no_option(&inner.elem),
        Type::Paren(inner) => is_no_option(&inner.elem),
        Type::Group(inner) => is_no_option(&inner.elem),
        Type::Slice(_) | Type::Array(_) => true,
        Type::Path(path) => {
            let is_list = is_holder(path)
                && ["Arc", "Box", "Cow", "Option", "Rc"].iter().all(|pointer| {
                    path.path
                        .segments
                        .last()
                        .is_some_and(|it| it.ident != pointer)
                });
            is_list || PLAIN.iter().any(|name| path.path.is_ident(name))
        }
        _ => false,
    }
}
