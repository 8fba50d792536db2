//! The value of a word: what its form asks for, and what was meant by one of another form.

use darling::FromMeta;
use darling::util::PathList;
use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{LitInt, LitStr, Meta, Path};

use super::paths::{Listed, Naming, is_punct, listed};
use crate::errors::Errors;
use crate::keywords::{Kind, Word};
use crate::names;

/// What a word says.
pub(super) enum Value {
    Text(LitStr),
    Count(u32, Span),
    Paths(Vec<Path>),
    Flag,
    /// A mistake, told already, that leaves open what was meant.
    Unclear,
}

impl Value {
    /// Reads what stands behind a word. A value of another form is a mistake.
    pub(super) fn read(
        word: &'static Word,
        span: Span,
        written: &[TokenTree],
        errors: &mut Errors,
    ) -> Self {
        let mut right = || match word.kind() {
            Kind::Flag => written.is_empty().then_some(Self::Flag),
            Kind::Text => as_written(written).map(Self::Text),
            Kind::Count => as_written(written).map(|number| count(word, &number, errors)),
            Kind::Path | Kind::Paths => {
                let [TokenTree::Group(group)] = written else {
                    return None;
                };
                let blank = |paths: &PathList| paths.iter().any(|path| path.is_ident("_"));
                let list = match as_written::<PathList>(written) {
                    Some(paths) if !blank(&paths) => Listed {
                        paths: paths.to_vec(),
                        unclear: false,
                    },
                    _ => listed(group.stream(), naming(word), errors),
                };
                (!group.stream().is_empty()).then(|| paths(word, list, errors))
            }
        };
        right().unwrap_or_else(|| {
            let meant = Self::meant(word, written);
            wrong_form(word, span, written, &meant, errors);
            meant
        })
    }

    /// What was probably meant by a value of another form.
    fn meant(word: &'static Word, written: &[TokenTree]) -> Self {
        let computed = written
            .iter()
            .any(|it| is_punct(it, '!') || is_punct(it, '-'));
        if computed {
            return Self::Unclear;
        }
        let silent = &mut Errors::default();
        let value = match word.kind() {
            Kind::Flag => Some(Self::Flag),
            Kind::Text => text_in(written).map(Self::Text),
            Kind::Count => {
                number_in(written).and_then(|number| match count(word, &number, silent) {
                    Self::Unclear => None,
                    value => Some(value),
                })
            }
            Kind::Path | Kind::Paths => {
                let signs = written
                    .iter()
                    .take_while(|it| matches!(it, TokenTree::Punct(_)));
                let rest = &written[signs.count()..];
                let tokens = match rest {
                    [TokenTree::Group(group)] => group.stream(),
                    rest => rest.iter().cloned().collect(),
                };
                Some(paths(word, listed(tokens, naming(word), silent), silent))
            }
        };
        match value {
            Some(Self::Paths(paths)) if paths.is_empty() => Self::Unclear,
            value => value.unwrap_or(Self::Unclear),
        }
    }

    /// The word with this value, as it is to be written.
    pub(super) fn form(&self, word: &Word) -> String {
        match self {
            Self::Text(text) => format!("{} = {:?}", word.name, text.value()),
            Self::Count(count, _) => format!("{} = {count}", word.name),
            Self::Paths(paths) => {
                let texts: Vec<String> = paths.iter().map(names::path_text).collect();
                format!("{}({})", word.name, texts.join(", "))
            }
            Self::Flag => word.name.to_owned(),
            Self::Unclear => word.form.to_owned(),
        }
    }

    pub(super) fn is_clear(&self) -> bool {
        !matches!(self, Self::Unclear)
    }
}

/// A value in the form that is asked for: `= "account"`, `= 2`, `(AccountEvent, OrderEvent)`.
fn as_written<T: FromMeta>(written: &[TokenTree]) -> Option<T> {
    let written = written.iter();
    let meta: Meta = syn::parse2(quote!(word #(#written)*)).ok()?;
    T::from_meta(&meta).ok()
}

/// What the paths of a word are.
fn naming(word: &Word) -> Naming {
    let noun = match word.name {
        "reads" => "enum of events",
        "upcast" => "function",
        "key" => "field",
        "crate" => "module",
        _ => "type",
    };
    Naming {
        noun,
        form: word.form,
    }
}

fn count(word: &Word, number: &LitInt, errors: &mut Errors) -> Value {
    let name = word.name;
    let is_negative = number.to_string().starts_with('-');
    match number.base10_parse::<u32>() {
        Ok(count) if count > 0 => return Value::Count(count, number.span()),
        _ if is_negative || number.base10_digits() == "0" => errors.at(
            number.span(),
            format_args!("`{name}` is a count of at least 1"),
            format_args!("write `{name} = 1`, or more"),
        ),
        _ => errors.at(
            number.span(),
            format_args!("`{number}` is too large for `{name}`"),
            format_args!("write a smaller number, at most {}", u32::MAX),
        ),
    }
    Value::Unclear
}

fn paths(word: &Word, list: Listed, errors: &mut Errors) -> Value {
    let Listed { mut paths, unclear } = list;
    if paths.is_empty() {
        return Value::Unclear;
    }
    if word.kind() == Kind::Path && paths.len() > 1 {
        let (first, second) = (names::path_text(&paths[0]), names::path_text(&paths[1]));
        errors.on(
            &paths[1],
            format_args!("`{}` takes one, and `{second}` is another", word.name),
            format_args!("write `{}({first})`", word.name),
        );
        paths.truncate(1);
    }
    // Of several events or functions, one that is unknown leaves open what all of them are.
    if unclear && word.name == "upcast" {
        return Value::Unclear;
    }
    Value::Paths(paths)
}

fn wrong_form(word: &Word, span: Span, written: &[TokenTree], meant: &Value, errors: &mut Errors) {
    let (name, equals) = (word.name, |it| is_punct(it, '='));
    let empty = match written {
        [] => true,
        [only] if equals(only) => true,
        [TokenTree::Group(group)] => group.stream().is_empty(),
        _ => false,
    };
    if empty && word.kind() != Kind::Flag {
        errors.at(
            span,
            format_args!("`{name}` has no value"),
            format_args!("write it as in `{}`", word.form),
        );
        return;
    }
    let span = match written {
        [first, second, ..] if equals(first) => second.span(),
        [TokenTree::Group(_), ..] | [] => span,
        [first, ..] => first.span(),
    };
    let mend = if meant.is_clear() {
        format!("write `{}`", meant.form(word))
    } else {
        format!("write it as in `{}`", word.form)
    };
    errors.at(
        span,
        format_args!("`{name}` is not written like this"),
        mend,
    );
}

/// The one text in a value, or the one small name.
fn text_in(written: &[TokenTree]) -> Option<LitStr> {
    let leaves = leaves(written);
    let texts = leaves
        .iter()
        .filter_map(|it| syn::parse2(it.to_token_stream()).ok());
    match <[LitStr; 1]>::try_from(texts.collect::<Vec<_>>()) {
        Ok([text]) => Some(text),
        Err(_) => match &*leaves {
            [TokenTree::Ident(name)] => {
                let text = name.to_string();
                // A constant's value is its own affair.
                let small = text.starts_with(|c: char| c.is_lowercase());
                small.then(|| LitStr::new(&text, name.span()))
            }
            _ => None,
        },
    }
}

/// The one number in a value, also in quotes.
fn number_in(written: &[TokenTree]) -> Option<LitInt> {
    let leaves = leaves(written);
    let numbers = leaves.iter().filter_map(|it| {
        let tokens = it.to_token_stream();
        let quoted = || syn::parse2::<LitStr>(tokens.clone()).ok()?.parse().ok();
        syn::parse2::<LitInt>(tokens.clone()).ok().or_else(quoted)
    });
    let [number] = <[LitInt; 1]>::try_from(numbers.collect::<Vec<_>>()).ok()?;
    Some(number)
}

/// All names and literals of a value.
fn leaves(written: &[TokenTree]) -> Vec<TokenTree> {
    let mut leaves = Vec::new();
    for token in written {
        match token {
            TokenTree::Group(group) => {
                let inner: Vec<TokenTree> = TokenStream::into_iter(group.stream()).collect();
                leaves.extend(self::leaves(&inner));
            }
            TokenTree::Punct(_) => {}
            token => leaves.push(token.clone()),
        }
    }
    leaves
}
