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
use crate::names;

/// The words of one attribute, each known in its place and given once.
pub(crate) struct Words {
    place: Place,
    metas: Vec<(&'static str, Meta)>,
    /// Words that were probably meant by others.
    meant: Vec<&'static str>,
    /// The attribute's name, to report what is missing.
    pub(crate) span: Span,
}

impl Words {
    /// Reads an attribute. Mistakes are kept, and their words left out.
    pub(crate) fn read(place: Place, attr: &Attribute, errors: &mut Errors) -> Self {
        let mut words = Self::none(place, attr.path().span());
        for meta in words.metas_of(attr, errors) {
            words.add(meta, errors);
        }
        words
    }

    /// Reads an attribute that also names something, as `#[on(AccountEvent::Closed, delete)]` does.
    pub(crate) fn read_with_path(
        place: Place,
        attr: &Attribute,
        errors: &mut Errors,
    ) -> (Option<Path>, Self) {
        let mut words = Self::none(place, attr.path().span());
        let mut metas = words.metas_of(attr, errors);
        let named = metas.iter().position(|meta| {
            matches!(meta, Meta::Path(path) if !words_of(place).any(|word| path.is_ident(word.name)))
        });
        let with_more = || metas.iter().position(|meta| meta.path().segments.len() > 1);
        let path = named.or_else(with_more).map(|at| match metas.remove(at) {
            Meta::Path(path) => path,
            meta => {
                let path = meta.path().clone();
                errors.on(
                    &path,
                    "an event is named without its fields",
                    format_args!(
                        "write `{}` alone, and the fields that are needed as parameters of the function",
                        names::path_text(&path)
                    ),
                );
                path
            }
        });
        for meta in metas {
            words.add(meta, errors);
        }
        (path, words)
    }

    fn metas_of(&self, attr: &Attribute, errors: &mut Errors) -> Vec<Meta> {
        match &attr.meta {
            Meta::Path(_) => Vec::new(),
            Meta::List(list) => {
                let parser = Punctuated::<Meta, Token![,]>::parse_terminated;
                match list.parse_args_with(parser) {
                    Ok(metas) => metas.into_iter().collect(),
                    Err(error) => {
                        errors.at(
                            error.span(),
                            format_args!("{error}"),
                            format_args!("{} takes {}", self.name(), self.forms()),
                        );
                        Vec::new()
                    }
                }
            }
            Meta::NameValue(_) => {
                errors.at(
                    attr.meta.span(),
                    format_args!("{} takes its words in parentheses", self.name()),
                    format_args!("it takes {}", self.forms()),
                );
                Vec::new()
            }
        }
    }

    /// The words of an attribute that isn't there.
    pub(crate) fn none(place: Place, span: Span) -> Self {
        Self {
            place,
            metas: Vec::new(),
            meant: Vec::new(),
            span,
        }
    }

    fn add(&mut self, meta: Meta, errors: &mut Errors) {
        let path = meta.path();
        let Some(word) = words_of(self.place).find(|word| path.is_ident(word.name)) else {
            let written = names::path_text(path);
            let mend = match nearest(&written, words_of(self.place).map(|word| word.name)) {
                Some(near) => {
                    self.meant.push(near);
                    format!("did you mean `{near}`?")
                }
                None if self.place == Place::On && path.segments.len() > 1 => {
                    "a function handles one event: write another function for this one".to_owned()
                }
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
        // What `#[on(…)]` names is no word.
        let named = (self.place == Place::On).then_some("AccountEvent::Opened");
        let forms = list(
            named
                .into_iter()
                .chain(words_of(self.place).map(|word| word.form)),
        );
        if forms.is_empty() {
            "no words".to_owned()
        } else {
            forms
        }
    }

    /// Whether no word was given.
    pub(crate) fn is_empty(&self) -> bool {
        self.metas.is_empty()
    }

    /// Whether a word is missing, and no other one was probably meant to be it.
    pub(crate) fn lacks(&self, name: &str) -> bool {
        self.span_of(name).is_none() && !self.meant.contains(&name)
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

    /// `word`, with nothing behind it.
    pub(crate) fn flag(&self, name: &str, errors: &mut Errors) -> bool {
        match self.meta(name) {
            None => false,
            Some(Meta::Path(_)) => true,
            Some(meta) => {
                self.wrong_form(name, meta, errors);
                true
            }
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
