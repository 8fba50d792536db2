//! The words of `#[serde(…)]`. What can't be read is for serde to report.

use proc_macro2::Span;
use quote::quote;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Expr, ExprLit, Lit, LitStr, Meta, Token};

/// The words on a field, a variant, or a whole type.
pub(super) struct SerdeWords {
    words: Vec<Meta>,
    /// Whether another attribute may say how the field is stored.
    others_say: bool,
}

/// What a field is called in JSON.
#[derive(Default)]
pub(super) struct Renamed {
    /// The name that it is stored under.
    pub(super) stored: Option<LitStr>,
    /// The name that it is read by.
    pub(super) read: Option<LitStr>,
    /// More names that it is read by.
    pub(super) aliases: Vec<LitStr>,
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

    /// Whether another attribute may say more.
    pub(super) fn others_say(&self) -> bool {
        self.others_say
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

    /// The text that a word is given.
    pub(super) fn text_of(&self, word: &str) -> Option<LitStr> {
        let mut words = self.words.iter();
        words.find_map(|meta| text(meta, word))
    }

    /// The names that they give a field.
    pub(super) fn renamed(&self) -> Renamed {
        let mut renamed = Renamed::default();
        for meta in &self.words {
            if let Some(name) = text(meta, "rename") {
                renamed.stored = Some(name.clone());
                renamed.read = Some(name);
            }
            renamed.aliases.extend(text(meta, "alias"));
            let Meta::List(list) = meta else { continue };
            if !list.path.is_ident("rename") {
                continue;
            }
            let parts = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
            for part in parts.into_iter().flatten() {
                renamed.stored = text(&part, "serialize").or(renamed.stored);
                renamed.read = text(&part, "deserialize").or(renamed.read);
            }
        }
        renamed
    }
}

/// Takes words off, with the attributes in which nothing is left.
pub(super) fn take(attrs: &mut Vec<Attribute>, words: &[&str]) {
    attrs.retain_mut(|attr| {
        let Some(metas) = read(attr) else { return true };
        let is_taken = |meta: &&Meta| words.iter().any(|word| meta.path().is_ident(word));
        let left: Vec<&Meta> = metas.iter().filter(|meta| !is_taken(meta)).collect();
        if let Meta::List(list) = &mut attr.meta {
            list.tokens = quote!(#(#left),*);
        }
        !left.is_empty()
    });
}

/// The words of one attribute.
fn read(attr: &Attribute) -> Option<Punctuated<Meta, Token![,]>> {
    let words = || attr.parse_args_with(Punctuated::parse_terminated).ok();
    attr.path().is_ident("serde").then(words)?
}

fn text(meta: &Meta, word: &str) -> Option<LitStr> {
    let Meta::NameValue(pair) = meta else {
        return None;
    };
    match &pair.value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) if pair.path.is_ident(word) => Some(text.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use quote::ToTokens;
    use syn::parse_quote;

    use super::*;

    #[test]
    fn words_go_and_others_stay() {
        let mut attrs: Vec<Attribute> = vec![
            parse_quote!(#[serde(skip)]),
            parse_quote!(#[serde(rename = "a", skip, with = "b")]),
            parse_quote!(#[serde(not what serde reads)]),
            parse_quote!(#[skip]),
        ];
        take(&mut attrs, &["skip"]);
        let left: Vec<String> = attrs
            .iter()
            .map(|attr| attr.to_token_stream().to_string())
            .collect();
        assert_eq!(
            left,
            [
                "# [serde (rename = \"a\" , with = \"b\")]",
                "# [serde (not what serde reads)]",
                "# [skip]",
            ]
        );
    }

    #[test]
    fn a_field_may_have_one_name_to_store_and_another_to_read() {
        let attr: Attribute =
            parse_quote!(#[serde(alias = "a", rename(serialize = "b", deserialize = "c"))]);
        let Renamed {
            stored,
            read,
            aliases,
        } = SerdeWords::of(&[attr]).renamed();
        assert_eq!(stored.unwrap().value(), "b");
        assert_eq!(read.unwrap().value(), "c");
        assert_eq!(aliases[0].value(), "a");
    }
}
