//! Which events a projection reads, and which one a function or `#[ignores]` names.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{Attribute, Expr, Meta, Path};

use crate::attrs::{Listed, Naming, Words, listed};
use crate::errors::Errors;
use crate::keywords::{Place, nearest, words_of};
use crate::model::{EventPath, EventSet};
use crate::names;
use crate::parse::attributes::Sorted;
use crate::parse::items::Function;

/// `#[on(…)]` of a function.
pub(super) struct On {
    /// The event; `None` when it could not be made out.
    pub(super) path: Option<Path>,
    /// More events, which are mistakes.
    pub(super) others: Vec<Path>,
    pub(super) words: Words,
}

/// What handlers are called elsewhere.
const OTHER_WORDS_FOR_ON: [&str; 7] = [
    "event_handler",
    "handle",
    "handler",
    "handles",
    "listen",
    "subscribe",
    "when",
];

/// Reads the `#[on(…)]` of a function. What it ignores is added to `ignored`.
pub(super) fn on(
    mut function: Function,
    projection: &Ident,
    ignored: &mut Listed,
    errors: &mut Errors,
) -> (Function, Sorted, Option<On>) {
    let mut attrs = Sorted::new(std::mem::take(&mut function.attrs));
    let name = format!("the function `{}`", function.sig.ident);
    let ignores = attrs.take_own("ignores");
    for attr in &ignores {
        errors.at(
            attr.path().span(),
            "`#[ignores(…)]` stands on the struct",
            format_args!("put it on `{projection}`"),
        );
        let more = self::ignored(std::slice::from_ref(attr), &mut Errors::default());
        ignored.paths.extend(more.paths);
        ignored.unclear |= more.unclear;
    }
    let mut own = attrs.own_or_foreign(&name, errors);
    for attr in &mut own {
        in_parentheses(attr, errors);
    }
    if own.is_empty() {
        // Other attributes are of a place where the function is to be moved to.
        attrs.rest.retain(|attr| attr.path().is_ident("cfg"));
        if !attrs.refused && ignores.is_empty() {
            errors.at(
                function.sig.ident.span(),
                format_args!("{name} handles no event"),
                format_args!(
                    "put `#[on(…)]` with an event on it, or move it into an `impl {projection}` beside the macro"
                ),
            );
        }
        return (function, attrs, None);
    }
    let silent = &mut Errors::default();
    let (named, mut words) = if attrs.refused {
        Words::read_on(&own, silent)
    } else {
        Words::read_on(&own, errors)
    };
    let is_word = |attr: &Attribute| words_of(Place::On).any(|it| attr.path().is_ident(it.name));
    for attr in attrs.rest.extract_if(.., |attr| is_word(attr)) {
        words.adopt(&attr, named.event.as_ref(), errors);
    }
    let on = On {
        path: named.event,
        others: named.others,
        words,
    };
    (function, attrs, Some(on))
}

/// The events that `#[on(…)]` names, where no function stands behind it.
pub(super) fn named(dangling: &[Attribute]) -> Listed {
    let on = dangling.iter().filter(|attr| attr.path().is_ident("on"));
    let on: Vec<Attribute> = on.cloned().collect();
    let (named, _) = Words::read_on(&on, &mut Errors::default());
    Listed {
        unclear: !on.is_empty() && named.event.is_none(),
        paths: named.event.into_iter().chain(named.others).collect(),
    }
}

/// Takes `#[on = AccountEvent::Opened]` for what was meant.
fn in_parentheses(attr: &mut Attribute, errors: &mut Errors) {
    let Meta::NameValue(pair) = &attr.meta else {
        return;
    };
    let (path, event) = (&pair.path, &pair.value);
    if !matches!(event, Expr::Path(_)) {
        return;
    }
    errors.at(
        pair.eq_token.span(),
        "`#[on(…)]` takes its event in parentheses",
        format_args!("write `#[on({})]`", names::path_text(event)),
    );
    attr.meta = syn::parse_quote!(#path(#event));
}

impl Sorted {
    /// `#[on(…)]`, or an attribute that was meant to be one.
    fn own_or_foreign(&mut self, name: &str, errors: &mut Errors) -> Vec<Attribute> {
        if self.own.iter().any(|attr| attr.path().is_ident("on")) {
            return self.own(&["on"], name, errors);
        }
        let foreign = |attr: &Attribute| {
            let is = |word: &str| attr.path().is_ident(word);
            let names_event = matches!(attr.meta, Meta::List(_));
            attr.path().is_ident("event")
                || names_event && OTHER_WORDS_FOR_ON.iter().any(|it| is(it))
        };
        let all = self.own.iter().chain(&self.rest);
        let Some(attr) = all.clone().find(|attr| foreign(attr)).cloned() else {
            return self.own(&["on"], name, errors);
        };
        self.own.retain(|it| !foreign(it));
        self.rest.retain(|it| !foreign(it));
        let text = match &attr.meta {
            Meta::List(list) => names::path_text(&list.tokens),
            _ => "…".to_owned(),
        };
        errors.at(
            attr.path().span(),
            format_args!(
                "`#[{}]` is no attribute of `projection!`",
                names::path_text(attr.path())
            ),
            format_args!("write `#[on({text})]`"),
        );
        self.refused = true;
        vec![attr]
    }
}

/// Reads the events of `#[ignores(…)]`.
pub(super) fn ignored(attrs: &[Attribute], errors: &mut Errors) -> Listed {
    let mut ignored = Listed::default();
    for attr in attrs {
        let list = match &attr.meta {
            Meta::List(list) => self::ignored_in(list.tokens.clone(), errors),
            Meta::NameValue(pair) => {
                let value = pair.value.to_token_stream();
                let list = ignored_in(value, &mut Errors::default());
                let texts: Vec<String> = list.paths.iter().map(names::path_text).collect();
                let event = if texts.is_empty() {
                    "AccountEvent::Closed".to_owned()
                } else {
                    texts.join(", ")
                };
                errors.at(
                    pair.eq_token.span(),
                    "`#[ignores(…)]` takes its events in parentheses",
                    format_args!("write `#[ignores({event})]`"),
                );
                Listed {
                    unclear: list.unclear || texts.is_empty(),
                    ..list
                }
            }
            Meta::Path(_) => Listed::default(),
        };
        let is_empty = list.paths.is_empty() && !list.unclear;
        if is_empty {
            errors.at(
                attr.path().span(),
                "`#[ignores(…)]` names no event",
                "write `#[ignores(AccountEvent::Closed)]`, with all the events that need nothing done",
            );
        }
        ignored.paths.extend(list.paths);
        ignored.unclear |= list.unclear || is_empty;
    }
    ignored
}

/// The events in the parentheses of `#[ignores(…)]`.
pub(super) fn ignored_in(tokens: TokenStream, errors: &mut Errors) -> Listed {
    let naming = Naming {
        noun: "event",
        form: "#[ignores(AccountEvent::Closed)]",
    };
    listed(tokens, naming, errors)
}

/// The enums of events that a projection reads.
pub(super) struct Reads {
    pub(super) sets: Vec<EventSet>,
    /// Whether each event that was named could be made out.
    pub(super) complete: bool,
    /// Enums of which it was said that they are not read.
    told: Vec<String>,
}

/// An enum of which events are named, and how often.
struct NamedSet {
    path: Path,
    text: String,
    count: usize,
}

impl Reads {
    pub(super) fn of(
        words: &Words,
        projection: &Ident,
        functions: &[(Function, Sorted, Option<On>)],
        ignored: &Listed,
        errors: &mut Errors,
    ) -> Self {
        let is_known = |on: &Option<On>| on.as_ref().is_some_and(|on| on.path.is_some());
        let mut reads = Self {
            sets: Vec::new(),
            complete: functions.iter().all(|(_, _, on)| is_known(on)) && !ignored.unclear,
            told: Vec::new(),
        };
        let on = functions.iter().filter_map(|(_, _, on)| on.as_ref());
        let handled = on.flat_map(|on| on.path.iter().chain(&on.others));
        let named = named_sets(handled.chain(&ignored.paths));
        reads.declared(&words.paths_of("reads"), &named, errors);
        if !reads.sets.is_empty() {
            return reads;
        }
        // What the functions name is probably what it reads.
        for set in &named {
            reads.push(&set.path);
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

    /// Takes the enums of `reads(…)`. One of which no event is named is a mistake when the functions
    /// name events of another one that was probably meant: what is right is not to be blamed.
    fn declared(&mut self, declared: &[Path], named: &[NamedSet], errors: &mut Errors) {
        let read: Vec<String> = declared.iter().map(names::path_text).collect();
        let mut strays: Vec<&NamedSet> = named
            .iter()
            .filter(|set| !read.contains(&set.text))
            .collect();
        let none_is_read = strays.len() == named.len();
        let mut mistakes: Vec<(&Path, String)> = Vec::new();
        for (path, text) in declared.iter().zip(&read) {
            let events = format!("{text}Event");
            if read.contains(&events) {
                mistakes.push((path, is_aggregate(text, &events)));
                continue;
            }
            if named.iter().any(|set| set.text == *text) {
                self.add(path, errors);
                continue;
            }
            if text == "Self" {
                let wrong = "`Self` is the projection, which has no events".to_owned();
                mistakes.push((path, wrong));
                continue;
            }
            let of_one_event = split(path).map(|(set, _)| names::path_text(&set));
            let one_event = named
                .iter()
                .find(|set| Some(&set.text) == of_one_event.as_ref());
            let aggregate = strays.iter().find(|set| set.text == format!("{text}Event"));
            let near = nearest(last(text), strays.iter().map(|set| last(&set.text)));
            let near = strays.iter().find(|set| Some(last(&set.text)) == near);
            let (wrong, meant) = if let Some(set) = one_event {
                (
                    format!("`{text}` is an event, and `reads` names enums of them"),
                    vec![set],
                )
            } else if let Some(set) = aggregate {
                (is_aggregate(text, &set.text), vec![*set])
            } else if let Some(set) = near.filter(|set| set.count > 1) {
                (not_named(text, &set.text), vec![*set])
            } else if let Some(first) = strays.first().filter(|_| none_is_read && near.is_none()) {
                (not_named(text, &first.text), strays.clone())
            } else {
                // The one event that is named otherwise may as well be the slip.
                self.add(path, errors);
                continue;
            };
            strays.retain(|set| !meant.iter().any(|it| it.text == set.text));
            for set in meant {
                if !self.has(&set.path) {
                    self.push(&set.path);
                }
            }
            mistakes.push((path, wrong));
        }
        if self.sets.is_empty() && !mistakes.is_empty() {
            for set in named {
                self.push(&set.path);
            }
        }
        let texts: Vec<&str> = self.sets.iter().map(|set| set.text.as_str()).collect();
        for (path, wrong) in mistakes {
            errors.on(
                path,
                wrong,
                format_args!("write `reads({})`", texts.join(", ")),
            );
        }
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

    fn find(&mut self, path: &Path, errors: &mut Errors) -> Option<EventPath> {
        let Some((set, variant)) = split(path) else {
            self.no_event(path, errors);
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
        if text == "Self" {
            errors.on(
                &set,
                "`Self` is the projection, which has no events",
                format_args!("write {}", self.written_out(&variant.to_string())),
            );
            return None;
        }
        if self.told.contains(&text) {
            return None;
        }
        let known = || self.sets.iter().map(|set| set.text.as_str());
        let events = format!("{text}Event");
        if let Some(events) = known().find(|known| *known == events) {
            errors.on(
                &set,
                is_aggregate(&text, events),
                format_args!("write `{events}::{variant}`"),
            );
            return None;
        }
        let same = known().find(|known| last(known) == last(&text));
        let misspelt = known().find(|known| strsim::damerau_levenshtein(known, &text) < 3);
        let mend = if let Some(same) = same {
            format!("name it as `reads` does: `{same}::{variant}`")
        } else if let Some(near) = misspelt {
            format!("did you mean `{near}::{variant}`?")
        } else {
            let all: Vec<&str> = known().chain([text.as_str()]).collect();
            let others = self.written_out(&variant.to_string());
            format!(
                "add the enum: `reads({})`; or write {others}, if that is meant",
                all.join(", ")
            )
        };
        errors.on(
            &set,
            format_args!("`{text}` is not among the events that this projection reads"),
            mend,
        );
        self.told.push(text);
        None
    }

    /// A name alone, which is no event's.
    fn no_event(&self, path: &Path, errors: &mut Errors) {
        let text = names::path_text(path);
        let mend = if self.has(path) {
            format!("write one of its variants behind it, as in `{text}::Opened`")
        } else {
            format!("write its enum in front of it: {}", self.written_out(&text))
        };
        errors.on(path, format_args!("`{text}` names no event"), mend);
    }

    /// An event of each enum: `` `AccountEvent::Opened` or `LoanEvent::Opened` ``.
    fn written_out(&self, name: &str) -> String {
        let variant = names::pascal(name);
        let event = |set: &str| format!("`{set}::{variant}`");
        let all: Vec<String> = self.sets.iter().map(|set| event(&set.text)).collect();
        if all.is_empty() {
            event("AccountEvent")
        } else {
            all.join(" or ")
        }
    }
}

fn is_aggregate(text: &str, events: &str) -> String {
    format!("`{text}` is the aggregate; its events are `{events}`")
}

fn not_named(read: &str, named: &str) -> String {
    format!("`reads` names `{read}`, but the events that are named are of `{named}`")
}

/// The enums of these events, in their order.
fn named_sets<'a>(events: impl Iterator<Item = &'a Path>) -> Vec<NamedSet> {
    let mut sets: Vec<NamedSet> = Vec::new();
    for (path, _) in events.filter_map(split) {
        let text = names::path_text(&path);
        match sets.iter_mut().find(|set| set.text == text) {
            Some(set) => set.count += 1,
            None if text == "Self" => {}
            None => sets.push(NamedSet {
                path,
                text,
                count: 1,
            }),
        }
    }
    sets
}

/// The last part of a path.
fn last(text: &str) -> &str {
    text.rsplit("::").next().unwrap_or(text)
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
