//! Reads the words of an attribute, such as `#[event(name = "…", version = 2)]`.
//!
//! A slip in one of them, or between them, leaves the others known, and as far as possible the one
//! itself: that something is missing is only said where nothing stands for it.

mod paths;
mod pieces;
mod value;
mod written;

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{Attribute, LitStr, Meta, Path};

use self::pieces::{EVENT, Piece, pieces};
use self::value::Value;
use crate::errors::Errors;
use crate::keywords::{Kind, Place, Word, list, nearest, words_of};
use crate::names;

pub(crate) use self::paths::{Listed, Naming, listed, stray_comma};

/// The words of one attribute, each known in its place and given once.
pub(crate) struct Words {
    place: Place,
    given: Vec<Given>,
    /// What is no word of this attribute, but has a place of its own: `ignores(…)`.
    pub(crate) elsewhere: Vec<TokenStream>,
    /// The attribute's name, to report what is missing.
    pub(crate) span: Span,
}

struct Given {
    word: &'static Word,
    span: Span,
    value: Value,
    /// Whether another word was written, which was told.
    told: bool,
}

/// What `#[on(…)]` names.
#[derive(Default)]
pub(crate) struct Named {
    /// The event.
    pub(crate) event: Option<Path>,
    /// More events, which are mistakes.
    pub(crate) others: Vec<Path>,
    /// Whether something else stands for an event.
    unclear: bool,
}

impl Words {
    /// Reads an attribute, and others of its name that were put beside it. Mistakes are kept.
    pub(crate) fn read(place: Place, attrs: &[Attribute], errors: &mut Errors) -> Self {
        let mut words = Self::none(place, span_of(attrs));
        for (at, attr) in attrs.iter().enumerate() {
            let (pieces, told) = words.pieces_of(attr, errors);
            let silent = &mut Errors::default();
            let errors = if told { silent } else { &mut *errors };
            for piece in pieces {
                let twice = |path: &Path| {
                    let mut given = words.given.iter();
                    at > 0 && given.any(|it| path.is_ident(it.word.name))
                };
                match piece {
                    // That the attribute is given twice was said.
                    Piece::Named(path, _) if twice(&path) => {}
                    Piece::Named(path, value) => words.add(&path, &value, errors),
                    Piece::Bare(tokens) => words.add_bare(&tokens, errors),
                }
            }
        }
        words
    }

    /// Reads `#[on(…)]`, which also names an event, and others beside it.
    pub(crate) fn read_on(attrs: &[Attribute], errors: &mut Errors) -> (Named, Self) {
        let mut words = Self::none(Place::On, span_of(attrs));
        let mut named = Named::default();
        for (at, attr) in attrs.iter().enumerate() {
            let (pieces, told) = words.pieces_of(attr, errors);
            let silent = &mut Errors::default();
            let errors = if told { silent } else { &mut *errors };
            let is_event = |piece: &Piece| match piece {
                Piece::Named(path, value) => words.is_event(path, value),
                Piece::Bare(_) => true,
            };
            if at > 0 && !pieces.iter().any(is_event) {
                errors.at(
                    attr.path().span(),
                    "`#[on]` is given twice",
                    "put all words into one of them",
                );
            }
            for piece in pieces {
                match piece {
                    Piece::Named(path, value) if words.is_event(&path, &value) => {
                        named.add(path, &value, errors);
                    }
                    Piece::Named(path, value) => words.add(&path, &value, errors),
                    Piece::Bare(tokens) => {
                        let list = listed(tokens.into_iter().collect(), EVENT, errors);
                        named.unclear |= list.unclear;
                        for path in list.paths {
                            named.add(path, &[], errors);
                        }
                    }
                }
            }
        }
        words.event_as_value(&mut named);
        if named.event.is_none() && !named.unclear {
            errors.at(
                words.span,
                "`#[on(…)]` names no event",
                "write the event's enum and variant, as in `#[on(AccountEvent::Opened)]`",
            );
        }
        (named, words)
    }

    /// Takes an attribute beside `#[on(…)]` for the word that it would be in it: `#[key(customer)]`.
    pub(crate) fn adopt(&mut self, attr: &Attribute, event: Option<&Path>, errors: &mut Errors) {
        let text = names::path_text(&attr.meta);
        let event = event.map_or_else(|| "AccountEvent::Opened".to_owned(), names::path_text);
        errors.at(
            attr.path().span(),
            format_args!(
                "`{}` is a word of `#[on(…)]`",
                names::path_text(attr.path())
            ),
            format_args!("write `#[on({event}, {text})]`"),
        );
        let silent = &mut Errors::default();
        for piece in pieces(self.place, attr.meta.to_token_stream(), silent) {
            if let Piece::Named(path, value) = piece {
                self.add(&path, &value, silent);
            }
        }
    }

    /// The words of an attribute that isn't there.
    pub(crate) fn none(place: Place, span: Span) -> Self {
        Self {
            place,
            given: Vec::new(),
            elsewhere: Vec::new(),
            span,
        }
    }

    /// The pieces of an attribute, and whether it was told already that they are written wrongly.
    fn pieces_of(&self, attr: &Attribute, errors: &mut Errors) -> (Vec<Piece>, bool) {
        let pair = match &attr.meta {
            Meta::Path(_) => return (Vec::new(), false),
            Meta::List(list) => return (pieces(self.place, list.tokens.clone(), errors), false),
            Meta::NameValue(pair) => pair,
        };
        let value = pair.value.to_token_stream();
        let text = names::path_text(&value);
        let tokens: Vec<TokenTree> = value.clone().into_iter().collect();
        let form = match self.by_value("", &tokens) {
            Some((word, value)) => Some(value.form(word)),
            None => (self.place == Place::On).then_some(text),
        };
        let mend = match form {
            Some(form) => format!("write `#[{}({form})]`", self.place.attribute()),
            None => format!("it takes {}", self.forms()),
        };
        errors.at(
            pair.eq_token.span(),
            format_args!("{} takes its words in parentheses", self.name()),
            mend,
        );
        (pieces(self.place, value, &mut Errors::default()), true)
    }

    /// Whether a piece of `#[on(…)]` is the event.
    fn is_event(&self, path: &Path, value: &[TokenTree]) -> bool {
        let text = names::path_text(path);
        let small = text.to_lowercase();
        !words_of(self.place).any(|word| small == word.name)
            && (path.segments.len() > 1
                || text.starts_with(char::is_uppercase)
                || value.is_empty() && self.given.is_empty() && self.meant(path).is_none())
    }

    /// `#[on(event = AccountEvent::Opened)]` names its event, in a word that isn't there.
    fn event_as_value(&mut self, named: &mut Named) {
        let Some(path) = self.elsewhere.pop() else {
            return;
        };
        if named.event.is_none() {
            named.event = syn::parse2(path).ok();
        }
    }

    fn add(&mut self, path: &Path, written: &[TokenTree], errors: &mut Errors) {
        let Some(word) = words_of(self.place).find(|word| path.is_ident(word.name)) else {
            self.add_unknown(path, written, errors);
            return;
        };
        let value = Value::read(word, path.span(), written, errors);
        let Some(first) = self.given.iter_mut().find(|it| it.word.name == word.name) else {
            let span = path.span();
            self.give(word, span, value, false);
            return;
        };
        let mend = match (&mut first.value, value) {
            (Value::Paths(first), Value::Paths(mut more)) if word.kind() == Kind::Paths => {
                // An enum is read once, where a function may well turn several versions.
                more.retain(|path| word.name != "reads" || !first.contains(path));
                first.extend(more);
                let texts: Vec<String> = first.iter().map(names::path_text).collect();
                format!("write `{}({})`", word.name, texts.join(", "))
            }
            _ => "remove one of them".to_owned(),
        };
        errors.at(
            path.span(),
            format_args!("`{}` is given twice", word.name),
            mend,
        );
    }

    fn give(&mut self, word: &'static Word, span: Span, value: Value, told: bool) {
        self.given.push(Given {
            word,
            span,
            value,
            told,
        });
    }

    /// A word that isn't known. What it was meant for is taken for given.
    fn add_unknown(&mut self, path: &Path, written: &[TokenTree], errors: &mut Errors) {
        let text = names::path_text(path);
        let silent = &mut Errors::default();
        let mend = if let Some(word) = self.meant(path) {
            let span = path.span();
            if self.lacks(word.name) {
                let value = Value::read(word, span, written, silent);
                self.give(word, span, value, true);
            }
            format!("did you mean `{}`?", word.name)
        } else if self.place == Place::Projection && path.is_ident("ignores") {
            self.elsewhere.extend(written.iter().map(|it| match it {
                TokenTree::Group(group) => group.stream(),
                token => token.to_token_stream(),
            }));
            let events = self.elsewhere.last().map(names::type_text);
            let events = events.filter(|it| !it.is_empty());
            format!(
                "put it below, as an attribute of its own: `#[ignores({})]`",
                events.as_deref().unwrap_or("AccountEvent::Closed")
            )
        } else if self.place == Place::On
            && let Some(event) = event_in(written)
        {
            let mend = format!("write `{}` alone", names::path_text(&event));
            self.elsewhere.push(event.to_token_stream());
            mend
        } else if let Some((word, value)) = self.by_value(&text, written).or_else(|| {
            let path: Vec<TokenTree> = path.to_token_stream().into_iter().collect();
            let alone = written.is_empty() && text.starts_with(char::is_uppercase);
            self.by_value("", &path).filter(|_| alone)
        }) {
            let span = path.span();
            let mend = format!("write `{}`", value.form(word));
            self.give(word, span, value, true);
            mend
        } else {
            if let Some(word) = words_of(self.place).find(|word| self.stands_for_key(word)) {
                // Which row the event belongs to is open, and no mistake of its own.
                let (span, value) = (path.span(), Value::Unclear);
                self.give(word, span, value, true);
            }
            format!("it takes {}", self.forms())
        };
        errors.at(
            path.span(),
            format_args!("{} has no word `{text}`", self.name()),
            mend,
        );
    }

    /// A text or a number without its word.
    fn add_bare(&mut self, tokens: &[TokenTree], errors: &mut Errors) {
        let Some(first) = tokens.first() else { return };
        let text = names::path_text(first);
        let (wrong, mend) = match self.by_value("", tokens) {
            Some((word, value)) => {
                let mend = format!("write `{}`", value.form(word));
                let span = first.span();
                self.give(word, span, value, true);
                (format!("`{text}` stands there without its word"), mend)
            }
            None => (
                format!("{} has no word `{text}`", self.name()),
                format!("it takes {}", self.forms()),
            ),
        };
        errors.at(first.span(), wrong, mend);
    }

    /// The word that is written nearly like this one, or called so elsewhere.
    fn meant(&self, path: &Path) -> Option<&'static Word> {
        let text = names::path_text(path);
        let removes = ["drop", "erase", "remove", "removes"].contains(&&*text);
        let meant = if self.place == Place::On && removes {
            Some("delete")
        } else {
            nearest(
                &text.to_lowercase(),
                words_of(self.place).map(|word| word.name),
            )
        };
        let begun = |word: &&'static Word| {
            // In `#[on(…)]` it may be an event.
            self.place != Place::On && !text.is_empty() && word.name.starts_with(&text)
        };
        let mut words = words_of(self.place);
        words
            .find(|word| Some(word.name) == meant)
            .or_else(|| words_of(self.place).find(begun))
    }

    /// The word that is missing, when this value can only be its.
    fn by_value(&self, written: &str, value: &[TokenTree]) -> Option<(&'static Word, Value)> {
        let fits = |word: &&'static Word| match word.name {
            "category" | "subscription" | "entity" | "event_type" | "reads" | "key" => true,
            "id" => written.contains("id") || value.iter().any(|it| it.to_string().ends_with("Id")),
            // No other word of an event is a count.
            "version" => written.is_empty() || self.place == Place::Event,
            "name" | "rename" => written.is_empty(),
            _ => false,
        };
        let missing = words_of(self.place).filter(|word| self.lacks(word.name));
        missing.filter(fits).find_map(|word| {
            let has_text = value.iter().any(|it| matches!(it, TokenTree::Literal(_)));
            if has_text == matches!(word.kind(), Kind::Path | Kind::Paths) {
                return None;
            }
            let span = Span::call_site();
            let value = Value::read(word, span, value, &mut Errors::default());
            value.is_clear().then_some((word, value))
        })
    }

    fn stands_for_key(&self, word: &Word) -> bool {
        self.place == Place::On && word.name == "key" && self.lacks("key")
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
        self.given.is_empty()
    }

    /// Whether a word is missing, and nothing else was probably meant to be it.
    pub(crate) fn lacks(&self, name: &str) -> bool {
        self.span_of(name).is_none()
    }

    /// Where a word stands, if it was given.
    pub(crate) fn span_of(&self, name: &str) -> Option<Span> {
        let mut given = self.given.iter();
        given.find(|it| it.word.name == name).map(|it| it.span)
    }

    /// Where a word stands that was given and is none but itself, so that more can be said of it.
    pub(crate) fn untold(&self, name: &str) -> Option<Span> {
        let mut given = self.given.iter().filter(|it| !it.told);
        given.find(|it| it.word.name == name).map(|it| it.span)
    }

    fn value(&self, name: &str) -> Option<&Value> {
        let mut given = self.given.iter();
        given.find(|it| it.word.name == name).map(|it| &it.value)
    }

    /// `word = "text"`.
    pub(crate) fn text(&self, name: &str) -> Option<LitStr> {
        match self.value(name)? {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    /// `word = 1`, at least 1.
    pub(crate) fn count(&self, name: &str) -> Option<(u32, Span)> {
        match self.value(name)? {
            Value::Count(count, span) => Some((*count, *span)),
            _ => None,
        }
    }

    /// `word`, with nothing behind it.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.untold(name).is_some()
    }

    /// `word(path)`.
    pub(crate) fn path(&self, name: &str) -> Option<Path> {
        self.paths_of(name).into_iter().next()
    }

    /// `word(path, path)`, at least one.
    pub(crate) fn paths_of(&self, name: &str) -> Vec<Path> {
        match self.value(name) {
            Some(Value::Paths(paths)) => paths.clone(),
            _ => Vec::new(),
        }
    }

    /// `crate(path)`: where the runtime is. `::mire` if not given.
    pub(crate) fn krate(&self) -> TokenStream {
        match self.path("crate") {
            Some(path) => path.to_token_stream(),
            None => quote::quote!(::mire),
        }
    }
}

impl Named {
    /// Adds an event; `written` stands behind it.
    fn add(&mut self, path: Path, written: &[TokenTree], errors: &mut Errors) {
        let text = names::path_text(&path);
        let list = {
            let behind = written.iter().cloned();
            let whole = path.to_token_stream().into_iter().chain(behind);
            match written {
                [] => Listed {
                    paths: vec![path],
                    unclear: false,
                },
                [TokenTree::Group(_), ..] => {
                    errors.on(
                        &path,
                        "an event is named without its fields",
                        format_args!(
                            "write `{text}` alone, and the fields that are needed as parameters of the function",
                        ),
                    );
                    listed(whole.collect(), EVENT, &mut Errors::default())
                }
                _ => listed(whole.collect(), EVENT, errors),
            }
        };
        self.unclear |= list.unclear;
        for path in list.paths {
            let Some(event) = &mut self.event else {
                self.event = Some(path);
                continue;
            };
            if let (Some(set), Some(variant)) = (event.get_ident(), path.get_ident()) {
                errors.on(
                    &path,
                    format_args!("`{variant}` is parted from `{set}`"),
                    format_args!("write `{set}::{variant}`"),
                );
                event.segments.push(variant.clone().into());
                continue;
            }
            errors.on(
                &path,
                format_args!(
                    "a function handles one event, and `{}` is another",
                    names::path_text(&path)
                ),
                "write another function for this one",
            );
            self.others.push(path);
        }
    }
}

fn span_of(attrs: &[Attribute]) -> Span {
    let first = attrs.first();
    first.map_or_else(Span::call_site, |attr| attr.path().span())
}

/// The event in `= AccountEvent::Opened` or `(AccountEvent::Opened)`.
fn event_in(written: &[TokenTree]) -> Option<Path> {
    let tokens: TokenStream = match written {
        [TokenTree::Group(group)] => group.stream(),
        [TokenTree::Punct(_), behind @ ..] => behind.iter().cloned().collect(),
        _ => return None,
    };
    let path: Path = syn::parse2(tokens).ok()?;
    (path.segments.len() > 1).then_some(path)
}
