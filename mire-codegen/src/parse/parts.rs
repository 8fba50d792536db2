//! What stands between commas, a parameter or a field each: where one ends, also without its comma, and
//! the slips that both can have.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use syn::Type;

use crate::attrs::stray_comma;
use crate::errors::Errors;
use crate::fragments;
use crate::names;

/// The parts between commas; those between angles part nothing, unless a name with a type follows, so
/// that a `>` is missing. A comma with nothing in front is a mistake.
pub(super) fn commas(tokens: &[TokenTree], errors: &mut Errors) -> Vec<Vec<TokenTree>> {
    let mut chunks: Vec<Vec<TokenTree>> = vec![Vec::new()];
    let mut angles = Angles::default();
    for (at, token) in tokens.iter().enumerate() {
        angles.pass(token);
        let rest = &tokens[at + 1..];
        if is_punct(token, ',') && (angles.open < 1 || rest.is_empty() || begins_named(rest)) {
            if chunks.last().is_some_and(Vec::is_empty) {
                stray_comma(token, errors);
            }
            chunks.push(Vec::new());
            angles = Angles::default();
        } else if let Some(chunk) = chunks.last_mut() {
            chunk.push(token.clone());
        }
    }
    chunks.retain(|chunk| !chunk.is_empty());
    chunks
}

/// Counts the angles that are open.
#[derive(Default)]
struct Angles {
    open: i32,
    behind_dash: bool,
}

impl Angles {
    fn pass(&mut self, token: &TokenTree) {
        if is_punct(token, '<') {
            self.open += 1;
        } else if is_punct(token, '>') && !self.behind_dash {
            self.open -= 1;
        }
        self.behind_dash = is_punct(token, '-');
    }
}

/// Whether `name: …` stands there, behind attributes and a visibility.
pub(super) fn begins_named(tokens: &[TokenTree]) -> bool {
    match &tokens[head(tokens)..] {
        [TokenTree::Ident(_), colon, rest @ ..] => {
            is_punct(colon, ':') && !rest.first().is_some_and(|it| is_punct(it, ':'))
        }
        _ => false,
    }
}

/// How many tokens the attributes take.
pub(super) fn attributes(tokens: &[TokenTree]) -> usize {
    let mut at = 0;
    while let [hash, TokenTree::Group(_), ..] = &tokens[at..]
        && is_punct(hash, '#')
    {
        at += 2;
    }
    at
}

/// How many tokens the attributes and the visibility take.
pub(super) fn head(tokens: &[TokenTree]) -> usize {
    let at = attributes(tokens);
    match &tokens[at..] {
        [TokenTree::Ident(word), TokenTree::Group(_), ..] if word == "pub" => at + 2,
        [TokenTree::Ident(word), ..] if word == "pub" => at + 1,
        _ => at,
    }
}

/// What stands in front of attributes that nothing follows, which are a mistake: `amount: i64 /// How much`.
pub(super) fn without_trailing<'a>(
    tokens: &'a [TokenTree],
    what: &str,
    errors: &mut Errors,
) -> &'a [TokenTree] {
    let mut rest = tokens;
    let mut first = None;
    while let [before @ .., hash, TokenTree::Group(attribute)] = rest
        && is_punct(hash, '#')
        && attribute.delimiter() == Delimiter::Bracket
    {
        first = fragments::first(attribute.stream());
        rest = before;
    }
    if let Some(TokenTree::Ident(word)) = first {
        let wrong = match word == "doc" {
            true => "this comment documents nothing",
            false => "this attribute stands on nothing",
        };
        errors.at(
            word.span(),
            wrong,
            format_args!("put it before the {what} that it is about"),
        );
    }
    rest
}

/// A type with as many `>` as `<`, when that makes it one. That there were more or fewer is a mistake.
pub(super) fn balanced(written: &[TokenTree], errors: &mut Errors) -> Option<Type> {
    let mut angles = Angles::default();
    written.iter().for_each(|token| angles.pass(token));
    let last = written.last()?;
    let kept = match usize::try_from(-angles.open) {
        Ok(0) => return None,
        Ok(extra) => &written[..written.len().checked_sub(extra)?],
        Err(_) => written,
    };
    if kept.last().is_none_or(|it| is_punct(it, '<')) {
        return None;
    }
    let mut mended: TokenStream = kept.iter().cloned().collect();
    for _ in 0..angles.open {
        mended.extend(quote::quote_spanned!(last.span()=> >));
    }
    let ty: Type = syn::parse2(mended).ok()?;
    let wrong = match angles.open < 0 {
        true => "this `>` closes nothing",
        false => "behind this, a `>` is missing",
    };
    let mend = format!("write `{}`", names::type_text(&ty));
    errors.at(last.span(), wrong, mend);
    Some(ty)
}

/// Mends a name that is a word of Rust, which is a mistake.
pub(super) fn unreserved(tokens: &[TokenTree], errors: &mut Errors) -> Option<Vec<TokenTree>> {
    let at = head(tokens);
    let Some(TokenTree::Ident(name)) = tokens.get(at) else {
        return None;
    };
    let raw = raw(name).filter(|_| begins_named(tokens))?;
    refuse_keyword(name, &raw, errors);
    let mut mended = tokens.to_vec();
    mended[at] = raw.into();
    Some(mended)
}

/// A keyword as a name; `None` when it is a name already, or never one.
pub(super) fn raw(name: &Ident) -> Option<Ident> {
    let text = name.to_string();
    let is_name = |text: &str| syn::parse_str::<Ident>(text).is_ok();
    let can_be = !is_name(&text) && is_name(&format!("r#{text}"));
    can_be.then(|| Ident::new_raw(&text, name.span()))
}

pub(super) fn refuse_keyword(name: &Ident, raw: &Ident, errors: &mut Errors) {
    errors.at(
        name.span(),
        format_args!("`{name}` is a keyword"),
        format_args!("write `{raw}`"),
    );
}

/// Reports a comma that is missing, or another sign in its place.
pub(super) fn parted<'a>(rest: &'a [TokenTree], errors: &mut Errors) -> &'a [TokenTree] {
    match rest {
        [sign @ TokenTree::Punct(punct), behind @ ..] if [';', '.'].contains(&punct.as_char()) => {
            errors.at(
                sign.span(),
                format_args!("`{sign}` parts nothing here"),
                format_args!("write `,` instead of `{sign}`"),
            );
            behind
        }
        [first, ..] => {
            let text = match is_punct(first, '#') {
                true => "#[…]".to_owned(),
                false => first.to_string(),
            };
            errors.at(
                first.span(),
                format_args!("a comma is missing in front of `{text}`"),
                format_args!("put a comma before `{text}`"),
            );
            rest
        }
        [] => rest,
    }
}

/// `i64 amount` as `amount: i64`, as other languages have it, or else `amount i64` as that.
pub(super) fn with_colon<'a>(name: &'a Ident, ty: &'a Type) -> (TokenStream, String) {
    let text = names::type_text(ty);
    let is_type = |text: &str| {
        text.starts_with(char::is_uppercase)
            || text == "bool"
            || text.len() < 5 && text.ends_with(|c: char| c.is_ascii_digit())
    };
    match is_type(&name.to_string()) && !is_type(&text) {
        true => (quote::quote!(#ty: #name), format!("{text}: {name}")),
        false => (quote::quote!(#name: #ty), format!("{name}: {text}")),
    }
}

pub(super) fn is_punct(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign)
}

pub(super) fn spaced(tokens: &[TokenTree]) -> String {
    let tokens: TokenStream = tokens.iter().cloned().collect();
    tokens.to_string()
}
