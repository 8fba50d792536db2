//! Writes a program with an aggregate of many events and a projection over all of them, once as it
//! is declared in the DSL and once as it is written by hand against the same traits.
//!
//! Why: a macro's price is the compile time of what it writes. Both programs do the same when they
//! run: the events are stored under the same names and read by them, the aggregate applies them, and
//! the table is kept, created, checked and rebuilt in the same way
//! (`ui-tests/tests/hundred_events.rs` builds and runs both). By hand, events and row are folded in
//! the arms of one `match` each, which is the cheapest form for the compiler; the derives of serde
//! and of `mire::EventData` are used, as anybody would. What nobody would write out by hand is
//! missing there: the documentation of each field, the look-ups that the program doesn't call, the
//! test kit and `sqlx::FromRow`. Apart from the documentation, these don't grow with the events.
//!
//! ```sh
//! cargo run -p mire-codegen --example hundred_events -- declared 100 > declared/src/main.rs
//! cargo run -p mire-codegen --example hundred_events -- by-hand 100 > by_hand/src/main.rs
//! ```
//!
//! The programs depend on `mire` with a backend, and `by-hand` on `serde` with `derive` and on `uuid`
//! as well.
//!
//! Measured with 100 events (rustc 1.95), in instructions of rustc for the one crate (callgrind), which
//! do not depend on the machine's load: what `cargo check` does took 5.26 billion declared and 4.60 by
//! hand, 1.144×, and what `cargo build` does 6.17 and 5.41 billion, 1.140×. The aim is 1.15×. What is
//! left of the difference is a function for each event and each fold, where the other form has an arm,
//! and the macros themselves. With `32 own-type` it was 1.97 and 1.63 billion, 1.21×.
//!
//! ```sh
//! cargo rustc -- --emit=metadata    # and the same command again under valgrind --tool=callgrind
//! ```

use std::fmt::Write;

fn main() -> Result<(), String> {
    let usage = "usage: hundred_events (declared|by-hand) [events] [own-type]";
    let mut args = std::env::args().skip(1);
    let form = args.next().ok_or(usage)?;
    let events = args.next().map_or(Ok(100), |text| text.parse());
    let events: usize = events.map_err(|error| format!("{error}; {usage}"))?;
    let program = match form.as_str() {
        "declared" => declared(events),
        "by-hand" => by_hand(events),
        _ => return Err(usage.to_owned()),
    };
    match args.next().as_deref() {
        None => print!("{program}"),
        Some("own-type") => print!("{NOTE}{}", with_own_type(&program)),
        Some(_) => return Err(usage.to_owned()),
    }
    Ok(())
}

/// A type of the program's own.
const NOTE: &str = "
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Note(String);

";

/// The program with notes of that type, for which the macro has more to ask.
fn with_own_type(program: &str) -> String {
    let program = program.replace("note: &str", "note: &Note");
    let program = program.replace("note.to_owned()", "note.0.clone()");
    let program = program.replace(
        "note: String::new(),\n        tags",
        "note: Note(String::new()),\n        tags",
    );
    program.replace(
        "note: String,\n        tags: Vec",
        "note: Note,\n        tags: Vec",
    )
}

/// Calls `write` for each event and puts what it answers in a row.
fn each(events: usize, write: impl Fn(usize) -> String) -> String {
    (0..events).fold(String::new(), |mut text, event| {
        // Writing to a string can't fail.
        let _ = writeln!(text, "{}", write(event));
        text
    })
}

const MAIN: &str = "
fn main() {
    let mut root = mire::AggregateRoot::<Thing>::new(&ThingId::new());
    root.record(ThingEvent::Happened0 {
        amount: 1,
        note: String::new(),
        tags: Vec::new(),
    });
    println!(\"{} {}\", root.state.sum, Row::TABLE.table);
    let _ = (
        Row::get::<mire::Sqlite>,
        |store: mire::EventStore<mire::Sqlite>| async move {
            Row::by_sum(&store, &1, 10).await.is_ok()
        },
        Row::runner::<mire::Sqlite>,
    );
}
";

/// The program in the DSL.
pub fn declared(events: usize) -> String {
    let facts = each(events, |n| {
        format!(
            "    /// The {n}th thing that happens.
    #[event]
    fn happened{n}(&mut self, amount: i64, note: &str, tags: &[String]) {{
        self.sum += amount + {n};
        self.note = note.to_owned();
        self.tags += tags.len();
    }}
"
        )
    });
    let folds = each(events, |n| {
        format!(
            "    #[on(ThingEvent::Happened{n})]
    fn happened{n}(&mut self, amount: i64, note: &str) {{
        self.sum += amount - {n};
        self.note = note.to_owned();
    }}
"
        )
    });
    format!(
        "use mire::TableProjection;

mire::aggregate!(
    /// A thing that much happens to.
    #[aggregate(category = \"thing\", id(ThingId))]
    pub struct Thing {{
        sum: i64,
        note: String,
        tags: usize,
    }}

{facts});

mire::projection!(
    /// What is known of a thing.
    #[projection(subscription = \"things\", reads(ThingEvent))]
    pub struct Row {{
        #[key]
        thing: ThingId,
        #[index]
        sum: i64,
        note: String,
    }}

{folds});
{MAIN}"
    )
}

/// The program against the traits.
pub fn by_hand(events: usize) -> String {
    let variants = each(events, |n| {
        format!(
            "    /// The {n}th thing that happens.
    Happened{n} {{
        amount: i64,
        note: String,
        tags: Vec<String>,
    }},"
        )
    });
    let effects = each(events, |n| {
        format!(
            "            ThingEvent::Happened{n} {{ amount, note, tags }} => {{
                self.sum += amount + {n};
                self.note = note.to_owned();
                self.tags += tags.len();
            }}"
        )
    });
    let folds = each(events, |n| {
        format!(
            "            ThingEvent::Happened{n} {{ amount, note, .. }} => {{
                row.sum += amount - {n};
                row.note = note.to_owned();
            }}"
        )
    });
    format!(
        "use mire::{{
    Backend, ColumnDef, ColumnError, ColumnType, DecodeError, Delivery, EventStore,
    EventStoreError, PageEvent, ProjectionRunnerBuilder, RowReader, RowWriter, TableDef,
    TableProjection,
}};
use mire::table::IntoPage;
use serde::{{Deserialize, Serialize}};
use uuid::Uuid;

/// Names one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ThingId(Uuid);

impl ThingId {{
    pub fn new() -> Self {{
        Self(Uuid::now_v7())
    }}
}}

impl std::fmt::Display for ThingId {{
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {{
        self.0.fmt(f)
    }}
}}

impl std::str::FromStr for ThingId {{
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {{
        text.parse().map(Self)
    }}
}}

impl mire::AggregateId<Thing> for ThingId {{
    fn id_text(&self) -> std::borrow::Cow<'_, str> {{
        self.to_string().into()
    }}
}}

impl ColumnType for ThingId {{
    type Stored = Uuid;

    fn to_stored(&self) -> Result<Uuid, ColumnError> {{
        Ok(self.0)
    }}

    fn from_stored(stored: Uuid) -> Result<Self, ColumnError> {{
        Ok(Self(stored))
    }}
}}

/// What can happen to a thing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, mire::EventData)]
#[mire(entity = \"thing\")]
pub enum ThingEvent {{
{variants}}}

/// A thing that much happens to.
#[derive(Default, Clone)]
pub struct Thing {{
    sum: i64,
    note: String,
    tags: usize,
}}

impl mire::Aggregate for Thing {{
    type Event = ThingEvent;
    type Id = ThingId;

    fn stream_category() -> &'static str {{
        \"thing\"
    }}

    fn apply(&mut self, event: &ThingEvent) {{
        match event {{
{effects}        }}
    }}

    fn cached(&self) -> Option<Self> {{
        Some(self.clone())
    }}
}}

/// What is known of a thing.
pub struct Row {{
    thing: ThingId,
    sum: i64,
    note: String,
}}

impl TableProjection for Row {{
    type Event = ThingEvent;
    type Key = ThingId;
    const TABLE: TableDef = TableDef {{
        subscription: \"things\",
        table: \"things\",
        fingerprint: 1,
        categories: &[\"thing\"],
        columns: &[
            ColumnDef::of::<ThingId>(\"thing\").key(),
            ColumnDef::of::<i64>(\"sum\").indexed(),
            ColumnDef::of::<String>(\"note\"),
        ],
    }};

    fn decode(event: &PageEvent<'_>) -> Result<Option<ThingEvent>, DecodeError> {{
        Ok(Some(event.decode()?))
    }}

    fn key(_: &ThingEvent, at: &PageEvent<'_>) -> Result<ThingId, DecodeError> {{
        Ok(at.id().parse()?)
    }}

    fn fold(
        row: Option<Self>,
        key: &ThingId,
        event: &ThingEvent,
        _: Delivery<'_>,
    ) -> Option<Self> {{
        let mut row = row.unwrap_or_else(|| Self {{
            thing: *key,
            sum: 0,
            note: String::new(),
        }});
        match event {{
{folds}        }}
        Some(row)
    }}

    fn write(&self, row: &mut RowWriter<'_>) -> Result<(), ColumnError> {{
        row.put(&self.thing)?;
        row.put(&self.sum)?;
        row.put(&self.note)
    }}

    fn read(row: &mut RowReader<'_>) -> Result<Self, ColumnError> {{
        Ok(Self {{
            thing: row.take()?,
            sum: row.take()?,
            note: row.take()?,
        }})
    }}
}}

impl Row {{
    pub async fn get<DB: Backend>(
        store: &EventStore<DB>,
        key: &ThingId,
    ) -> Result<Option<Self>, EventStoreError> {{
        mire::table::get(store, key).await
    }}

    pub async fn by_sum<DB: Backend>(
        store: &EventStore<DB>,
        sum: &i64,
        page: impl IntoPage<&ThingId> + Send,
    ) -> Result<Vec<Self>, EventStoreError> {{
        mire::table::by_index(store, \"sum\", sum, page).await
    }}

    pub fn runner<DB: Backend>(store: &EventStore<DB>) -> ProjectionRunnerBuilder<DB> {{
        mire::table::runner::<Self, DB>(store)
    }}
}}
{MAIN}"
    )
}
