//! Fields that serde's words give each other's names, or a name to store and another one to read.

use syn::{Attribute, LitStr};

use super::serde_words::{self, SerdeWords};
use crate::errors::Errors;

/// A field, and what says how it is called in JSON.
pub(super) struct Field {
    /// How Rust calls it.
    pub(super) ident: String,
    /// Whether it is called so in JSON as well, when nothing on it says otherwise.
    pub(super) keeps_name: bool,
    pub(super) words: SerdeWords,
}

/// A name of a field, and where it is given, if it isn't the field's own.
struct Name {
    text: String,
    given: Option<LitStr>,
}

/// All names that a field is stored under or read by.
struct Names {
    stored: Option<Name>,
    read: Vec<Name>,
}

/// Reports each field that has the name of another one, or isn't read by the name that it is stored
/// under; answers whether there was none.
pub(super) fn refuse(fields: &[Field], errors: &mut Errors) -> bool {
    let before = errors.count();
    let mut known: Vec<(&Field, Names)> = Vec::new();
    for field in fields {
        // Of a flattened field, the fields within have names.
        if field.words.has("flatten") || field.words.skip() {
            continue;
        }
        let names = Names::of(field);
        names.refuse_unread(errors);
        for (other, others) in &known {
            let Some(twin) = names.shared(others) else {
                continue;
            };
            // Two fields of one name in Rust were told of.
            let Some(given) = twin.0.given.as_ref().or(twin.1.given.as_ref()) else {
                continue;
            };
            errors.at(
                given.span(),
                format_args!(
                    "the fields `{}` and `{}` are both called `{}`",
                    other.ident, field.ident, twin.0.text
                ),
                "write another name: JSON with one name twice can't be read",
            );
        }
        known.push((field, names));
    }
    errors.count() == before
}

/// Takes off what may have been refused.
pub(super) fn take(attrs: &mut Vec<Attribute>) {
    serde_words::take(attrs, &["rename", "alias"]);
}

impl Names {
    fn of(field: &Field) -> Self {
        let renamed = field.words.renamed();
        let name = |given: Option<LitStr>| match given {
            Some(given) => Some(Name::given(given)),
            None => field.keeps_name.then(|| Name {
                text: field.ident.clone(),
                given: None,
            }),
        };
        let read = name(renamed.read).into_iter();
        Self {
            stored: name(renamed.stored),
            read: read
                .chain(renamed.aliases.into_iter().map(Name::given))
                .collect(),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Name> {
        self.stored.iter().chain(&self.read)
    }

    /// The first name that both have.
    fn shared<'a>(&'a self, other: &'a Self) -> Option<(&'a Name, &'a Name)> {
        self.all().find_map(|name| {
            let twin = other.all().find(|twin| twin.text == name.text)?;
            Some((name, twin))
        })
    }

    /// Refuses a name to store the field under that it isn't read by.
    fn refuse_unread(&self, errors: &mut Errors) {
        let (Some(stored), Some(read)) = (&self.stored, self.read.first()) else {
            return;
        };
        let Some(given) = stored.given.as_ref().or(read.given.as_ref()) else {
            return;
        };
        if self.read.iter().any(|name| name.text == stored.text) {
            return;
        }
        errors.at(
            given.span(),
            format_args!(
                "the field is stored as `{}`, and read as `{}`",
                stored.text, read.text
            ),
            format_args!("add `alias = \"{}\"`", stored.text),
        );
    }
}

impl Name {
    fn given(given: LitStr) -> Self {
        Self {
            text: given.value(),
            given: Some(given),
        }
    }
}
