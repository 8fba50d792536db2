//! What the macros know of the runtime is so. This library knows no runtime crate, so both sources are
//! read here.

use std::fs;
use std::path::Path;

/// A source file of the workspace.
fn source(path: &str) -> syn::File {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}; if it moved, name its new place here",
            path.display()
        )
    });
    syn::parse_file(&text).unwrap()
}

/// The value of a constant: its number, or its texts, sorted.
fn constant(path: &str, name: &str) -> Vec<String> {
    let file = source(path);
    let mut values = values(&file, name)
        .unwrap_or_else(|| panic!("{path} has no constant `{name}`; if it moved, say so here"));
    values.sort();
    values
}

fn values(file: &syn::File, name: &str) -> Option<Vec<String>> {
    let value = file.items.iter().find_map(|item| match item {
        syn::Item::Const(item) if item.ident == name => Some(&*item.expr),
        _ => None,
    })?;
    let elements = match value {
        syn::Expr::Array(array) => array.elems.iter().collect(),
        single => vec![single],
    };
    let mut values = Vec::new();
    for element in elements {
        match element {
            syn::Expr::Lit(literal) => values.push(match &literal.lit {
                syn::Lit::Str(text) => text.value(),
                syn::Lit::Int(number) => number.base10_digits().to_owned(),
                _ => return None,
            }),
            syn::Expr::Path(path) => {
                values.extend(self::values(file, &path.path.get_ident()?.to_string())?);
            }
            _ => return None,
        }
    }
    Some(values)
}

#[test]
fn the_roots_methods_are_known() {
    let mut methods: Vec<String> = Vec::new();
    for item in source("mire/src/aggregate.rs").items {
        let syn::Item::Impl(item) = item else {
            continue;
        };
        let on_root = matches!(&*item.self_ty, syn::Type::Path(path)
            if path.path.segments.last().is_some_and(|last| last.ident == "AggregateRoot"));
        if item.trait_.is_some() || !on_root {
            continue;
        }
        for item in item.items {
            if let syn::ImplItem::Fn(function) = item
                && matches!(function.vis, syn::Visibility::Public(_))
                && function.sig.receiver().is_some()
            {
                methods.push(function.sig.ident.to_string());
            }
        }
    }
    methods.sort();
    let known = constant("mire-codegen/src/check/aggregate.rs", "OF_THE_ROOT");
    assert_eq!(methods, known);
}

#[test]
fn names_have_the_same_limits() {
    const MACRO: &str = "mire-codegen/src/names.rs";
    for (runtime, name) in [
        ("mire/src/stream.rs", "MAX_CATEGORY_BYTES"),
        ("mire/src/stream.rs", "RESERVED_PREFIX"),
        ("mire/src/table/version.rs", "RESERVED_PREFIX"),
        ("mire/src/table/version.rs", "RESERVED_TABLES"),
        ("mire/src/table/version.rs", "MAX_TABLE_BYTES"),
        ("mire/src/table/version.rs", "MAX_COLUMN_BYTES"),
        ("mire/src/table/version.rs", "SYSTEM_COLUMNS"),
    ] {
        assert_eq!(constant(MACRO, name), constant(runtime, name), "{name}");
    }

    // Something is put beside these, and there has to be room for it.
    let number = |path, name| constant(path, name)[0].parse::<usize>().unwrap();
    let event_type = number(MACRO, "MAX_CATEGORY_BYTES") + number(MACRO, "MAX_EVENT_NAME_BYTES");
    assert!(event_type + ".".len() <= number("mire/src/store/append.rs", "MAX_EVENT_TYPE_BYTES"));
    let version = "@0123abcd".len();
    let subscription = number(MACRO, "MAX_SUBSCRIPTION_BYTES");
    assert!(subscription + version <= number("mire/src/projection/settings.rs", "MAX_NAME_BYTES"));
}
