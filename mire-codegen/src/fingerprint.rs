//! A hash of tokens that white space, doc comments and trailing commas don't change.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// FNV-1a: small, and the same on every machine and compiler.
pub(crate) struct Fingerprint(u64);

impl Fingerprint {
    pub(crate) fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    pub(crate) fn text(&mut self, text: &str) {
        for byte in text.bytes().chain([0]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    pub(crate) fn tokens(&mut self, tokens: TokenStream) {
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    if tokens.next_if(is_doc).is_none() {
                        self.text("#");
                    }
                }
                TokenTree::Punct(punct) if punct.as_char() == ',' => {
                    if tokens.peek().is_some() {
                        self.text(",");
                    }
                }
                TokenTree::Group(group) => {
                    let (open, close) = match group.delimiter() {
                        Delimiter::Parenthesis => ("(", ")"),
                        Delimiter::Brace => ("{", "}"),
                        Delimiter::Bracket => ("[", "]"),
                        Delimiter::None => ("", ""),
                    };
                    self.text(open);
                    self.tokens(group.stream());
                    self.text(close);
                }
                token => self.text(&token.to_string()),
            }
        }
    }

    pub(crate) fn finish(self) -> u64 {
        self.0
    }

    /// 31 bits, never negative as an `i32`.
    pub(crate) fn folded(self) -> u32 {
        let folded = self.0 ^ (self.0 >> 32);
        u32::try_from(folded & 0x7fff_ffff).unwrap_or_default()
    }
}

/// `[doc = "…"]`, behind a `#`.
fn is_doc(token: &TokenTree) -> bool {
    let TokenTree::Group(group) = token else {
        return false;
    };
    group.delimiter() == Delimiter::Bracket
        && matches!(group.stream().into_iter().next(), Some(TokenTree::Ident(word)) if word == "doc")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(source: &str) -> u32 {
        let mut fingerprint = Fingerprint::new();
        fingerprint.tokens(source.parse().unwrap());
        fingerprint.folded()
    }

    #[test]
    fn layout_and_docs_make_no_difference() {
        let plain = of("struct A { x: i64, y: String }");
        assert_eq!(
            plain,
            of("struct A {\n    /// The x.\n    x: i64,\n    y: String,\n}")
        );
        assert_ne!(plain, of("struct A { y: String, x: i64 }"));
        assert_ne!(
            plain,
            of("struct A { #[serde(default)] x: i64, y: String }")
        );
        assert_ne!(of("a b"), of("ab"));
    }
}
