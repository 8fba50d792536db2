//! Reads the words of an attribute, such as `#[event(name = "…", version = 2)]`.

use darling::FromMeta;
use darling::util::PathList;
use proc_macro2::Span;
use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, LitInt, LitStr, Meta, Path, Token};

use crate::errors::Errors;
use crate::keywords::{Place, list, nearest, words_of};

/// The words of one attribute, each known in its place and given once.
pub(crate) struct Words {
    place: Place,
    metas: Vec<(&'static str, Meta)>,
    /// The attribute's name, to report what is missing.
    pub(crate) span: Span,
}

impl Words {
    /// Reads an attribute. Mistakes are kept, and their words left out.
    pub(crate) fn read(place: Place, attr: &Attribute, errors: &mut Errors) -> Self {
        let mut words = Self {
            place,
            metas: Vec::new(),
            span: attr.path().span(),
        };
        let metas = match &attr.meta {
            Meta::Path(_) => return words,
            Meta::List(list) => {
                let parser = Punctuated::<Meta, Token![,]>::parse_terminated;
                match list.parse_args_with(parser) {
                    Ok(metas) => metas,
                    Err(error) => {
                        errors.at(
                            error.span(),
                            format_args!("{error}"),
                            format_args!("{} takes {}", words.name(), words.forms()),
                        );
                        return words;
                    }
                }
            }
            Meta::NameValue(_) => {
                errors.at(
                    attr.meta.span(),
                    format_args!("{} takes its words in parentheses", words.name()),
                    format_args!("it takes {}", words.forms()),
                );
                return words;
            }
        };
        for meta in metas {
            words.add(meta, errors);
        }
        words
    }

    /// The words of an attribute that isn't there.
    pub(crate) fn none(place: Place, span: Span) -> Self {
        Self {
            place,
            metas: Vec::new(),
            span,
        }
    }

    fn add(&mut self, meta: Meta, errors: &mut Errors) {
        let path = meta.path();
        let Some(word) = words_of(self.place).find(|word| path.is_ident(word.name)) else {
            let written = path.to_token_stream().to_string();
            let mend = match nearest(&written, words_of(self.place).map(|word| word.name)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it takes {}", self.forms()),
            };
            errors.at(
                path.span(),
                format_args!("{} has no word `{written}`", self.name()),
                mend,
            );
            return;
        };
        if self.metas.iter().any(|(name, _)| *name == word.name) {
            errors.at(
                path.span(),
                format_args!("`{}` is given twice", word.name),
                "remove one of them",
            );
            return;
        }
        self.metas.push((word.name, meta));
    }

    fn name(&self) -> String {
        match self.place {
            Place::Command => "`#[command]`".to_owned(),
            place => format!("`#[{}(…)]`", place.attribute()),
        }
    }

    fn forms(&self) -> String {
        let forms = list(words_of(self.place).map(|word| word.form));
        if forms.is_empty() {
            "no words".to_owned()
        } else {
            forms
        }
    }

    /// Where a word stands, if it was given.
    pub(crate) fn span_of(&self, name: &str) -> Option<Span> {
        self.meta(name).map(|meta| meta.path().span())
    }

    fn meta(&self, name: &str) -> Option<&Meta> {
        self.metas
            .iter()
            .find_map(|(word, meta)| (*word == name).then_some(meta))
    }

    /// A word's value; a value of another kind is a mistake that shows the right form.
    fn value<T: FromMeta>(&self, name: &str, errors: &mut Errors) -> Option<T> {
        let meta = self.meta(name)?;
        match T::from_meta(meta) {
            Ok(value) => Some(value),
            Err(_) => {
                self.wrong_form(name, meta, errors);
                None
            }
        }
    }

    fn wrong_form(&self, name: &str, meta: &Meta, errors: &mut Errors) {
        let form = words_of(self.place)
            .find(|word| word.name == name)
            .map_or(name, |word| word.form);
        let span = match meta {
            Meta::NameValue(pair) => pair.value.span(),
            _ => meta.path().span(),
        };
        errors.at(
            span,
            format_args!("`{name}` is not written like this"),
            format_args!("write it as in `{form}`"),
        );
    }

    /// `word = "text"`.
    pub(crate) fn text(&self, name: &str, errors: &mut Errors) -> Option<LitStr> {
        self.value(name, errors)
    }

    /// `word = 1`, at least 1.
    pub(crate) fn count(&self, name: &str, errors: &mut Errors) -> Option<(u32, Span)> {
        let literal: LitInt = self.value(name, errors)?;
        match literal.base10_parse() {
            Ok(0) | Err(_) => {
                errors.at(
                    literal.span(),
                    format_args!("`{name}` is a count of at least 1"),
                    format_args!("write `{name} = 1`, or more"),
                );
                None
            }
            Ok(count) => Some((count, literal.span())),
        }
    }

    /// `word(path)`.
    pub(crate) fn path(&self, name: &str, errors: &mut Errors) -> Option<Path> {
        let paths: Vec<Path> = self.paths_of(name, errors);
        match <[Path; 1]>::try_from(paths) {
            Ok([path]) => Some(path),
            Err(paths) => {
                if let Some(meta) = self.meta(name)
                    && paths.len() > 1
                {
                    self.wrong_form(name, meta, errors);
                }
                None
            }
        }
    }

    /// `word(path, path)`, at least one.
    pub(crate) fn paths_of(&self, name: &str, errors: &mut Errors) -> Vec<Path> {
        let Some(meta) = self.meta(name) else {
            return Vec::new();
        };
        let paths = self
            .value::<PathList>(name, errors)
            .map(|paths| paths.to_vec());
        match paths {
            Some(paths) if paths.is_empty() => {
                self.wrong_form(name, meta, errors);
                paths
            }
            Some(paths) => paths,
            None => Vec::new(),
        }
    }

    /// `crate(path)`: where the runtime is. `::mire` if not given.
    pub(crate) fn krate(&self, errors: &mut Errors) -> proc_macro2::TokenStream {
        match self.path("crate", errors) {
            Some(path) => path.to_token_stream(),
            None => quote::quote!(::mire),
        }
    }
}
