//! Which events a projection reads, and which one a function or `#[ignores]` names.

use proc_macro2::{Ident, Span};
use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Path, Token};

use crate::attrs::Words;
use crate::errors::Errors;
use crate::keywords::{Place, nearest};
use crate::model::{EventPath, EventSet};
use crate::names;
use crate::parse::attributes::Sorted;
use crate::parse::items::Function;

/// `#[on(…)]` of a function.
pub(super) struct On {
    /// The event; `None` when it could not be made out.
    pub(super) path: Option<Path>,
    pub(super) words: Words,
}

/// Reads the `#[on(…)]` of a function.
pub(super) fn on(
    mut function: Function,
    projection: &Ident,
    errors: &mut Errors,
) -> (Function, Sorted, Option<On>) {
    let mut attrs = Sorted::new(std::mem::take(&mut function.attrs));
    let name = format!("the function `{}`", function.sig.ident);
    let Some(attr) = attrs.own(&["on"], &name, errors) else {
        errors.at(
            function.sig.ident.span(),
            format_args!("{name} handles no event"),
            format_args!(
                "put `#[on(…)]` with an event on it, or move it into an `impl {projection}` beside the macro"
            ),
        );
        return (function, attrs, None);
    };
    let before = errors.count();
    let (path, words) = Words::read_with_path(Place::On, &attr, errors);
    if path.is_none() && errors.count() == before {
        errors.at(
            attr.path().span(),
            "`#[on(…)]` names no event",
            "write the event's enum and variant, as in `#[on(AccountEvent::Opened)]`",
        );
    }
    (function, attrs, Some(On { path, words }))
}

/// The enums of events that a projection reads.
pub(super) struct Reads {
    pub(super) sets: Vec<EventSet>,
    /// Whether each event that was named could be made out.
    pub(super) complete: bool,
}

impl Reads {
    pub(super) fn of(
        words: &Words,
        projection: &Ident,
        functions: &[(Function, Sorted, Option<On>)],
        errors: &mut Errors,
    ) -> Self {
        let mut reads = Self {
            sets: Vec::new(),
            complete: functions
                .iter()
                .all(|(_, _, on)| on.as_ref().is_some_and(|on| on.path.is_some())),
        };
        let named: Vec<Path> = functions
            .iter()
            .filter_map(|(_, _, on)| split(on.as_ref()?.path.as_ref()?))
            .map(|(set, _)| set)
            .collect();
        for path in words.paths_of("reads", errors) {
            match enum_of_aggregate(&path, &named) {
                None => reads.add(&path, errors),
                Some(set) => {
                    errors.on(
                        &path,
                        format_args!(
                            "`{}` is the aggregate; its events are `{}`",
                            names::path_text(&path),
                            names::path_text(set)
                        ),
                        format_args!("write `reads({})`", names::path_text(set)),
                    );
                    if !reads.has(set) {
                        reads.push(set);
                    }
                }
            }
        }
        if !reads.sets.is_empty() {
            return reads;
        }
        // What the functions name is probably what it reads.
        for (_, _, on) in functions {
            if let Some(path) = on.as_ref().and_then(|on| on.path.as_ref())
                && let Some((set, _)) = split(path)
                && !reads.has(&set)
            {
                reads.push(&set);
            }
        }
        if !words.lacks("reads") {
            return reads;
        }
        let texts: Vec<&str> = reads.sets.iter().map(|set| set.text.as_str()).collect();
        let form = if texts.is_empty() {
            "AccountEvent".to_owned()
        } else {
            texts.join(", ")
        };
        errors.at(
            words.span,
            format_args!("the projection `{projection}` doesn't say which events it reads"),
            format_args!("add `reads({form})`"),
        );
        reads
    }

    fn has(&self, path: &Path) -> bool {
        let text = names::path_text(path);
        self.sets.iter().any(|set| set.text == text)
    }

    fn push(&mut self, path: &Path) {
        self.sets.push(EventSet {
            path: path.to_token_stream(),
            text: names::path_text(path),
        });
    }

    fn add(&mut self, path: &Path, errors: &mut Errors) {
        if self.has(path) {
            errors.on(
                path,
                format_args!("`reads` names `{}` twice", names::path_text(path)),
                "remove one of them",
            );
        } else {
            self.push(path);
        }
    }

    /// The event that a path names.
    pub(super) fn resolve(&mut self, path: &Path, errors: &mut Errors) -> Option<EventPath> {
        let resolved = self.find(path, errors);
        if resolved.is_none() {
            self.complete = false;
        }
        resolved
    }

    fn find(&self, path: &Path, errors: &mut Errors) -> Option<EventPath> {
        let known = || self.sets.iter().map(|set| set.text.as_str());
        let Some((set, variant)) = split(path) else {
            let text = names::path_text(path);
            let of = known().next().unwrap_or("AccountEvent");
            let mend = if known().any(|known| known == text) {
                format!("write one of its variants behind it, as in `{text}::Opened`")
            } else {
                format!("write its enum in front of it: `{of}::{text}`")
            };
            errors.on(path, format_args!("`{text}` names no event"), mend);
            return None;
        };
        let text = names::path_text(&set);
        if let Some(at) = self.sets.iter().position(|known| known.text == text) {
            return Some(EventPath {
                set: at,
                variant,
                path: path.to_token_stream(),
            });
        }
        let last = |text: &str| text.rsplit("::").next().unwrap_or_default().to_owned();
        let same = known().find(|known| last(known) == last(&text));
        let mend = match (same, nearest(&text, known())) {
            (Some(same), _) => format!("name it as `reads` does: `{same}::{variant}`"),
            (None, Some(near)) => format!("did you mean `{near}::{variant}`?"),
            (None, None) => {
                let all: Vec<&str> = known().chain([text.as_str()]).collect();
                format!("add the enum: `reads({})`", all.join(", "))
            }
        };
        errors.on(
            &set,
            format_args!("`{text}` is not among the events that this projection reads"),
            mend,
        );
        None
    }
}

/// `AccountEvent::Opened` as `AccountEvent` and `Opened`.
fn split(path: &Path) -> Option<(Path, Ident)> {
    let mut set = path.clone();
    let variant = set.segments.pop()?.ident;
    if set.segments.is_empty() {
        return None;
    }
    set.segments.pop_punct();
    Some((set, variant))
}

/// The enum that was meant, when `read` is its aggregate: the functions name events of the enum,
/// and none of `read` itself.
fn enum_of_aggregate<'a>(read: &Path, named: &'a [Path]) -> Option<&'a Path> {
    let text = names::path_text(read);
    if named.iter().any(|set| names::path_text(set) == text) {
        return None;
    }
    let its_enum = format!("{text}Event");
    named.iter().find(|set| names::path_text(set) == its_enum)
}

/// The paths in `#[ignores(…)]`.
pub(super) fn ignored(attr: &Attribute, errors: &mut Errors) -> Vec<Path> {
    let form =
        "write `#[ignores(AccountEvent::Closed)]`, with all the events that need nothing done";
    let parser = Punctuated::<Path, Token![,]>::parse_terminated;
    let list = match &attr.meta {
        syn::Meta::List(list) => list.parse_args_with(parser),
        _ => Ok(Punctuated::new()),
    };
    match list {
        Ok(paths) if paths.is_empty() => {
            let span: Span = attr.path().span();
            errors.at(span, "`#[ignores(…)]` names no event", form);
            Vec::new()
        }
        Ok(paths) => paths.into_iter().collect(),
        Err(error) => {
            errors.at(error.span(), format_args!("{error}"), form);
            Vec::new()
        }
    }
}
