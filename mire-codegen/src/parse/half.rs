//! What is only begun: a function without its name or its parameters, or a word with nothing behind
//! it.

use proc_macro2::{Ident, TokenStream};
use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{Attribute, Token, Visibility, token};

use crate::errors::Errors;

/// Reports `fn blocked`.
pub(super) fn function(name: &Ident, attrs: &[Attribute], errors: &mut Errors) {
    errors.at(
        name.span(),
        format_args!("the function `{name}` has no parameters and no body"),
        format_args!("write it as in `{}`", form(&name.to_string(), attrs)),
    );
}

/// Reports `fn` or `pub` alone; answers whether it was so.
pub(super) fn word(tokens: &TokenStream, errors: &mut Errors) -> bool {
    let parser = |input: ParseStream<'_>| {
        Ok((
            input.call(Attribute::parse_outer)?,
            input.parse::<Visibility>()?,
            input.parse::<Option<Token![fn]>>()?,
        ))
    };
    let Ok((attrs, vis, keyword)) = parser.parse2(tokens.clone()) else {
        return false;
    };
    let (span, word) = match (&vis, keyword) {
        (_, Some(keyword)) => (keyword.span, "fn"),
        (Visibility::Inherited, None) => return false,
        (vis, None) => (vis.span(), "pub"),
    };
    errors.at(
        span,
        format_args!("nothing stands behind `{word}`"),
        format_args!("write it as in `{}`", form("name", &attrs)),
    );
    true
}

/// Reports `fn () {}`; answers whether it was so.
pub(super) fn nameless(tokens: &TokenStream, errors: &mut Errors) -> bool {
    let parser = |input: ParseStream<'_>| {
        let attrs = input.call(Attribute::parse_outer)?;
        input.parse::<Visibility>()?;
        input.parse::<Option<Token![async]>>()?;
        let keyword = input.parse::<Token![fn]>()?;
        let is_nameless = input.peek(token::Paren) || input.peek(Token![<]);
        input.parse::<TokenStream>()?;
        Ok(is_nameless.then_some((attrs, keyword)))
    };
    let Ok(Some((attrs, keyword))) = parser.parse2(tokens.clone()) else {
        return false;
    };
    errors.at(
        keyword.span,
        "behind `fn`, the name of the function is missing",
        format_args!("write it as in `{}`", form("name", &attrs)),
    );
    true
}

/// A function as it is to be written.
fn form(name: &str, attrs: &[Attribute]) -> String {
    let has = |name: &str| attrs.iter().any(|attr| attr.path().is_ident(name));
    match has("command") {
        true => format!("pub fn {name}(&self) -> AccountEvent {{ … }}"),
        false => format!("fn {name}(&mut self) {{ … }}"),
    }
}
