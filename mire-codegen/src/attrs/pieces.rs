//! The parts of an attribute: words with what stands behind them, parted by commas, or by what was
//! typed in their place.

use proc_macro2::{TokenStream, TokenTree};
use syn::Path;

use super::paths::{
    Naming, Read, begins_path, is_punct, missing_comma, other_comma, past_signs, read_path,
    stray_comma,
};
use super::written::written;
use crate::errors::Errors;
use crate::keywords::{Place, words_of};
use crate::names;

/// A part of an attribute.
pub(super) enum Piece {
    /// A name, and what stands behind it.
    Named(Path, Vec<TokenTree>),
    /// Something that begins with no name.
    Bare(Vec<TokenTree>),
}

/// What an event is named for in `#[on(…)]`.
pub(super) const EVENT: Naming = Naming {
    noun: "event",
    form: "#[on(AccountEvent::Opened)]",
};

/// Takes the content of an attribute apart.
pub(super) fn pieces(place: Place, tokens: TokenStream, errors: &mut Errors) -> Vec<Piece> {
    let tokens = written(tokens, errors);
    let mut pieces = Vec::new();
    let mut rest = &*tokens;
    while let Some((first, behind)) = rest.split_first() {
        if is_punct(first, ',') {
            stray_comma(first, errors);
            rest = behind;
            continue;
        }
        let (piece, behind) = piece(place, rest, errors);
        pieces.push(piece);
        rest = comma(place, behind, errors);
    }
    pieces
}

/// Steps over the comma behind a piece, or over what stands in its place.
fn comma<'a>(place: Place, rest: &'a [TokenTree], errors: &mut Errors) -> &'a [TokenTree] {
    let Some((first, behind)) = rest.split_first() else {
        return rest;
    };
    if is_punct(first, ',') {
        return behind;
    }
    if begins_path(rest) {
        missing_comma(rest, errors);
        return rest;
    }
    let behind = past_signs(behind);
    let next = |read: Read| words_of(place).any(|word| read.path.is_ident(word.name));
    // That a second event has no place there is said of the event.
    if place != Place::On || read_path(behind).is_none_or(next) {
        other_comma(rest, errors);
    }
    behind
}

fn piece<'a>(
    place: Place,
    tokens: &'a [TokenTree],
    errors: &mut Errors,
) -> (Piece, &'a [TokenTree]) {
    let is_word = |path: &Path| words_of(place).any(|word| path.is_ident(word.name));
    let end = |rest: &[TokenTree]| rest.iter().take_while(|it| !is_punct(it, ',')).count();
    let Some(mut read) = read_path(tokens) else {
        // A text or a number alone stands for its word.
        let len = match tokens {
            [TokenTree::Literal(_), ..] => 1,
            tokens => end(tokens),
        };
        return (Piece::Bare(tokens[..len].to_vec()), &tokens[len..]);
    };
    if read.slip.is_some()
        && let Some(word) = read_path(&tokens[..1])
        && (place != Place::On || is_word(&word.path))
    {
        // `category: account` is a word with a value.
        read = word;
    }
    if place == Place::On {
        read.report(EVENT, errors);
    }
    let rest = &tokens[read.tokens..];
    // What is named may be followed by another word, also without a comma.
    let is_small = |text: String| text.starts_with(|c: char| c.is_lowercase());
    let is_name = read.path.segments.len() == 1 && is_small(names::path_text(&read.path));
    let takes_name = place != Place::On || is_name;
    let len = value_len(
        rest,
        takes_name,
        &|token| matches!(token, TokenTree::Ident(name) if words_of(place).any(|it| name == it.name)),
    );
    let value = rest[..len].to_vec();
    (Piece::Named(read.path, value), &rest[len..])
}

/// How many tokens behind a word are its value. What stands behind that is another piece, also
/// without a comma.
fn value_len(rest: &[TokenTree], takes_name: bool, is_word: &dyn Fn(&TokenTree) -> bool) -> usize {
    let operand = |at: usize| match rest.get(at) {
        Some(TokenTree::Ident(_)) => read_path(&rest[at..]).map_or(1, |read| read.tokens),
        Some(TokenTree::Group(_) | TokenTree::Literal(_)) => 1,
        _ => 0,
    };
    let mut len = match rest.first() {
        None => return 0,
        Some(TokenTree::Group(_)) => 1,
        Some(TokenTree::Ident(_)) if !takes_name || is_word(&rest[0]) => return 0,
        Some(TokenTree::Ident(_) | TokenTree::Literal(_)) => operand(0),
        Some(token) if is_punct(token, ',') => return 0,
        Some(TokenTree::Punct(_)) if !takes_name && begins_path(past_signs(&rest[1..])) => {
            return 0;
        }
        Some(TokenTree::Punct(_)) => {
            let signs = rest
                .iter()
                .take_while(|it| matches!(it, TokenTree::Punct(_)));
            let signs = signs.take_while(|it| !is_punct(it, ',')).count();
            // In `category = id(…)` the value is missing.
            let next = rest.get(signs).filter(|it| !is_word(it));
            signs + next.map_or(0, |_| operand(signs))
        }
    };
    // `concat!("a", "b")`, `10 * 10`: no value either, but all of it is meant to be one.
    while let Some(token) = rest.get(len) {
        let parts = [',', ';', '|'].iter().any(|sign| is_punct(token, *sign));
        match token {
            TokenTree::Punct(_) if !parts => {
                let next = rest.get(len + 1).filter(|it| takes_name && !is_word(it));
                len += 1 + next.map_or(0, |_| operand(len + 1));
            }
            TokenTree::Group(_) => len += 1,
            _ => break,
        }
    }
    len
}
