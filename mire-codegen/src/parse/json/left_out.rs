//! Fields that serde is told to leave out, of which nothing or too little would be read again.

use proc_macro2::{Ident, Span};
use syn::{Attribute, Type};

use super::serde_words::{self, SerdeWords};
use super::std_type;
use crate::errors::Errors;

/// What holds a field.
#[derive(Clone, Copy)]
pub(super) enum Holder<'a> {
    Event,
    /// A state with snapshots. A field that is rebuilt when it is missing may be left out of them, if
    /// that is said; these are the words around the field.
    State(&'a SerdeWords),
}

/// The words that leave a field out whatever it holds.
const SKIPS: [&str; 3] = ["skip", "skip_serializing", "skip_deserializing"];

/// The word that leaves a field out if it holds nothing worth storing.
const SKIP_IF: &str = "skip_serializing_if";

/// Reports a field that wouldn't be read as it was stored.
pub(super) fn refuse(words: &SerdeWords, ty: &Type, holder: Holder<'_>, errors: &mut Errors) {
    match (skip(words), holder) {
        (Some((word, span)), Holder::Event) => errors.at(
            span,
            format_args!("with `{word}` an event isn't read as it was recorded"),
            "remove it; what isn't to be stored is no parameter of an event",
        ),
        (Some((word, span)), Holder::State(around)) => {
            if is_filled(words) || is_filled(around) || std_type::is(ty, "PhantomData", "marker") {
                return;
            }
            errors.at(
                span,
                format_args!("with `{word}` the field is lost when the state is read from a snapshot"),
                format_args!(
                    "remove it, or write `#[serde({word}, default)]` if the field is filled anew where it is needed"
                ),
            );
        }
        (None, _) => refuse_unfilled(words, ty, holder, errors),
    }
}

/// Reports a field that is left out now and then, and that serde couldn't fill in.
fn refuse_unfilled(words: &SerdeWords, ty: &Type, holder: Holder<'_>, errors: &mut Errors) {
    let Some(span) = words.span_of(SKIP_IF) else {
        return;
    };
    let (what, around) = match holder {
        Holder::Event => ("an event", None),
        Holder::State(around) => ("a snapshot", Some(around)),
    };
    if is_filled(words) || around.is_some_and(is_filled) {
        return;
    }
    // serde fills in what is read as an option, as types of anybody's may be, unless it is told how to
    // read the field. Of a flattened field, those within may all be left out.
    let is_missed = words.has_any(&["with", "deserialize_with"]) || std_type::is_no_option(ty);
    if !is_missed || words.has("flatten") {
        return;
    }
    let condition = words.text_of(SKIP_IF);
    let condition = condition.map_or_else(|| "…".to_owned(), |text| text.value());
    errors.at(
        span,
        format_args!("{what} that leaves the field out couldn't be read"),
        format_args!("write `#[serde(default, {SKIP_IF} = \"{condition}\")]`"),
    );
}

/// Whether a field that is left out is given a value, or may be, for all that shows.
fn is_filled(words: &SerdeWords) -> bool {
    words.has("default") || words.others_say()
}

/// Reports a variant of a state that no snapshot can hold.
pub(super) fn refuse_variant(words: &SerdeWords, variant: &Ident, errors: &mut Errors) {
    if let Some((word, span)) = skip(words) {
        errors.at(
            span,
            format_args!("with `{word}` a snapshot can't hold `{variant}`"),
            "remove it",
        );
    }
}

/// Takes off what may have been refused.
pub(super) fn take(attrs: &mut Vec<Attribute>) {
    serde_words::take(attrs, &SKIPS);
    serde_words::take(attrs, &[SKIP_IF]);
}

fn skip(words: &SerdeWords) -> Option<(&'static str, Span)> {
    SKIPS
        .into_iter()
        .find_map(|word| Some((word, words.span_of(word)?)))
}
