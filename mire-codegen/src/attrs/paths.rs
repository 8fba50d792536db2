//! Paths that are listed, such as the events of `#[ignores(…)]`, with the slips of those who write
//! them: a comma or a `::` that is another sign, quotes, braces.

use proc_macro2::{Delimiter, Ident, Spacing, TokenStream, TokenTree};
use quote::ToTokens;
use syn::Path;
use syn::parse::Parser;

use super::written::written;
use crate::errors::Errors;
use crate::names;

/// What a list names, for its messages.
#[derive(Clone, Copy)]
pub(crate) struct Naming {
    /// What each path is: "event".
    pub(crate) noun: &'static str,
    /// How the list is written.
    pub(crate) form: &'static str,
}

/// The paths of a list.
#[derive(Default)]
pub(crate) struct Listed {
    pub(crate) paths: Vec<Path>,
    /// Whether something in it is no path, so that more was meant than `paths` has.
    pub(crate) unclear: bool,
}

/// Reads a list of paths. Each slip is reported, and what was meant goes on.
pub(crate) fn listed(tokens: TokenStream, naming: Naming, errors: &mut Errors) -> Listed {
    let tokens = written(tokens, errors);
    let mut list = Listed::default();
    let (mut rest, mut behind_path) = (&*tokens, false);
    while let Some((token, behind)) = rest.split_first() {
        if is_punct(token, ',') {
            if !behind_path {
                stray_comma(token, errors);
            }
            (rest, behind_path) = (behind, false);
        } else if behind_path {
            rest = joint(rest, &mut list.paths, naming, errors);
            behind_path = !begins_path(rest);
        } else {
            rest = element(rest, naming, &mut list, errors);
            behind_path = true;
        }
    }
    list
}

/// A comma with nothing in front.
pub(crate) fn stray_comma(comma: &TokenTree, errors: &mut Errors) {
    errors.at(
        comma.span(),
        "nothing stands in front of this comma",
        "remove the comma",
    );
}

/// Two things that no comma parts.
pub(super) fn missing_comma(next: &[TokenTree], errors: &mut Errors) {
    let Some(first) = next.first() else { return };
    let text = match read_path(next) {
        Some(read) => names::path_text(&read.path),
        None => names::path_text(first),
    };
    errors.at(
        first.span(),
        format_args!("a comma is missing in front of `{text}`"),
        format_args!("put a comma before `{text}`"),
    );
}

/// Another sign in the place of a comma.
pub(super) fn other_comma(tokens: &[TokenTree], errors: &mut Errors) {
    let [first, behind @ ..] = tokens else { return };
    let sign = text_of(first, behind);
    errors.at(
        first.span(),
        format_args!("`{sign}` parts nothing here"),
        format_args!("write `,` instead of `{sign}`"),
    );
}

/// What stands behind a path where a comma is expected.
fn joint<'a>(
    rest: &'a [TokenTree],
    paths: &mut Vec<Path>,
    naming: Naming,
    errors: &mut Errors,
) -> &'a [TokenTree] {
    let behind = &rest[1..];
    match &rest[0] {
        TokenTree::Ident(_) | TokenTree::Literal(_) => {
            missing_comma(rest, errors);
            rest
        }
        TokenTree::Punct(sign) if sign.as_char() == '<' => {
            errors.at(
                sign.span(),
                format_args!("the {} is named without generic arguments", naming.noun),
                "remove `<…>`",
            );
            past_angles(rest)
        }
        sign @ TokenTree::Punct(_) => {
            let next = past_signs(behind);
            if is_punct(sign, '=')
                && let Some(read) = read_path(next)
                && let Some(label) = paths.pop()
            {
                errors.on(
                    &label,
                    format_args!("the {} is named without a label", naming.noun),
                    format_args!("write `{}`", names::path_text(&read.path)),
                );
            } else if begins_path(next) {
                other_comma(rest, errors);
            } else {
                let text = text_of(sign, behind);
                errors.at(
                    sign.span(),
                    format_args!("`{text}` has no place behind the {}", naming.noun),
                    format_args!("remove `{text}`"),
                );
            }
            past_signs(behind)
        }
        // What names a field is told better by who wants one.
        TokenTree::Group(_) if naming.noun == "field" => behind,
        group @ TokenTree::Group(_) => {
            let text = match group {
                TokenTree::Group(group) if group.stream().is_empty() => names::path_text(group),
                _ => "(…)".to_owned(),
            };
            errors.at(
                group.span(),
                format_args!("the {} is named by its path alone", naming.noun),
                format_args!("remove `{text}`"),
            );
            behind
        }
    }
}

/// One path, however it is written.
fn element<'a>(
    rest: &'a [TokenTree],
    naming: Naming,
    list: &mut Listed,
    errors: &mut Errors,
) -> &'a [TokenTree] {
    // `self` alone is a path as well, and so is `crate`, but neither is what has a name.
    let has_name = |read: &Read| {
        let alone = ["self", "super", "crate"].map(|word| read.path.is_ident(word));
        naming.noun == "module" || !alone.contains(&true)
    };
    if let Some(read) = read_path(rest).filter(has_name) {
        if let Some(name) = read.with_type(naming, errors) {
            list.paths.push(name);
            return past_element(&rest[read.tokens..]);
        }
        read.report(naming, errors);
        return behind_path(read, rest, naming, list, errors);
    }
    if let Some(path) = quoted(&rest[0], naming, errors) {
        list.paths.push(path);
        return &rest[1..];
    }
    match &rest[0] {
        TokenTree::Group(group) if !group.stream().is_empty() => {
            let inner = listed(group.stream(), naming, &mut Errors::default());
            let texts: Vec<String> = inner.paths.iter().map(names::path_text).collect();
            if texts.is_empty() {
                return no_path(rest, naming, list, errors);
            }
            errors.at(
                group.span_open(),
                format_args!("the {} is named without braces around it", naming.noun),
                format_args!("write `{}`", texts.join(", ")),
            );
            list.paths.extend(inner.paths);
            list.unclear |= inner.unclear;
            &rest[1..]
        }
        _ => no_path(rest, naming, list, errors),
    }
}

/// What stands behind the last segment and belongs to the path: `::*`, `::{A, B}`, or nothing.
fn behind_path<'a>(
    read: Read,
    rest: &'a [TokenTree],
    naming: Naming,
    list: &mut Listed,
    errors: &mut Errors,
) -> &'a [TokenTree] {
    let behind = &rest[read.tokens..];
    if !is_colons(behind) {
        list.paths.push(read.path);
        return behind;
    }
    let prefix = names::path_text(&read.path);
    match behind.get(2) {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
            let inner = listed(group.stream(), naming, errors);
            let whole = |path: &Path| joined(&read.path, path);
            let paths: Vec<Path> = inner.paths.iter().map(whole).collect();
            let texts: Vec<String> = paths.iter().map(names::path_text).collect();
            errors.at(
                group.span_open(),
                format_args!("each {} is named by its whole path", naming.noun),
                format_args!("write `{}`", texts.join(", ")),
            );
            list.paths.extend(paths);
            list.unclear |= inner.unclear;
            &behind[3..]
        }
        Some(token) if !is_punct(token, ',') => {
            errors.at(
                token.span(),
                format_args!("`{prefix}::{token}` names no {}", naming.noun),
                format_args!("name each, as in `{}`", naming.form),
            );
            list.unclear = true;
            past_element(&behind[3..])
        }
        _ => {
            errors.at(
                behind[1].span(),
                format_args!("a name is missing behind `{prefix}::`"),
                format_args!("write it as in `{}`", naming.form),
            );
            list.unclear = true;
            &behind[2..]
        }
    }
}

/// Something that is no path at all.
fn no_path<'a>(
    rest: &'a [TokenTree],
    naming: Naming,
    list: &mut Listed,
    errors: &mut Errors,
) -> &'a [TokenTree] {
    let text = text_of(&rest[0], &rest[1..]);
    let behind = past_signs(&rest[1..]);
    let is_sign = matches!(&rest[0], TokenTree::Punct(_));
    if is_sign && !["|", "<"].contains(&&*text) && begins_path(behind) {
        errors.at(
            rest[0].span(),
            format_args!("`{text}` has no place in front of the {}", naming.noun),
            format_args!("remove `{text}`"),
        );
        return element(behind, naming, list, errors);
    }
    let wrong = format!("`{text}` names no {}", naming.noun);
    match naming.noun {
        "function" if text == "_" => errors.at(
            rest[0].span(),
            format_args!("{wrong}, and each older version needs one"),
            "name the function that turns this version's payload into the next one's",
        ),
        _ => errors.at(
            rest[0].span(),
            wrong,
            format_args!("name each, as in `{}`", naming.form),
        ),
    }
    list.unclear = true;
    past_element(&rest[1..])
}

/// A path that was read, and how many tokens it took.
pub(super) struct Read {
    pub(super) path: Path,
    pub(super) tokens: usize,
    /// A sign that stands where `::` was meant.
    pub(super) slip: Option<TokenTree>,
}

impl Read {
    /// The name in `RoomId: u64`. That it says of which type it is, is a mistake.
    fn with_type(&self, naming: Naming, errors: &mut Errors) -> Option<Path> {
        let slip = self.slip.as_ref().filter(|it| is_punct(it, ':'))?;
        let name = &self.path.segments.first()?.ident;
        if naming.noun != "type" || !name.to_string().starts_with(char::is_uppercase) {
            return None;
        }
        errors.at(
            slip.span(),
            "the type is named alone, without what it holds",
            format_args!(
                "write `id({name})` for a UUID, or a path for a type of yours, as in `id(crate::{name})`"
            ),
        );
        Some(name.clone().into())
    }

    /// Reports a `.` or `:` between its segments.
    pub(super) fn report(&self, naming: Naming, errors: &mut Errors) {
        // What names a field is told better by who wants one.
        if let Some(slip) = &self.slip
            && naming.noun != "field"
        {
            errors.at(
                slip.span(),
                format_args!("`{slip}` doesn't join the parts of a path"),
                format_args!("write `{}`", names::path_text(&self.path)),
            );
        }
    }
}

/// The path that tokens begin with, also with `.` or `:` for `::`.
pub(super) fn read_path(tokens: &[TokenTree]) -> Option<Read> {
    let mut at = if is_colons(tokens) { 2 } else { 0 };
    let mut written: TokenStream = tokens[..at].iter().cloned().collect();
    let mut slip = None;
    loop {
        written.extend([TokenTree::Ident(name_at(tokens, at)?.clone())]);
        at += 1;
        let rest = &tokens[at..];
        if is_colons(rest) && name_at(rest, 2).is_some() {
            written.extend(rest[..2].iter().cloned());
            at += 2;
        } else if let Some(sign) = rest.first()
            && (is_punct(sign, '.') || is_punct(sign, ':') && at == 1)
            && name_at(rest, 1).is_some()
        {
            slip.get_or_insert(sign.clone());
            written.extend(quote::quote_spanned!(sign.span()=> ::));
            at += 1;
        } else {
            break;
        }
    }
    let path = Path::parse_mod_style.parse2(written).ok()?;
    Some(Read {
        path,
        tokens: at,
        slip,
    })
}

/// The path in a text, which is a mistake.
pub(super) fn quoted(token: &TokenTree, naming: Naming, errors: &mut Errors) -> Option<Path> {
    let text: syn::LitStr = syn::parse2(token.to_token_stream()).ok()?;
    let path = text.parse_with(Path::parse_mod_style).ok()?;
    if naming.noun == "event" && path.segments.len() < 2 {
        // That it names none is said of it anyway.
        return Some(path);
    }
    errors.at(
        text.span(),
        format_args!("the {} is named without quotes", naming.noun),
        format_args!("write `{}`", names::path_text(&path)),
    );
    Some(path)
}

fn joined(prefix: &Path, path: &Path) -> Path {
    let mut whole = prefix.clone();
    whole.segments.extend(path.segments.iter().cloned());
    whole
}

fn name_at(tokens: &[TokenTree], at: usize) -> Option<&Ident> {
    match tokens.get(at) {
        Some(TokenTree::Ident(name)) if name != "_" => Some(name),
        _ => None,
    }
}

/// Whether a path, or a text that holds one, stands there.
pub(super) fn begins_path(tokens: &[TokenTree]) -> bool {
    match tokens.first() {
        Some(TokenTree::Ident(name)) => name != "_",
        Some(TokenTree::Literal(_)) => true,
        Some(TokenTree::Punct(_)) => is_colons(tokens) && name_at(tokens, 2).is_some(),
        _ => false,
    }
}

pub(super) fn is_punct(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign)
}

/// Whether tokens begin with `::`.
pub(super) fn is_colons(tokens: &[TokenTree]) -> bool {
    matches!(tokens, [first, second, ..] if is_punct(first, ':') && is_punct(second, ':'))
}

/// Steps over further signs, as in `||`, up to a comma.
pub(super) fn past_signs(tokens: &[TokenTree]) -> &[TokenTree] {
    let sign = |token: &&TokenTree| matches!(token, TokenTree::Punct(_)) && !is_punct(token, ',');
    let signs = tokens.iter().take_while(sign).count();
    if is_colons(tokens) {
        tokens
    } else {
        &tokens[signs..]
    }
}

/// A token as text; a sign with those that stand right behind it.
fn text_of(first: &TokenTree, behind: &[TokenTree]) -> String {
    let mut text = names::path_text(first);
    let mut last = first;
    for token in behind {
        match (last, token) {
            (TokenTree::Punct(sign), TokenTree::Punct(next))
                if sign.spacing() == Spacing::Joint && next.as_char() != ',' =>
            {
                text.push(next.as_char());
            }
            _ => break,
        }
        last = token;
    }
    text
}

fn past_element(tokens: &[TokenTree]) -> &[TokenTree] {
    let len = tokens.iter().take_while(|it| !is_punct(it, ',')).count();
    &tokens[len..]
}

fn past_angles(tokens: &[TokenTree]) -> &[TokenTree] {
    let mut open = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        if is_punct(token, '<') {
            open += 1;
        } else if is_punct(token, '>') {
            open -= 1;
        }
        if open == 0 {
            return &tokens[at + 1..];
        }
    }
    &[]
}
