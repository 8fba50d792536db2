//! An aggregate in `projection!`, or a projection in `aggregate!`.

use proc_macro2::{Ident, TokenStream, TokenTree};

use crate::errors::Errors;
use crate::fragments;

/// What a macro knows by these attributes.
pub(crate) struct Declares {
    /// On the struct: `aggregate`. The macro is called so, too.
    pub(crate) name: &'static str,
    /// On functions, and beside the struct's.
    others: &'static [&'static str],
    article: &'static str,
}

pub(crate) const AGGREGATE: Declares = Declares {
    name: "aggregate",
    others: &["event", "command"],
    article: "an",
};

pub(crate) const PROJECTION: Declares = Declares {
    name: "projection",
    others: &["on", "ignores"],
    article: "a",
};

/// Whether the content of the macro of `own` is for the one of `other`, which is a mistake. It goes
/// out as that one writes it, so that nothing follows.
pub(crate) fn refused(
    own: &Declares,
    other: &Declares,
    tokens: &TokenStream,
    errors: &mut Errors,
) -> bool {
    let attributes = attributes(tokens);
    let find = |name: &str| attributes.iter().find(|it| **it == name);
    let any = |names: &[&str]| names.iter().any(|name| find(name).is_some());
    let Some(attribute) = find(other.name) else {
        return false;
    };
    if any(&[own.name]) || any(own.others) && !any(other.others) {
        return false;
    }
    let Declares { name, article, .. } = other;
    errors.at(
        attribute.span(),
        format_args!(
            "this declares {article} {name}, and `{}!` knows none",
            own.name
        ),
        format_args!("write `mire::{name}!(` in its place"),
    );
    true
}

/// The names of the attributes of all items.
fn attributes(tokens: &TokenStream) -> Vec<Ident> {
    let mut names = Vec::new();
    let mut behind_hash = false;
    for token in tokens.clone() {
        if let TokenTree::Group(group) = &token
            && behind_hash
            && let Some(TokenTree::Ident(name)) = fragments::first(group.stream())
        {
            names.push(name);
        }
        behind_hash = matches!(&token, TokenTree::Punct(hash) if hash.as_char() == '#');
    }
    names
}
