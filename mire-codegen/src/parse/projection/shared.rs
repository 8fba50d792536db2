//! The generic parameters of a projection that acts, which threads share.

use quote::ToTokens;
use syn::{TypeParam, TypeParamBound, WherePredicate};

use crate::errors::Errors;
use crate::names;
use crate::parse::items::Data;

/// Traits that say nothing of threads. Another one may require what is needed.
const SILENT: [&str; 16] = [
    "Clone",
    "Copy",
    "Debug",
    "Default",
    "Display",
    "Eq",
    "Fn",
    "FnMut",
    "FnOnce",
    "From",
    "Hash",
    "Into",
    "Ord",
    "PartialEq",
    "PartialOrd",
    "Sized",
];

/// Refuses a type parameter that threads can't share for certain, and takes it for one that they can.
pub(super) fn refuse_unshared(data: &mut Data, errors: &mut Errors) {
    let generics = data.generics_mut();
    let bounded = generics.where_clause.iter().flat_map(|it| &it.predicates);
    let bounded: Vec<String> = bounded
        .filter_map(|predicate| match predicate {
            WherePredicate::Type(bound) => Some(names::path_text(&bound.bounded_ty)),
            _ => None,
        })
        .collect();
    for parameter in generics.type_params_mut() {
        if bounded.contains(&names::text(&parameter.ident)) {
            continue;
        }
        let missing = missing(parameter);
        if missing.is_empty() {
            continue;
        }
        let ident = parameter.ident.clone();
        parameter.bounds.extend(missing);
        let bounds: Vec<String> = parameter.bounds.iter().map(names::type_text).collect();
        errors.at(
            ident.span(),
            format_args!("a projection that acts is shared by threads, and `{ident}` may be a type that can't be"),
            format_args!("write `{ident}: {}`", bounds.join(" + ")),
        );
    }
}

/// The bounds that a parameter lacks; none when one of its traits may require them.
fn missing(parameter: &TypeParam) -> Vec<TypeParamBound> {
    let mut needed: Vec<TypeParamBound> = vec![
        syn::parse_quote!(Send),
        syn::parse_quote!(Sync),
        syn::parse_quote!('static),
    ];
    for bound in &parameter.bounds {
        let name = match bound {
            TypeParamBound::Trait(bound) => {
                bound.path.segments.last().map(|it| names::text(&it.ident))
            }
            bound => Some(bound.to_token_stream().to_string()),
        };
        let name = name.unwrap_or_default();
        let before = needed.len();
        needed.retain(|it| it.to_token_stream().to_string() != name);
        if needed.len() == before && !SILENT.contains(&&*name) {
            return Vec::new();
        }
    }
    needed
}
