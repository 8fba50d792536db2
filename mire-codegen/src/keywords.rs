//! The words of the DSL: where each may stand, and how it is written. The parser and its messages read
//! this one table, and a test holds the documentation of the macros, which says what each does,
//! against it.

/// An attribute that takes words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// `#[aggregate(…)]` on the state of an aggregate.
    Aggregate,
    /// `#[event(…)]` on a `fn` of an aggregate.
    Event,
    /// `#[command]` on a `fn` of an aggregate.
    Command,
    /// `#[projection(…)]` on the struct of a projection.
    Projection,
    /// `#[on(…)]` on a `fn` of a projection, behind the event that it names.
    On,
    /// On a field of a projection that keeps a table: here each word is an attribute by itself.
    Column,
    /// `#[mire(…)]` beside `#[derive(EventData)]`, on an enum.
    EventEnum,
    /// `#[mire(…)]` beside `#[derive(EventData)]`, on a struct.
    EventStruct,
    /// `#[mire(…)]` on a variant of an enum with `#[derive(EventData)]`.
    EventVariant,
}

impl Place {
    /// The attribute's name; none where each word is an attribute.
    #[must_use]
    pub fn attribute(self) -> &'static str {
        match self {
            Self::Aggregate => "aggregate",
            Self::Event => "event",
            Self::Command => "command",
            Self::Projection => "projection",
            Self::On => "on",
            Self::Column => "",
            Self::EventEnum | Self::EventStruct | Self::EventVariant => "mire",
        }
    }
}

/// A word of the DSL.
#[derive(Debug, Clone, Copy)]
pub struct Word {
    /// Where it may stand.
    pub place: Place,
    /// The word.
    pub name: &'static str,
    /// How it is written.
    pub form: &'static str,
}

/// What stands behind a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `= "text"`
    Text,
    /// `= 2`
    Count,
    /// `(path)`
    Path,
    /// `(path, path)`
    Paths,
    /// Nothing.
    Flag,
}

impl Word {
    /// What stands behind it, as its form shows.
    pub(crate) fn kind(&self) -> Kind {
        if ["reads", "upcast"].contains(&self.name) {
            Kind::Paths
        } else if self.form.ends_with('"') {
            Kind::Text
        } else if self.form.ends_with(')') {
            Kind::Path
        } else if self.form.contains('=') {
            Kind::Count
        } else {
            Kind::Flag
        }
    }
}

const fn word(place: Place, name: &'static str, form: &'static str) -> Word {
    Word { place, name, form }
}

const CRATE_FORM: &str = "crate(my_mire)";
const REVISION_FORM: &str = "revision = 2";

/// All words.
pub static WORDS: &[Word] = &[
    word(Place::Aggregate, "category", "category = \"account\""),
    word(Place::Aggregate, "id", "id(AccountId)"),
    word(Place::Aggregate, "snapshot_every", "snapshot_every = 100"),
    word(Place::Aggregate, "revision", REVISION_FORM),
    word(Place::Aggregate, "crate", CRATE_FORM),
    word(Place::Event, "name", "name = \"money-withdrawn\""),
    word(Place::Event, "version", "version = 2"),
    word(Place::Event, "upcast", "upcast(withdrawn_v1)"),
    word(
        Place::Projection,
        "subscription",
        "subscription = \"balances\"",
    ),
    word(Place::Projection, "reads", "reads(AccountEvent)"),
    word(Place::Projection, "table", "table = \"account_balances\""),
    word(Place::Projection, "revision", REVISION_FORM),
    word(Place::Projection, "crate", CRATE_FORM),
    word(Place::On, "key", "key(customer)"),
    word(Place::On, "delete", "delete"),
    word(Place::Column, "key", "#[key]"),
    word(Place::Column, "index", "#[index]"),
    word(Place::Column, "json", "#[json]"),
    word(Place::EventEnum, "entity", "entity = \"order\""),
    word(Place::EventEnum, "crate", CRATE_FORM),
    word(
        Place::EventStruct,
        "event_type",
        "event_type = \"order.placed\"",
    ),
    word(Place::EventStruct, "crate", CRATE_FORM),
    word(Place::EventVariant, "rename", "rename = \"placed\""),
];

/// The words that may stand in one place.
pub(crate) fn words_of(place: Place) -> impl Iterator<Item = &'static Word> {
    WORDS.iter().filter(move |word| word.place == place)
}

/// The one of `known` that was probably meant by `written`.
pub(crate) fn nearest<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(written, name), name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}

/// `a`, `a` and `b`, or `a`, `b` and `c`, each in back quotes.
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}
