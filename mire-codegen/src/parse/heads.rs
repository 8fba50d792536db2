//! Slips in front of an item's name: a visibility in the wrong place or in another language's words, and
//! a struct without its `struct`. They are mended before the item is read once more.

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use syn::parse::ParseStream;
use syn::{Path, Token, Visibility};

use super::attributes::is_attribute;
use super::parts::attributes;
use crate::errors::Errors;
use crate::fragments;
use crate::names;

/// What begins a function or a type.
pub(super) const KEYWORDS: [&str; 3] = ["fn", "struct", "enum"];

/// What may stand before `fn`.
const QUALIFIERS: [&str; 4] = ["async", "const", "extern", "unsafe"];

/// What a module that a visibility names begins with.
const MODULES: [&str; 3] = ["crate", "self", "super"];

/// An item with its head as it was meant; `None` when there is no slip that is known here.
pub(super) fn mended(tokens: TokenStream, errors: &mut Errors) -> Option<TokenStream> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let (attrs, rest) = tokens.split_at(attributes(&tokens));
    let (vis, behind) = visibility(rest);
    let head = Head {
        is_called_by_mire: attrs.iter().any(|it| is_attribute(it, &["event", "on"])),
        vis,
        behind,
    };
    let mended = head
        .of_no_module(errors)
        .or_else(|| head.behind_keyword(errors))
        .or_else(|| head.behind_word(errors))
        .or_else(|| head.without_struct(errors))?;
    Some(attrs.iter().cloned().chain(mended).collect())
}

/// Whether the `pub` that follows stands behind the `fn` or `struct` that it belongs before, so that it
/// begins no other item.
pub(super) fn is_behind_keyword(before: Option<&TokenTree>, input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    before.is_some_and(|it| is_word(it, &KEYWORDS))
        && input.peek(Token![pub])
        && ahead.parse::<Visibility>().is_ok()
        && ahead.peek(syn::Ident)
}

/// What stands behind the attributes of an item.
struct Head<'a> {
    /// Whether nobody else calls the function, so that it has no visibility.
    is_called_by_mire: bool,
    vis: &'a [TokenTree],
    behind: &'a [TokenTree],
}

impl Head<'_> {
    /// `pub(crate, super) fn build`.
    fn of_no_module(&self, errors: &mut Errors) -> Option<Vec<TokenTree>> {
        let [_, TokenTree::Group(module)] = self.vis else {
            return None;
        };
        if syn::parse2::<Visibility>(of(self.vis)).is_ok() || !begins(self.behind) {
            return None;
        }
        let first = fragments::first(module.stream());
        let first = first.filter(|it| is_word(it, &MODULES));
        let path = first
            .as_ref()
            .and_then(|_| syn::parse2::<Path>(module.stream()).ok());
        let meant = match (path, first) {
            (Some(path), _) => format!("pub(in {})", names::path_text(&path)),
            (None, Some(first)) => format!("pub({first})"),
            (None, None) => "pub(crate)".to_owned(),
        };
        errors.at(
            module.span_open(),
            format_args!("`{}` is no visibility", text(self.vis)),
            self.mend(&meant, "it"),
        );
        Some(self.seen(&meant, module.span_open(), self.behind))
    }

    /// `fn pub build`.
    fn behind_keyword(&self, errors: &mut Errors) -> Option<Vec<TokenTree>> {
        let keyword = keyword(self.behind)?;
        let (before, rest) = self.behind.split_at(keyword + 1);
        let (vis, behind) = visibility(rest);
        let (Some(public), Some(TokenTree::Ident(name))) = (vis.first(), behind.first()) else {
            return None;
        };
        let (word, vis) = (&before[keyword], text(vis));
        errors.at(
            public.span(),
            format_args!("`{vis}` has no place between `{word}` and `{name}`"),
            self.mend(&format!("{vis} {word} {name}"), &vis),
        );
        let rest = [before, behind].concat();
        Some(self.seen(&vis, public.span(), &rest))
    }

    /// `public fn build`, `crate struct Room`.
    fn behind_word(&self, errors: &mut Errors) -> Option<Vec<TokenTree>> {
        let [TokenTree::Ident(word), behind @ ..] = self.behind else {
            return None;
        };
        let begins_itself = [&KEYWORDS[..], &QUALIFIERS].concat();
        if begins_itself.iter().any(|it| word == it) || !begins(behind) {
            return None;
        }
        let at = keyword(behind)?;
        let named = text(behind.get(at..at + 2)?);
        let vis = match word.to_string().as_str() {
            "public" => "pub",
            "crate" => "pub(crate)",
            _ => "",
        };
        let mend = match vis {
            "" => format!("remove `{word}`"),
            vis => self.mend(&format!("{vis} {named}"), &word.to_string()),
        };
        errors.at(
            word.span(),
            format_args!("`{word}` has no place in front of `{named}`"),
            mend,
        );
        Some(self.seen(vis, word.span(), behind))
    }

    /// `pub Room { … }`, `pub class Room { … }`.
    fn without_struct(&self, errors: &mut Errors) -> Option<Vec<TokenTree>> {
        let is_body = |it: &TokenTree| matches!(it, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
        let is_type = |name: &Ident| name.to_string().starts_with(char::is_uppercase);
        let (word, rest) = match self.behind {
            [TokenTree::Ident(word), rest @ ..] if !is_type(word) && is_no_item(word) => {
                (Some(word), rest)
            }
            rest => (None, rest),
        };
        let [TokenTree::Ident(name), body, ..] = rest else {
            return None;
        };
        if !is_type(name) || !is_body(body) {
            return None;
        }
        let wrong = match word {
            Some(word) => format!("`{word}` is no word before a struct's name"),
            None => format!("the struct `{name}` has no `struct`"),
        };
        let keyword = Ident::new("struct", word.map_or(name.span(), Ident::span));
        let vis = text(self.vis);
        let mend = format!("{vis} struct {name}");
        errors.at(
            keyword.span(),
            wrong,
            format_args!("write `{}`", mend.trim_start()),
        );
        Some([self.vis, &[keyword.into()], rest].concat())
    }

    /// What to do about a visibility that was meant to be `meant`, and is `written`.
    fn mend(&self, meant: &str, written: &str) -> String {
        match self.may_have_one() {
            true => format!("write `{meant}`"),
            false => format!("remove `{written}`"),
        }
    }

    fn may_have_one(&self) -> bool {
        !self.is_called_by_mire
    }

    /// The item with a visibility, or without one where it can't have any.
    fn seen(&self, vis: &str, at: Span, behind: &[TokenTree]) -> Vec<TokenTree> {
        let vis: TokenStream = match self.may_have_one() {
            true => vis.parse().unwrap_or_default(),
            false => TokenStream::new(),
        };
        let vis = vis.into_iter().map(|mut token| {
            token.set_span(at);
            token
        });
        vis.chain(behind.iter().cloned()).collect()
    }
}

/// A visibility, whatever stands in its parentheses, and what follows.
fn visibility(tokens: &[TokenTree]) -> (&[TokenTree], &[TokenTree]) {
    let is_pub = tokens.first().is_some_and(|it| is_word(it, &["pub"]));
    let has_module = matches!(
        tokens.get(1),
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis
    );
    tokens.split_at(usize::from(is_pub) + usize::from(is_pub && has_module))
}

/// Whether a function or a type begins here.
fn begins(tokens: &[TokenTree]) -> bool {
    tokens
        .first()
        .is_some_and(|it| is_word(it, &KEYWORDS) || is_word(it, &QUALIFIERS))
}

/// Where the keyword of a function or a type stands, behind the words that may stand before it.
fn keyword(tokens: &[TokenTree]) -> Option<usize> {
    let mut words = tokens
        .iter()
        .take_while(|it| matches!(it, TokenTree::Ident(_) | TokenTree::Literal(_)));
    words.position(|it| is_word(it, &KEYWORDS))
}

/// Whether a word begins no item of Rust that has a name and braces.
fn is_no_item(word: &Ident) -> bool {
    let is_keyword = syn::parse2::<Ident>(of(&[word.clone().into()])).is_err();
    word == "type" || !is_keyword && word != "union"
}

pub(super) fn is_word(token: &TokenTree, words: &[&str]) -> bool {
    matches!(token, TokenTree::Ident(word) if words.iter().any(|it| word == it))
}

fn of(tokens: &[TokenTree]) -> TokenStream {
    tokens.iter().cloned().collect()
}

/// Tokens as they are written.
fn text(tokens: &[TokenTree]) -> String {
    let text = of(tokens).to_string();
    text.replace(" (", "(")
        .replace(" ::", "::")
        .replace(":: ", "::")
}
