//! Which types are known by their names, and of which the compiler has to be asked.

use proc_macro2::{TokenStream, TokenTree};
use quote::quote;

use crate::names;

/// Types that can be stored for certain.
const STORED: [&str; 17] = [
    "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32",
    "u64", "u128", "usize", "String",
];

/// Types that can be stored when what is in them can.
const HOLDERS: [&str; 3] = ["Box", "Option", "Vec"];

/// What is to be asked of a field's type: whether it can be stored, or what it holds.
pub(crate) fn questionable(ty: &TokenStream) -> Option<TokenStream> {
    let mut tokens: Vec<TokenTree> = ty.clone().into_iter().collect();
    let text = names::path_text(ty);
    if text.starts_with("::std::vec::Vec<") {
        // A slice, as it is stored: `Vec` alone is known below.
        let path = quote!(::std::vec::).into_iter().count();
        tokens.drain(..path);
    }
    let is = |at: usize, known: &[&str]| matches!(tokens.get(at), Some(TokenTree::Ident(ident)) if known.iter().any(|name| ident == name));
    let is_punct = |at: usize, c: char| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == c);
    let last = tokens.len().saturating_sub(1);
    if is(0, &HOLDERS) && is_punct(1, '<') && is_punct(last, '>') {
        // A trailing comma, as rustfmt leaves one in a macro, is none of the type's.
        let end = if is_punct(last - 1, ',') {
            last - 1
        } else {
            last
        };
        // `Option<A, B>` is no type that could be asked for; rustc says so.
        if are_several(&tokens[2..end]) {
            return None;
        }
        let inner: TokenStream = tokens[2..end].iter().cloned().collect();
        // Of a `Box<str>` there is nothing to ask, and of a `Box<[T]>` all.
        return match names::path_text(&inner) {
            text if text == "str" => None,
            text if text.starts_with('[') && is(0, &["Box"]) => Some(ty.clone()),
            _ => questionable(&inner),
        };
    }
    // `Option<>` holds nothing that could be asked for; rustc says so.
    if tokens.is_empty() {
        return None;
    }
    let certain = last == 0 && is(0, &STORED) || text == "::std::string::String";
    (!certain).then(|| ty.clone())
}

/// Whether a comma stands between arguments, and not within one's own.
fn are_several(arguments: &[TokenTree]) -> bool {
    let mut depth = 0_usize;
    let mut before = ' ';
    arguments.iter().any(|token| {
        let TokenTree::Punct(punct) = token else {
            before = ' ';
            return false;
        };
        match punct.as_char() {
            '<' => depth += 1,
            '>' if before != '-' => depth = depth.saturating_sub(1),
            _ => {}
        }
        before = punct.as_char();
        before == ',' && depth == 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(ty: &str) -> Option<String> {
        questionable(&ty.parse().unwrap()).map(|ty| ty.to_string().replace(' ', ""))
    }

    #[test]
    fn what_is_in_known_types_is_asked_for() {
        assert_eq!(asked("i64"), None);
        assert_eq!(asked("Option<Vec<String>>"), None);
        assert_eq!(asked("Option<String,>"), None);
        assert_eq!(asked("Option<>"), None);
        assert_eq!(asked("Option<Money, Money>"), None);
        let map = "Option<Map<fn() -> Money, Money>>";
        assert_eq!(asked(map).as_deref(), Some("Map<fn()->Money,Money>"));
        assert_eq!(asked("::std::vec::Vec<u8>"), None);
        assert_eq!(asked("Money").as_deref(), Some("Money"));
        assert_eq!(asked("Vec<Option<Money,>>").as_deref(), Some("Money"));
        assert_eq!(asked("Map<String,i64>").as_deref(), Some("Map<String,i64>"));
    }
}
