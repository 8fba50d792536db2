//! `#[key]` and its like on the fields of a state: they are for a row of a projection.

use syn::Attribute;
use syn::spanned::Spanned;

use super::attributes::Sorted;
use super::items::Data;
use crate::errors::Errors;
use crate::keywords::{Place, words_of};

/// Derives that know no attributes of fields but `#[serde(…)]` and `#[default]`.
const PLAIN_DERIVES: [&str; 11] = [
    "Clone",
    "Copy",
    "Debug",
    "Default",
    "Deserialize",
    "Eq",
    "Hash",
    "Ord",
    "PartialEq",
    "PartialOrd",
    "Serialize",
];

/// Takes the words of a row off the fields of a state, where nobody knows them.
pub(super) fn refuse(data: &mut Data, attrs: &Sorted, errors: &mut Errors) {
    let Data::Struct(item) = data else { return };
    // What another macro writes may well know them.
    let derives = attrs.derives();
    let plain = |name: &String| PLAIN_DERIVES.contains(&&**name);
    let is_derive = |attr: &Attribute| {
        ["derive", "serde"]
            .iter()
            .any(|it| attr.path().is_ident(it))
    };
    if !derives.iter().all(plain) || !attrs.rest.iter().all(is_derive) {
        return;
    }
    for field in &mut item.fields {
        field.attrs.retain(|attr| {
            let word = words_of(Place::Column).find(|word| attr.path().is_ident(word.name));
            if let Some(word) = word {
                errors.at(
                    attr.path().span(),
                    format_args!("`{}` is for a row of `projection!`", word.form),
                    "remove it: a state is found by the id of its aggregate",
                );
            }
            word.is_none()
        });
    }
}
