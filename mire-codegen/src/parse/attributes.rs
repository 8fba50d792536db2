//! Sorts the attributes of an item: the macro's own, documentation, derives, and what passes
//! through.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Lit, Meta, Path, Token};

use super::parts::is_punct;
use crate::errors::Errors;
use crate::fragments;
use crate::model::Docs;
use crate::names;

/// The attributes that belong to the macros.
pub(super) const OWN: [&str; 6] = [
    "aggregate",
    "event",
    "command",
    "projection",
    "ignores",
    "on",
];

/// Whether one of these attributes stands among the tokens, on an item.
pub(super) fn marks(tokens: &TokenStream, names: &[&str]) -> bool {
    let mut behind_hash = false;
    tokens.clone().into_iter().any(|token| {
        let was_behind = std::mem::replace(&mut behind_hash, is_punct(&token, '#'));
        was_behind && is_attribute(&token, names)
    })
}

/// An item without the attributes of the macros, which nobody knows beside them.
pub(super) fn without_own(tokens: TokenStream) -> TokenStream {
    let mut kept: Vec<TokenTree> = Vec::new();
    for token in tokens {
        let behind_hash = kept.last().is_some_and(|last| is_punct(last, '#'));
        if behind_hash && is_attribute(&token, &OWN) {
            kept.pop();
        } else {
            kept.push(token);
        }
    }
    kept.into_iter().collect()
}

/// Whether what stands behind a `#` is an attribute of one of these names.
pub(super) fn is_attribute(token: &TokenTree, names: &[&str]) -> bool {
    let TokenTree::Group(attribute) = token else {
        return false;
    };
    let first = fragments::first(attribute.stream());
    matches!(first, Some(TokenTree::Ident(word)) if names.iter().any(|name| word == name))
}

/// Lint levels.
const LINTS: [&str; 5] = ["allow", "expect", "warn", "deny", "forbid"];

/// The attributes of an item, sorted.
#[derive(Default)]
pub(crate) struct Sorted {
    pub(crate) own: Vec<Attribute>,
    pub(crate) docs: Docs,
    pub(crate) lints: TokenStream,
    /// All others, `derive` among them.
    pub(crate) rest: Vec<Attribute>,
    /// Whether an attribute of the macros was refused, so that the item's own one may be missing.
    pub(crate) refused: bool,
}

impl Sorted {
    pub(crate) fn new(attrs: Vec<Attribute>) -> Self {
        let mut sorted = Self::default();
        for attr in attrs {
            let path = attr.path();
            if OWN.iter().any(|own| path.is_ident(own)) {
                sorted.own.push(attr);
            } else if path.is_ident("doc") {
                attr.to_tokens(&mut sorted.docs.tokens);
                sorted.docs.lines.extend(doc_lines(&attr));
            } else if LINTS.iter().any(|lint| path.is_ident(lint)) {
                attr.to_tokens(&mut sorted.lints);
            } else if !is_of_rustfmt(path) {
                sorted.rest.push(attr);
            }
        }
        sorted
    }

    /// The macro's own attribute of one of these names, and others of the same name that were put
    /// beside it, which is a mistake. So are those of other names.
    pub(crate) fn own(&mut self, names: &[&str], on: &str, errors: &mut Errors) -> Vec<Attribute> {
        self.mend_names(names, errors);
        let mut found: Vec<Attribute> = Vec::new();
        for attr in std::mem::take(&mut self.own) {
            let name = names::path_text(attr.path());
            let span = syn::spanned::Spanned::span(attr.path());
            if !names.iter().any(|known| *known == name) {
                self.refused = true;
                let wrong = format_args!("`#[{name}]` has no place on {on}");
                match (&*name, names) {
                    ("aggregate", ["projection"]) => errors.at(
                        span,
                        wrong,
                        "write `#[projection(subscription = \"…\", reads(…))]`",
                    ),
                    ("projection", ["aggregate"]) => {
                        errors.at(span, wrong, "write `#[aggregate(category = \"…\")]`");
                    }
                    _ => errors.at(span, wrong, "remove it"),
                }
            } else if let Some(first) = found.first() {
                let first = names::path_text(first.path());
                if first != name {
                    errors.at(
                        span,
                        format_args!("{on} can't be both `#[{first}]` and `#[{name}]`"),
                        "keep `#[event]` on what has happened, `#[command]` on what decides about it",
                    );
                    continue;
                }
                // A second event is told of by who reads what `#[on(…)]` names.
                if name != "on" {
                    let has_words = !matches!(attr.meta, Meta::Path(_));
                    let mend = match has_words {
                        true => "put all words into one of them",
                        false => "remove one of them",
                    };
                    errors.at(span, format_args!("`#[{name}]` is given twice"), mend);
                }
                found.push(attr);
            } else {
                found.push(attr);
            }
        }
        found
    }

    /// An attribute that nobody knows but that is nearly one of `names` was meant to be it.
    pub(crate) fn mend_names(&mut self, names: &[&str], errors: &mut Errors) {
        for mut attr in std::mem::take(&mut self.rest) {
            let segments = &attr.path().segments;
            let by_path = segments.len() == 2 && segments[0].ident == "mire";
            let Some(written) = segments.last().map(|it| it.ident.clone()) else {
                self.rest.push(attr);
                continue;
            };
            let text = written.to_string();
            let known = |name: &&&str| match by_path {
                true => text == **name,
                false => segments.len() == 1 && misspells(&text, name),
            };
            let meant = names.iter().find(known);
            let Some(meant) = meant else {
                self.rest.push(attr);
                continue;
            };
            let whole = names::path_text(attr.path());
            errors.at(
                syn::spanned::Spanned::span(attr.path()),
                format_args!("there is no `#[{whole}]`"),
                format_args!("did you mean `#[{meant}]`?"),
            );
            let path = syn::Path::from(proc_macro2::Ident::new(meant, written.span()));
            match &mut attr.meta {
                Meta::Path(it) => *it = path,
                Meta::List(it) => it.path = path,
                Meta::NameValue(it) => it.path = path,
            }
            self.own.push(attr);
        }
    }

    /// Takes all attributes of one name, which may stand there several times.
    pub(crate) fn take_own(&mut self, name: &str) -> Vec<Attribute> {
        let (taken, left) = std::mem::take(&mut self.own)
            .into_iter()
            .partition(|attr| attr.path().is_ident(name));
        self.own = left;
        taken
    }

    /// Attributes that don't belong there are mistakes.
    pub(crate) fn refuse_rest(&mut self, on: &str, errors: &mut Errors) {
        for attr in std::mem::take(&mut self.rest) {
            let name = names::path_text(attr.path());
            errors.at(
                syn::spanned::Spanned::span(attr.path()),
                format_args!("`#[{name}]` has no place on {on}"),
                "remove it; doc comments and lint levels such as `#[allow(…)]` may stand there",
            );
        }
    }

    /// The attributes of one name.
    pub(crate) fn of(&self, name: &str) -> TokenStream {
        let attrs = self.rest.iter().filter(|attr| attr.path().is_ident(name));
        quote!(#(#attrs)*)
    }

    /// Takes the standard library's `Default` out of `#[derive(…)]`; answers whether it was there.
    pub(crate) fn take_default(&mut self) -> bool {
        let mut taken = false;
        for attr in &mut self.rest {
            let is_derive = attr.path().is_ident("derive");
            let Meta::List(list) = &mut attr.meta else {
                continue;
            };
            let Ok(paths) = list.parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated)
            else {
                continue;
            };
            let named = |path: &Path| {
                let path = names::path_text(path);
                let path = path.trim_start_matches("::");
                ["Default", "core::default::Default", "std::default::Default"].contains(&path)
            };
            if is_derive && paths.iter().any(named) {
                let left = paths.iter().filter(|path| !named(path));
                list.tokens = quote!(#(#left),*);
                taken = true;
            }
        }
        taken
    }

    /// Whether nothing on a type knows more attributes of its fields than `#[serde(…)]`, as a derive or
    /// an attribute of another crate may.
    pub(crate) fn is_plain(&self) -> bool {
        let is_known = |path: &Path| {
            let text = names::path_text(path);
            let parts: Vec<&str> = text.trim_start_matches("::").split("::").collect();
            match parts[..] {
                [name] => PLAIN_DERIVES.contains(&name),
                [krate, ..] => ["core", "std", "serde"].contains(&krate),
                [] => false,
            }
        };
        self.rest.iter().all(|attr| {
            let derives = || {
                let paths = attr.parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated);
                paths.is_ok_and(|paths| paths.iter().all(is_known))
            };
            attr.path().is_ident("serde") || attr.path().is_ident("derive") && derives()
        })
    }

    /// The last names of the traits in `#[derive(…)]`.
    pub(crate) fn derives(&self) -> Vec<String> {
        let derives = self
            .rest
            .iter()
            .filter(|attr| attr.path().is_ident("derive"));
        let mut names = Vec::new();
        for derive in derives {
            // What can't be read is for rustc to report.
            let _ = derive.parse_nested_meta(|meta| {
                names.extend(meta.path.segments.last().map(|last| last.ident.to_string()));
                Ok(())
            });
        }
        names
    }
}

/// Derives that know no attributes of fields but `#[serde(…)]` and `#[default]`.
const PLAIN_DERIVES: [&str; 11] = [
    "Clone",
    "Copy",
    "Debug",
    "Default",
    "Deserialize",
    "Eq",
    "Hash",
    "Ord",
    "PartialEq",
    "PartialOrd",
    "Serialize",
];

/// `#[rustfmt::skip]` may stand on any item, and says nothing of what is made of it.
fn is_of_rustfmt(path: &Path) -> bool {
    let first = path.segments.first();
    path.segments.len() > 1 && first.is_some_and(|it| it.ident == "rustfmt")
}

/// Where `#[cfg(…)]` can't stand, since more is made of an item than the macro could leave out with it.
pub(crate) struct NoCfg {
    /// On what.
    pub(crate) on: &'static str,
    pub(crate) why: &'static str,
    pub(crate) mend: &'static str,
}

impl NoCfg {
    /// Takes the attributes of one of `names` off. They are mistakes.
    pub(crate) fn refuse(&self, names: &[&str], attrs: &mut Vec<Attribute>, errors: &mut Errors) {
        let Self { on, why, mend } = self;
        attrs.retain(|attr| {
            let refused = names.iter().find(|name| attr.path().is_ident(name));
            if let Some(name) = refused {
                errors.at(
                    syn::spanned::Spanned::span(attr.path()),
                    format_args!("`#[{name}(…)]` has no place on {on}: {why}"),
                    mend,
                );
            }
            refused.is_none()
        });
    }
}

/// Whether `written` is `name` in other capitals, or a slip away from it.
pub(super) fn misspells(written: &str, name: &str) -> bool {
    let small = written.to_lowercase();
    small == name || name.len() > 3 && strsim::jaro_winkler(&small, name) > 0.92
}

fn doc_lines(attr: &Attribute) -> Vec<String> {
    let Meta::NameValue(pair) = &attr.meta else {
        return Vec::new();
    };
    let Expr::Lit(ExprLit {
        lit: Lit::Str(text),
        ..
    }) = &pair.value
    else {
        return Vec::new();
    };
    let text = text.value();
    if text.is_empty() {
        return vec![String::new()];
    }
    text.lines().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    #[test]
    fn what_is_of_another_crate_may_know_attributes_of_fields() {
        let is_plain = |attr: Attribute| Sorted::new(vec![attr]).is_plain();
        assert!(is_plain(
            parse_quote!(#[derive(Debug, std::default::Default)])
        ));
        assert!(is_plain(parse_quote!(#[derive(serde::Serialize)])));
        assert!(is_plain(parse_quote!(#[serde(default)])));
        assert!(!is_plain(parse_quote!(#[derive(Debug, other::Default)])));
        assert!(!is_plain(parse_quote!(#[derive(FromRow)])));
        assert!(!is_plain(parse_quote!(#[cfg_attr(all(), derive(Debug))])));
        assert!(!is_plain(parse_quote!(#[serde_with::serde_as])));
    }
}
