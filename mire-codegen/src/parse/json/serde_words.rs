//! The words of `#[serde(…)]`. What can't be read is for serde to report.

use proc_macro2::Span;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Meta, Token};

/// The words on a field, a variant, or a whole type.
pub(super) struct SerdeWords {
    words: Vec<Meta>,
    /// Whether another attribute may say how the field is stored.
    others_say: bool,
}

impl SerdeWords {
    pub(super) fn of(attrs: &[Attribute]) -> Self {
        let words = attrs.iter().filter_map(read);
        let says = |attr: &Attribute| {
            let last = attr.path().segments.last();
            last.is_some_and(|last| last.ident == "cfg_attr" || last.ident == "serde_as")
        };
        Self {
            words: words.flatten().collect(),
            others_say: attrs.iter().any(says),
        }
    }

    /// Where a word stands.
    pub(super) fn span_of(&self, word: &str) -> Option<Span> {
        let mut words = self.words.iter();
        let meta = words.find(|meta| meta.path().is_ident(word))?;
        Some(meta.path().span())
    }

    pub(super) fn has(&self, word: &str) -> bool {
        self.span_of(word).is_some()
    }

    pub(super) fn has_any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.has(word))
    }

    /// Whether they, and not the type, say how a field is stored.
    pub(super) fn say_how(&self) -> bool {
        self.others_say || self.has_any(&["with", "serialize_with", "deserialize_with"])
    }

    /// Whether a field is neither stored nor read.
    pub(super) fn skip(&self) -> bool {
        self.has("skip") || self.has("skip_serializing") && self.has("skip_deserializing")
    }

    /// Whether another type is stored in the place of this one.
    pub(super) fn convert(&self) -> bool {
        self.has_any(&["from", "try_from", "into", "remote"])
    }
}

/// The words of one attribute.
fn read(attr: &Attribute) -> Option<Punctuated<Meta, Token![,]>> {
    let words = || attr.parse_args_with(Punctuated::parse_terminated).ok();
    attr.path().is_ident("serde").then(words)?
}
