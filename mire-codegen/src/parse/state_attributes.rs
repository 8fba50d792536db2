//! Attributes of a state and its fields that nobody knows there: `#[key]` and its like, which are for a
//! row of a projection, `#[default]`, which is for a variant, and `#[serde(…)]` where nothing is stored.

use syn::Attribute;
use syn::spanned::Spanned;

use super::attributes::Sorted;
use super::items::Data;
use crate::errors::Errors;
use crate::keywords::{Place, words_of};

/// Takes attributes off a state and its fields that nobody knows there. `has_snapshots` says that serde
/// is derived for those.
pub(super) fn refuse(
    data: &mut Data,
    attrs: &mut Sorted,
    has_snapshots: bool,
    errors: &mut Errors,
) {
    let Data::Struct(item) = data else { return };
    // What another macro writes may well know them.
    let derives = attrs.derives();
    if !attrs.is_plain() {
        return;
    }
    let derived = |name: &str| derives.iter().any(|it| it == name);
    let has_serde = has_snapshots || derived("Serialize") || derived("Deserialize");
    attrs
        .rest
        .retain(|attr| has_serde || !is_of_serde(attr, errors));
    for field in &mut item.fields {
        field.attrs.retain(|attr| {
            let is_refused = is_of_row(attr, errors)
                || is_default(attr, errors)
                || !has_serde && is_of_serde(attr, errors);
            !is_refused
        });
    }
}

fn is_of_row(attr: &Attribute, errors: &mut Errors) -> bool {
    let word = words_of(Place::Column).find(|word| attr.path().is_ident(word.name));
    if let Some(word) = word {
        errors.at(
            attr.path().span(),
            format_args!("`{}` is for a row of `projection!`", word.form),
            "remove it: a state is found by the id of its aggregate",
        );
    }
    word.is_some()
}

fn is_of_serde(attr: &Attribute, errors: &mut Errors) -> bool {
    let is_refused = attr.path().is_ident("serde");
    if is_refused {
        errors.at(
            attr.path().span(),
            "`#[serde(…)]` says how a state is stored, and this one isn't",
            "remove it, or add `snapshot_every = 100`",
        );
    }
    is_refused
}

/// Refuses `#[default]` on a field; answers whether it is one.
pub(super) fn is_default(attr: &Attribute, errors: &mut Errors) -> bool {
    let is_refused = attr.path().is_ident("default");
    if is_refused {
        errors.at(
            attr.path().span(),
            "each field begins with the `Default` of its type",
            "remove `#[default]`, and set the field in the function of the first event",
        );
    }
    is_refused
}
