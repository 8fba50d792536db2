//! The words of the DSL: where each may stand, what it takes, and what it does. The parser, its
//! messages and the documentation all read this one table.

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
    /// What it does.
    pub help: &'static str,
}

const fn word(place: Place, name: &'static str, form: &'static str, help: &'static str) -> Word {
    Word {
        place,
        name,
        form,
        help,
    }
}

const CRATE_FORM: &str = "crate(my_mire)";
const CRATE_HELP: &str = "where mire is, when the dependency was renamed";

/// All words.
pub static WORDS: &[Word] = &[
    word(
        Place::Aggregate,
        "category",
        "category = \"account\"",
        "the first half of its streams' names, and of its events' stored names",
    ),
    word(
        Place::Aggregate,
        "id",
        "id(AccountId)",
        "the type of its id: a bare name is generated, a UUID; a path such as `id(crate::Isbn)` names a type of yours",
    ),
    word(
        Place::Aggregate,
        "snapshot_every",
        "snapshot_every = 100",
        "stores a snapshot of the state each time the stream has grown by so many events",
    ),
    word(Place::Aggregate, "crate", CRATE_FORM, CRATE_HELP),
    word(
        Place::Event,
        "name",
        "name = \"money-withdrawn\"",
        "the stored name after the category; keeps it when the function is renamed",
    ),
    word(
        Place::Event,
        "version",
        "version = 2",
        "the version of the payload's shape, 1 if not given",
    ),
    word(
        Place::Event,
        "upcast",
        "upcast(withdrawn_v1)",
        "one function per older version, oldest first; each turns its version's payload into the next one's",
    ),
    word(
        Place::Projection,
        "subscription",
        "subscription = \"balances\"",
        "the name under which it reads the log: of its lease, its checkpoint, and its table",
    ),
    word(
        Place::Projection,
        "reads",
        "reads(AccountEvent)",
        "the enums of events that it reads, one for each aggregate",
    ),
    word(
        Place::Projection,
        "table",
        "table = \"account_balances\"",
        "the name of its table, when it is not the subscription's",
    ),
    word(Place::Projection, "crate", CRATE_FORM, CRATE_HELP),
    word(
        Place::On,
        "key",
        "key(customer)",
        "the event's field that names the row, when the stream's id doesn't",
    ),
    word(
        Place::On,
        "delete",
        "delete",
        "the event removes the row; the function's body is empty",
    ),
    word(
        Place::Column,
        "key",
        "#[key]",
        "names the row: the table's primary key",
    ),
    word(
        Place::Column,
        "index",
        "#[index]",
        "rows are looked up by it: an index, and functions that use it",
    ),
    word(
        Place::Column,
        "json",
        "#[json]",
        "stored as JSON, for any type that serde knows",
    ),
    word(
        Place::EventEnum,
        "entity",
        "entity = \"order\"",
        "the first half of the stored names",
    ),
    word(Place::EventEnum, "crate", CRATE_FORM, CRATE_HELP),
    word(
        Place::EventStruct,
        "event_type",
        "event_type = \"order.placed\"",
        "the stored name",
    ),
    word(Place::EventStruct, "crate", CRATE_FORM, CRATE_HELP),
    word(
        Place::EventVariant,
        "rename",
        "rename = \"placed\"",
        "the stored name after the entity; keeps it when the variant is renamed",
    ),
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
