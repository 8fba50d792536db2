//! Attributes that fields have elsewhere, on a field of a projection, where nobody knows them.

use syn::Attribute;
use syn::spanned::Spanned;

use crate::errors::Errors;
use crate::keywords::{Place, list, words_of};
use crate::names;
use crate::parse::attributes::Sorted;
use crate::parse::state_attributes::is_default;

/// What columns have elsewhere.
const MARKS: [&str; 7] = [
    "column",
    "field",
    "foreign_key",
    "not_null",
    "nullable",
    "references",
    "unique",
];

/// Which attributes nobody knows.
pub(super) struct Foreign {
    /// Whether the fields are columns.
    is_row: bool,
    /// Whether none but those of serde may be known beside mire.
    is_plain: bool,
    /// Whether those of serde are a derive's.
    has_serde: bool,
}

impl Foreign {
    pub(super) fn beside(attrs: &Sorted, is_row: bool) -> Self {
        let derives = attrs.derives();
        let has = |name: &str| derives.iter().any(|it| it == name);
        Self {
            is_row,
            is_plain: attrs.is_plain(),
            has_serde: has("Serialize") || has("Deserialize"),
        }
    }

    /// Refuses an attribute that fields don't have here; answers whether it was one.
    pub(super) fn refuse(&self, attr: &Attribute, errors: &mut Errors) -> bool {
        let name = names::path_text(attr.path());
        let is_known = match &*name {
            "default" | "sqlx" => false,
            "serde" => self.has_serde,
            name => !MARKS.contains(&name),
        };
        if is_known || !self.is_plain {
            return false;
        }
        if self.is_row && is_default(attr, errors) {
            return true;
        }
        let wrong = match MARKS.contains(&&*name) {
            true => format!("there is no `#[{name}]`"),
            false => format!("`#[{name}]` has no place on a field of a projection"),
        };
        let mend = match &*name {
            "serde" if self.is_row => "remove it: a column is stored as the type of its field is, and one with `#[json]` by the serde of that type".to_owned(),
            "sqlx" if self.is_row => {
                "remove it: a column is called as its field is, and has that type".to_owned()
            }
            "serde" | "sqlx" | "default" => "remove it".to_owned(),
            _ => {
                let marks = list(words_of(Place::Column).map(|word| word.form));
                format!("remove it; a field may have {marks}")
            }
        };
        errors.at(attr.path().span(), wrong, mend);
        true
    }
}
