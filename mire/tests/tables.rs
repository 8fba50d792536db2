//! Table projections: pages folded into rows, look-ups, columns of every type, and tables that
//! don't match their declaration.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::common::backends::TestBackend;
use crate::common::projections::{PATIENCE, Plain, append, fast, head, leader, start, stop, until};
use crate::common::tables::{Balance, RESUBSCRIBED, UNLUCKY, Written};
use crate::common::{AccountEvent, Dice, deposited};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use mire::table::{self, Json, Page, TableProjection};
use mire::{
    Backend, ColumnDef, ColumnError, ColumnType, DecodeError, Delivery, Event, EventStore,
    EventStoreError, ExpectedVersion, FailurePolicy, PageEvent, RowReader, RowWriter, RunnerError,
    TableDef,
};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

type One = Balance<1>;

async fn record<DB: Backend>(store: &EventStore<DB>, stream: &str, events: Vec<AccountEvent>) {
    let events: Vec<_> = events.into_iter().map(Event::new).collect();
    store
        .append(stream, "account", ExpectedVersion::Any, &events)
        .await
        .unwrap();
}

fn opened(owner: &str) -> AccountEvent {
    AccountEvent::Opened {
        owner: owner.to_owned(),
    }
}

fn withdrawn(amount: i64) -> AccountEvent {
    AccountEvent::Withdrawn { amount }
}

/// Runs a projection until it has caught up.
async fn follow<P: TableProjection, DB: TestBackend>(store: &EventStore<DB>, batch_size: i64) {
    let running = start(
        fast(store, "a")
            .batch_size(batch_size)
            .subscribe_table::<P>(),
    );
    let id = P::TABLE.subscription_id();
    // A checkpoint of an earlier run may be reset until somebody leads.
    until("somebody leads", || async {
        leader(store, &id).await.is_some()
    })
    .await;
    store
        .wait_for(&id, head(store).await, PATIENCE)
        .await
        .unwrap();
    stop(running).await;
}

/// What a runner stops with.
async fn refusal<P: TableProjection, DB: TestBackend>(store: &EventStore<DB>) -> anyhow::Error {
    let runner = fast(store, "a").subscribe_table::<P>().build();
    let run = runner.run(CancellationToken::new());
    let answer = tokio::time::timeout(PATIENCE, run).await;
    answer.expect("the runner should stop").unwrap_err()
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// However the log is cut into pages, the table is what folding event by event gives.
async fn the_table_is_the_fold_of_the_log_wherever_pages_end<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let mut dice = Dice::new(7);
    let mut expected: BTreeMap<String, One> = BTreeMap::new();
    for _ in 0..60 {
        let account = format!("{}", dice.roll(9));
        let events: Vec<_> = (0..=dice.roll(4))
            .map(|_| match dice.roll(5) {
                0 => opened(&format!("owner {}", dice.roll(3))),
                1 | 2 => withdrawn(3_000_000 + i64::try_from(dice.roll(40)).unwrap()),
                _ => deposited(2_000_000),
            })
            .collect();
        let stream = format!("account-{account}");
        record(&store, &stream, events.clone()).await;
        let first = head(&store).await - i64::try_from(events.len()).unwrap();
        for (position, event) in (first + 1..).zip(&events) {
            let row = expected.remove(&account);
            let mut row = row.unwrap_or_else(|| One {
                account: account.clone(),
                balance: 1_000_000,
                ..One::default()
            });
            match event {
                AccountEvent::Opened { owner } => row.owner = Some(owner.clone()),
                AccountEvent::Deposited { amount } => row.balance += amount,
                AccountEvent::Withdrawn { amount } if row.balance < *amount => continue,
                AccountEvent::Withdrawn { amount } => row.balance -= amount,
            }
            row.events += 1;
            row.last_position = position;
            expected.insert(account.clone(), row);
        }
    }
    let expected: Vec<One> = expected.into_values().collect();
    assert!(expected.len() > 3, "the dice should leave some accounts");

    follow::<One, DB>(&store, 1000).await;
    let rows: Vec<One> = table::list(&store, 100).await.unwrap();
    assert_eq!(rows, expected);

    for batch_size in [1, 2, 7] {
        store.reset_checkpoint("balances", 0).await.unwrap();
        follow::<One, DB>(&store, batch_size).await;
        let rows: Vec<One> = table::list(&store, 100).await.unwrap();
        assert_eq!(rows, expected, "in pages of {batch_size}");
    }
    // The view of the declared name shows the same, to SQL of the user's own.
    let rows: Vec<One> = DB::rows(&store, "SELECT * FROM balances ORDER BY account").await;
    assert_eq!(rows, expected);
}

async fn rows_are_looked_up_by_key_and_by_index<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    for (account, owner, amount) in [
        ("a", Some("ann"), 10),
        ("b", Some("bob"), 30),
        ("c", None, 20),
        ("d", Some("ann"), 20),
        ("E", Some("eve"), 40),
    ] {
        let mut events: Vec<_> = owner.map(opened).into_iter().collect();
        events.push(deposited(amount));
        record(&store, &format!("account-{account}"), events).await;
    }
    follow::<Balance<0>, DB>(&store, 1000).await;
    let accounts =
        |rows: Vec<Balance<0>>| -> String { rows.into_iter().map(|row| row.account).collect() };

    let row: Option<Balance<0>> = table::get(&store, &"b".to_owned()).await.unwrap();
    assert_eq!(row.unwrap().owner.as_deref(), Some("bob"));
    let none: Option<Balance<0>> = table::get(&store, &"x".to_owned()).await.unwrap();
    assert_eq!(none, None);
    let keys: Vec<String> = ["b", "nobody", "a"].map(str::to_owned).into();
    let mut many: Vec<Balance<0>> = table::get_many(&store, &keys).await.unwrap();
    many.sort_by(|a, b| a.account.cmp(&b.account));
    assert_eq!(accounts(many), "ab");
    let nothing: Vec<Balance<0>> = table::get_many(&store, &[]).await.unwrap();
    assert_eq!(nothing, []);

    // In the order of bytes on either backend, capitals first.
    let first = table::list(&store, 3).await.unwrap();
    assert_eq!(accounts(first), "Eab");
    let rest = table::list(&store, Page::of(9).after(&"b".to_owned()))
        .await
        .unwrap();
    assert_eq!(accounts(rest), "cd");

    let ann = Some("ann".to_owned());
    let anns = table::by_index(&store, "owner", &ann, 9).await.unwrap();
    assert_eq!(accounts(anns), "ad");
    let nobodys = table::by_index(&store, "owner", &None::<String>, 9).await;
    assert_eq!(accounts(nobodys.unwrap()), "c");
    let range = table::by_index_range(&store, "balance", 20_i64..40, 9).await;
    assert_eq!(accounts(range.unwrap()), "cdb");
    let range = table::by_index_range(&store, "balance", 20_i64.., 2).await;
    assert_eq!(accounts(range.unwrap()), "cd");
    let range = table::by_index_range(&store, "owner", ..=Some("bob".to_owned()), 9).await;
    assert_eq!(accounts(range.unwrap()), "adb");

    // From the end, and the rest of a page of two; the row that it goes on behind may be gone.
    let down = Page::of(2).descending();
    let top = table::list(&store, down).await.unwrap();
    assert_eq!(accounts(top), "dc");
    let rest = table::list(&store, down.after(&"bb".to_owned())).await;
    assert_eq!(accounts(rest.unwrap()), "ba");
    let last = table::by_index(&store, "owner", &ann, down).await.unwrap();
    assert_eq!(accounts(last), "da");
    let [a, c] = ["a", "c"].map(str::to_owned);
    let rest = Page::of(9).after(&a);
    let rest = table::by_index(&store, "owner", &ann, rest).await.unwrap();
    assert_eq!(accounts(rest), "d");
    let none = Page::of(9).after(&c);
    let none = table::by_index(&store, "owner", &None::<String>, none).await;
    assert_eq!(accounts(none.unwrap()), "");
    let error = Page::of(9).after((&None, &a));
    let error = table::by_index_range::<Balance<0>, DB, Option<String>>(&store, "owner", .., error);
    let error = error.await.unwrap_err().to_string();
    assert!(error.contains("without a value in `owner`"), "{error}");

    let error = table::by_index::<Balance<0>, DB, _>(&store, "events", &1_i64, 1).await;
    assert!(error.unwrap_err().to_string().contains("`events`"));
    let error = table::by_index::<Balance<0>, DB, _>(&store, "balance", &1_i32, 1).await;
    let error = chain(&error.unwrap_err());
    assert!(
        error.contains("column `balance`: it is declared as `i64`"),
        "{error}"
    );
    let error = table::list::<Balance<0>, DB>(&store, -1).await;
    assert!(error.unwrap_err().to_string().contains("can't be -1"));
}

/// Whatever the length of the pages, and in either direction: each row once, in order, though many
/// have the same value.
async fn pages_of_a_range_give_each_row_once<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    for account in 0..30 {
        let stream = format!("account-{account:02}");
        record(&store, &stream, vec![deposited(account % 4)]).await;
    }
    follow::<Balance<0>, DB>(&store, 1000).await;
    for (limit, descending) in [(1, false), (4, true), (7, false), (7, true), (30, true)] {
        let mut expected: Vec<(i64, String)> = (0..30)
            .map(|account| (account % 4, format!("{account:02}")))
            .filter(|(balance, _)| (1..=3).contains(balance))
            .collect();
        expected.sort();
        let mut page = Page::of(limit);
        if descending {
            expected.reverse();
            page = page.descending();
        }
        let mut found: Vec<(i64, String)> = Vec::new();
        loop {
            let last = found.last().map(|(balance, account)| (balance, account));
            let page = last.map_or(page, |last| page.after(last));
            let rows = table::by_index_range(&store, "balance", 1_i64..=3, page).await;
            let rows: Vec<Balance<0>> = rows.unwrap();
            assert!(rows.len() <= usize::try_from(limit).unwrap());
            if rows.is_empty() {
                break;
            }
            found.extend(rows.into_iter().map(|row| (row.balance, row.account)));
            assert!(found.len() <= 30, "it doesn't end");
        }
        assert_eq!(found, expected, "{limit} {descending}");
    }
}

/// A type of the user's own.
#[derive(Debug, Clone, PartialEq)]
struct Colour(u8, u8, u8);

impl ColumnType for Colour {
    type Stored = String;

    fn to_stored(&self) -> Result<String, ColumnError> {
        Ok(format!("{:02x}{:02x}{:02x}", self.0, self.1, self.2))
    }

    fn from_stored(stored: String) -> Result<Self, ColumnError> {
        let all = u32::from_str_radix(&stored, 16).map_err(ColumnError::new)?;
        let [_, r, g, b] = all.to_be_bytes();
        Ok(Self(r, g, b))
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Anything {
    names: BTreeMap<String, Vec<Option<f64>>>,
}

macro_rules! table_of_everything {
    ($($field:ident: $type:ty),* $(,)?) => {
        #[allow(non_snake_case)]
        /// A row with a column of every type, and one that may be NULL of each.
        #[derive(Debug, Clone, PartialEq)]
        struct Everything {
            id: Uuid,
            $($field: $type,)*
            anything: Anything,
            folded: i32,
        }

        impl Everything {
            const COLUMNS: &'static [ColumnDef] = &[
                ColumnDef::of::<Uuid>("id").key(),
                $(ColumnDef::of::<$type>(stringify!($field)),)*
                ColumnDef::json("anything"),
                ColumnDef::of::<i32>("folded"),
            ];

            fn write_all(&self, row: &mut RowWriter<'_>) -> Result<(), ColumnError> {
                row.put(&self.id)?;
                $(row.put(&self.$field)?;)*
                row.put_json(&self.anything)?;
                row.put(&self.folded)
            }

            fn read_all(row: &mut RowReader<'_>) -> Result<Self, ColumnError> {
                Ok(Self {
                    id: row.take()?,
                    $($field: row.take()?,)*
                    anything: row.take_json()?,
                    folded: row.take()?,
                })
            }
        }
    };
}

table_of_everything! {
    yes: bool, tiny: i8, small: i16, medium: i32, large: i64,
    byte: u8, word: u16, long: u32, longest: u64,
    single: f32, double: f64, text: String, uuid: Uuid,
    at: DateTime<Utc>, day: NaiveDate, time: NaiveTime, local: NaiveDateTime,
    bytes: Vec<u8>, json: Json, colour: Colour,
    // Words that SQL keeps for itself, and one in capitals.
    select: Option<bool>, order: Option<i32>, Table: Option<f64>, user: Option<String>,
    group: Option<Uuid>, when: Option<DateTime<Utc>>, limit: Option<Vec<u8>>,
    maybe_colour: Option<Colour>, maybe_longest: Option<u64>, maybe_json: Option<Json>,
}

/// The row that an amount stands for; `u64` and `f64` can be what can't be stored.
fn everything(id: Uuid, amount: i64) -> Everything {
    let instant = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    let largest = amount % 2 == 0;
    let at = if largest {
        instant("9999-12-31T23:59:59.999999Z")
    } else {
        instant("0001-01-01T00:00:00.000001Z")
    };
    let json = |text: &str| Json::of(&serde_json::from_str::<serde_json::Value>(text).unwrap());
    let pick = |a: i64, b: i64| if largest { a } else { b };
    Everything {
        id,
        yes: largest,
        tiny: i8::try_from(pick(127, -128)).unwrap(),
        small: if largest { i16::MAX } else { i16::MIN },
        medium: if largest { i32::MAX } else { i32::MIN },
        large: if largest { i64::MAX } else { i64::MIN },
        byte: u8::try_from(pick(255, 0)).unwrap(),
        word: if largest { u16::MAX } else { 0 },
        long: if largest { u32::MAX } else { 0 },
        longest: match amount {
            TOO_LARGE => u64::MAX,
            _ => i64::MAX.unsigned_abs(),
        },
        single: if largest { f32::MIN_POSITIVE } else { -1.1 },
        double: match amount {
            NOT_A_NUMBER => f64::NAN,
            _ if largest => f64::INFINITY,
            _ => 0.1 + 0.2,
        },
        text: match amount {
            NUL => "a\0b".to_owned(),
            _ => "\"quoted\", 'quoted', \\ {a,b} \u{1f980} \n".to_owned(),
        },
        uuid: Uuid::from_u128(u128::MAX),
        at: match amount {
            LATE => DateTime::<Utc>::MAX_UTC,
            _ => at,
        },
        day: at.date_naive(),
        time: at.time(),
        local: at.naive_utc(),
        bytes: vec![0, 1, 255, b'\\', b'\''],
        json: match amount {
            NUL_IN_JSON => Json::of("\\u0000 \0").unwrap(),
            // A backslash before `u0000`, which is no NUL.
            _ => json(r#"{"a": ["\\u0000", null, 1.5]}"#).unwrap(),
        },
        colour: Colour(1, 2, 255),
        select: largest.then_some(true),
        order: largest.then_some(-1),
        Table: largest.then_some(-0.5),
        user: largest.then(String::new),
        group: largest.then(Uuid::nil),
        when: largest.then_some(at),
        limit: largest.then(Vec::new),
        maybe_colour: largest.then_some(Colour(0, 0, 0)),
        maybe_longest: largest.then_some(7),
        maybe_json: largest.then(|| Json::of(&()).unwrap()),
        anything: Anything {
            names: [("x".to_owned(), vec![None, Some(1e300), Some(-2.5)])].into(),
        },
        folded: 0,
    }
}

const NOT_A_NUMBER: i64 = 1001;
const TOO_LARGE: i64 = 1003;
const NUL: i64 = 1005;
const LATE: i64 = 1007;
const NUL_IN_JSON: i64 = 1009;

impl TableProjection for Everything {
    type Event = i64;
    type Key = Uuid;

    const TABLE: TableDef = TableDef {
        subscription: "everything",
        // A name that has to be quoted.
        table: "every \"Thing\"",
        fingerprint: 7,
        categories: &["account"],
        columns: Self::COLUMNS,
    };

    fn decode(event: &PageEvent<'_>) -> Result<Option<i64>, DecodeError> {
        Ok(match event.decode::<AccountEvent>()? {
            AccountEvent::Deposited { amount } => Some(amount),
            _ => None,
        })
    }

    fn key(_: &i64, at: &PageEvent<'_>) -> Result<Uuid, DecodeError> {
        Ok(at.id().parse()?)
    }

    fn fold(row: Option<Self>, key: &Uuid, amount: &i64, _: Delivery<'_>) -> Option<Self> {
        let mut new = everything(*key, *amount);
        if let Some(before) = row {
            // What came back from the table is what was written to it, wherever pages end.
            let written = Self {
                folded: before.folded,
                ..everything(*key, i64::from(before.folded))
            };
            assert_eq!(format!("{before:?}"), format!("{written:?}"));
        }
        new.folded = i32::try_from(*amount).unwrap();
        Some(new)
    }

    fn write(&self, row: &mut RowWriter<'_>) -> Result<(), ColumnError> {
        self.write_all(row)
    }

    fn read(row: &mut RowReader<'_>) -> Result<Self, ColumnError> {
        let mut row = Self::read_all(row)?;
        // PostgreSQL keeps what JSON means, not how it is spaced.
        let read: serde_json::Value = row.json.read()?;
        row.json = Json::of(&read)?;
        Ok(row)
    }
}

async fn every_type_comes_back_as_it_was_written<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let id = Uuid::from_u128(77);
    append(&store, &format!("account-{id}"), 1..=8).await;
    follow::<Everything, DB>(&store, 3).await;
    let row: Everything = table::get(&store, &id).await.unwrap().unwrap();
    let expected = Everything {
        folded: 8,
        ..everything(id, 8)
    };
    assert_eq!(row, expected);
    let rows: Vec<Everything> = DB::rows(&store, "SELECT * FROM \"every \"\"Thing\"\"\"").await;
    assert_eq!(rows, [expected]);
}

async fn a_value_that_no_column_holds_stops_at_its_event_and_says_what_to_do<DB: TestBackend>() {
    for (amount, column, mend) in [
        (NOT_A_NUMBER, "double", "it is NaN"),
        (TOO_LARGE, "longest", "18446744073709551615 is above"),
        (NUL, "text", "NUL character"),
        (LATE, "at", "year is not within 1 to 9999"),
        (NUL_IN_JSON, "json", "NUL character"),
    ] {
        let (store, _database) = DB::fresh().await;
        let id = Uuid::from_u128(77);
        append(&store, &format!("account-{id}"), [1, 2, 3]).await;
        append(&store, "account-00000000-0000-0000-0000-000000000001", [4]).await;
        append(&store, &format!("account-{id}"), [amount]).await;
        append(&store, "account-00000000-0000-0000-0000-000000000002", [6]).await;
        let error = refusal::<Everything, DB>(&store).await;
        let Some(RunnerError::Stopped {
            position, source, ..
        }) = error.downcast_ref()
        else {
            panic!("{error:?}");
        };
        let text = format!("{source:#}");
        assert_eq!(*position, 5, "{text}");
        assert!(text.contains(&format!("column `{column}`")), "{text}");
        assert!(text.contains(mend), "{text}");
        let row: Everything = table::get(&store, &id).await.unwrap().unwrap();
        assert_eq!(row.folded, 3, "all before it is committed");
    }
}

/// Adds up what was deposited, as a number that may outgrow its column.
#[derive(Debug, PartialEq)]
struct Sum {
    account: String,
    total: u64,
}

impl TableProjection for Sum {
    type Event = u64;
    type Key = String;

    const TABLE: TableDef = TableDef {
        subscription: "sums",
        table: "sums",
        fingerprint: 1,
        categories: &["account"],
        columns: &[
            ColumnDef::of::<String>("account").key(),
            ColumnDef::of::<u64>("total"),
        ],
    };

    fn decode(event: &PageEvent<'_>) -> Result<Option<u64>, DecodeError> {
        Ok(match event.decode::<AccountEvent>()? {
            AccountEvent::Deposited { amount } => Some(amount.try_into()?),
            _ => None,
        })
    }

    fn key(_: &u64, at: &PageEvent<'_>) -> Result<String, DecodeError> {
        Ok(at.id().to_owned())
    }

    fn fold(row: Option<Self>, key: &String, amount: &u64, _: Delivery<'_>) -> Option<Self> {
        Some(Self {
            account: key.clone(),
            total: row.map_or(0, |row| row.total) + amount,
        })
    }

    fn write(&self, row: &mut RowWriter<'_>) -> Result<(), ColumnError> {
        row.put(&self.account)?;
        row.put(&self.total)
    }

    fn read(row: &mut RowReader<'_>) -> Result<Self, ColumnError> {
        Ok(Self {
            account: row.take()?,
            total: row.take()?,
        })
    }
}

/// Rows are written at the end of a page, and still it is the event that made one bad that is
/// named, not the last one that touched it.
async fn the_event_that_made_a_row_bad_is_named_though_later_ones_touched_it<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    append(&store, "account-1", [5, i64::MAX - 6, 1, 1, 1, 1, 1]).await;
    append(&store, "account-2", [1, 2, 3]).await;
    let error = refusal::<Sum, DB>(&store).await;
    let Some(RunnerError::Stopped {
        position, source, ..
    }) = error.downcast_ref()
    else {
        panic!("{error:?}");
    };
    let text = format!("{source:#}");
    assert!(text.contains("9223372036854775808 is above"), "{text}");
    assert_eq!(*position, 4);
    let row: Sum = table::get(&store, &"1".to_owned()).await.unwrap().unwrap();
    assert_eq!(row.total, i64::MAX.unsigned_abs());
}

async fn an_event_whose_fold_panics_is_parked_and_all_others_take_effect<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    for n in 0..20 {
        append(&store, &format!("account-{}", n % 4), [n]).await;
    }
    append(&store, "account-unlucky", [1, UNLUCKY, 2]).await;
    for n in 20..40 {
        append(&store, &format!("account-{}", n % 4), [n]).await;
    }
    append(&store, "account-unlucky", [3]).await;
    let running = start(
        fast(&store, "a")
            .batch_size(16)
            .subscribe_table_with::<Balance<13>>(|s| {
                s.on_failure(FailurePolicy::Park).max_attempts(2)
            }),
    );
    store
        .wait_for("balances", head(&store).await, PATIENCE)
        .await
        .unwrap();
    let parked = store.parked("balances", 0, 10).await.unwrap();
    let versions: Vec<_> = parked
        .iter()
        .map(|p| (p.stream_version, p.attempts))
        .collect();
    assert_eq!(versions, [(2, 2), (3, 0), (4, 0)]);
    let error = parked[0].error.as_deref().unwrap();
    assert!(error.contains("thirteen"), "{error}");

    let rows: Vec<Balance<13>> = table::list(&store, 10).await.unwrap();
    let events: Vec<_> = rows
        .iter()
        .map(|row| (&*row.account, row.events, row.balance - 13_000_000))
        .collect();
    let sum = |first: i64| (0..10).map(|n| first + 4 * n).sum::<i64>();
    assert_eq!(
        events,
        [
            ("0", 10, sum(0)),
            ("1", 10, sum(1)),
            ("2", 10, sum(2)),
            ("3", 10, sum(3)),
            ("unlucky", 1, 1),
        ]
    );
    // Given up, the event lets those behind it through.
    store
        .drop_parked("balances", parked[0].global_position)
        .await
        .unwrap();
    store
        .retry_parked("balances", "account-unlucky")
        .await
        .unwrap();
    until("the rest is delivered", || async {
        store.parked("balances", 0, 10).await.unwrap().is_empty()
    })
    .await;
    let row: Balance<13> = table::get(&store, &"unlucky".to_owned())
        .await
        .unwrap()
        .unwrap();
    assert_eq!((row.events, row.balance), (3, 13_000_006));
    stop(running).await;
}

/// An event that can't be read is one of an unknown name here.
async fn an_event_that_cannot_be_read_stops_the_runner_at_once<DB: TestBackend>() {
    #[derive(Debug, Clone, Serialize, Deserialize, mire::EventData)]
    #[mire(entity = "account")]
    enum Later {
        Renamed { name: String },
    }
    let (store, _database) = DB::fresh().await;
    append(&store, "account-1", 1..=5).await;
    let renamed = Later::Renamed { name: "x".into() };
    store
        .append(
            "account-1",
            "account",
            ExpectedVersion::Any,
            &[Event::new(renamed)],
        )
        .await
        .unwrap();
    let error = refusal::<One, DB>(&store).await;
    let Some(RunnerError::Stopped {
        position, attempts, ..
    }) = error.downcast_ref()
    else {
        panic!("{error:?}");
    };
    assert_eq!((*position, *attempts), (6, 1));
    let row: One = table::get(&store, &"1".to_owned()).await.unwrap().unwrap();
    assert_eq!(row.events, 5);
}

async fn a_table_that_was_altered_is_refused_with_all_that_differs<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    follow::<Written, DB>(&store, 10).await;
    let mut conn = store.pool().acquire().await.unwrap();
    DB::run(
        &mut conn,
        "DROP VIEW balances;
         DROP TABLE balances__0000ffff;
         CREATE TABLE balances__0000ffff (account text, balance integer NOT NULL, more real)",
    )
    .await;
    let text = format!("{:#}", refusal::<Written, DB>(&store).await);
    let types = if text.contains("of type integer") {
        "the column `balance` is of type integer, declared is text"
    } else {
        "the column `balance` is of type INTEGER, declared is TEXT"
    };
    for difference in [
        "balances__0000ffff",
        "the column `account` is nullable, declared is NOT NULL",
        "the column `account` is not the primary key",
        types,
        "the column `more` is not declared",
        "it is rebuilt from the log",
    ] {
        assert!(text.contains(difference), "{difference}\n{text}");
    }
}

async fn a_table_that_is_altered_under_its_leader_says_what_differs<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    append(&store, "account-1", [1]).await;
    let running = start(fast(&store, "a").subscribe_table::<One>());
    store.wait_for("balances", 1, PATIENCE).await.unwrap();
    let mut conn = store.pool().acquire().await.unwrap();
    DB::run(
        &mut conn,
        "ALTER TABLE balances__00000001 RENAME COLUMN last_position TO lost",
    )
    .await;
    append(&store, "account-1", [2]).await;
    until("it says what differs", || async {
        let status = table::status::<One, DB>(&store).await.unwrap();
        let own = status.own().and_then(|own| own.hindrance.as_ref());
        own.is_some_and(|text| {
            text.contains("the column `last_position` is missing")
                && text.contains("undo the change")
        })
    })
    .await;
    running.0.cancel();
    let _ = running.1.await.unwrap();
}

async fn an_index_that_was_dropped_is_missed<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    follow::<One, DB>(&store, 10).await;
    let mut conn = store.pool().acquire().await.unwrap();
    DB::run(&mut conn, "DROP INDEX balances__00000001_i2").await;
    let text = format!("{:#}", refusal::<One, DB>(&store).await);
    assert!(text.contains("the column `balance` has no index"), "{text}");
}

async fn a_table_that_was_dropped_is_built_anew_from_the_start<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    append(&store, "account-1", 1..=5).await;
    follow::<One, DB>(&store, 10).await;
    let before: Vec<One> = table::list(&store, 10).await.unwrap();
    {
        let mut conn = store.pool().acquire().await.unwrap();
        DB::run(
            &mut conn,
            "DROP VIEW balances; DROP TABLE balances__00000001",
        )
        .await;
    }
    follow::<One, DB>(&store, 10).await;
    let after: Vec<One> = table::list(&store, 10).await.unwrap();
    assert_eq!(after, before);
    assert_eq!(after[0].events, 5);
    assert_eq!(DB::number(&store, "SELECT events FROM balances").await, 5);
}

/// What was parked is of the table that is gone: the new one has yet to come to these events.
async fn a_table_that_is_built_anew_has_no_parked_events<DB: TestBackend>() {
    type Thirteen = Balance<13>;
    let id = Thirteen::TABLE.subscription_id();
    let (store, _database) = DB::fresh().await;
    append(&store, "account-1", [1, UNLUCKY]).await;
    let once = |policy| {
        fast(&store, "a")
            .subscribe_table_with::<Thirteen>(move |s| s.on_failure(policy).max_attempts(1))
    };
    let running = start(once(FailurePolicy::Park));
    store.wait_for(&id, 2, PATIENCE).await.unwrap();
    stop(running).await;
    assert_eq!(store.parked(&id, 0, 9).await.unwrap().len(), 1);
    {
        let mut conn = store.pool().acquire().await.unwrap();
        DB::run(
            &mut conn,
            "DROP VIEW balances; DROP TABLE balances__0000000d",
        )
        .await;
    }
    // This runner parks nothing, so what is parked after it was before.
    let stopping = once(FailurePolicy::Stop).build();
    let run = tokio::time::timeout(PATIENCE, stopping.run(CancellationToken::new()));
    run.await.expect("it should stop").unwrap_err();
    assert!(store.parked(&id, 0, 9).await.unwrap().is_empty());
    assert_eq!(DB::number(&store, "SELECT events FROM balances").await, 1);
}

/// The store may be new to the database: a table of that name can well be there.
async fn a_table_of_the_users_own_is_left_alone<DB: TestBackend>() {
    for sql in [
        "CREATE TABLE balances (mine bigint)",
        "CREATE VIEW balances AS SELECT 1 AS mine",
    ] {
        let (store, _database) = DB::fresh().await;
        DB::run(&mut *store.pool().acquire().await.unwrap(), sql).await;
        let text = format!("{:#}", refusal::<One, DB>(&store).await);
        assert!(
            text.contains("`balances`") && text.contains("is not mire's"),
            "{text}"
        );
        let registered = "SELECT count(*) FROM mire_table_versions";
        assert_eq!(
            DB::number(&store, registered).await,
            0,
            "nothing is left behind"
        );
        let error = table::list::<One, DB>(&store, 1).await.unwrap_err();
        assert!(
            matches!(error, EventStoreError::TableNotReady { .. }),
            "{error}"
        );
    }
}

/// What is wrong with the database is no event's fault: none is parked, and none is lost.
async fn a_table_that_vanishes_under_a_leader_is_waited_for<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    append(&store, "account-1", [1, 2]).await;
    let running =
        start(fast(&store, "a").subscribe_table_with::<One>(|s| s.on_failure(FailurePolicy::Park)));
    store.wait_for("balances", 2, PATIENCE).await.unwrap();
    {
        let mut conn = store.pool().acquire().await.unwrap();
        // At once, or the leader may bring the view back in between.
        DB::run(
            &mut conn,
            "BEGIN; DROP VIEW balances; ALTER TABLE balances__00000001 RENAME TO hidden; COMMIT",
        )
        .await;
    }
    append(&store, "account-1", [3]).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(store.checkpoint("balances").await.unwrap(), Some(2));
    // A view over nothing would stand in the way of the table.
    assert!(!DB::exists(&store, "balances").await);
    {
        let mut conn = store.pool().acquire().await.unwrap();
        DB::run(&mut conn, "ALTER TABLE hidden RENAME TO balances__00000001").await;
    }
    store.wait_for("balances", 3, PATIENCE).await.unwrap();
    assert!(store.parked("balances", 0, 9).await.unwrap().is_empty());
    let row: One = table::get(&store, &"1".to_owned()).await.unwrap().unwrap();
    assert_eq!((row.events, row.balance), (3, 1_000_006));
    stop(running).await;
}

/// Whether there is an event to write or not; and none is parked or lost.
async fn a_table_that_is_dropped_under_its_leader_is_built_again<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    append(&store, "account-1", [1, 2]).await;
    let soon = fast(&store, "a").take_over_after(Duration::from_millis(200));
    let running = start(soon.subscribe_table_with::<One>(|s| s.on_failure(FailurePolicy::Park)));
    store.wait_for("balances", 2, PATIENCE).await.unwrap();
    let drop = async || {
        let mut conn = store.pool().acquire().await.unwrap();
        DB::run(
            &mut conn,
            "BEGIN; DROP VIEW balances; DROP TABLE balances__00000001; COMMIT",
        )
        .await;
    };
    let is_there = async |events| {
        until("it is there again, with its view", || async {
            let row = table::get::<One, DB>(&store, &"1".to_owned()).await;
            let is_there = row.is_ok_and(|row| row.is_some_and(|row| row.events == events));
            is_there && DB::exists(&store, "balances").await
        })
        .await;
    };
    drop().await;
    append(&store, "account-1", [3]).await;
    is_there(3).await;
    drop().await;
    is_there(3).await;
    assert!(store.parked("balances", 0, 9).await.unwrap().is_empty());
    let status = table::status::<One, DB>(&store).await.unwrap();
    assert_eq!(status.own().unwrap().hindrance, None);
    stop(running).await;
}

async fn a_table_that_is_gone_is_not_called_incomplete<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    append(&store, "account-1", [1]).await;
    follow::<One, DB>(&store, 10).await;
    {
        let mut conn = store.pool().acquire().await.unwrap();
        DB::run(
            &mut conn,
            "DROP VIEW balances; DROP TABLE balances__00000001",
        )
        .await;
    }
    let error = table::list::<One, DB>(&store, 1).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("`balances@00000001`, has lost its table"),
        "{error}"
    );
    let error = table::list::<Balance<2>, DB>(&store, 1).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("is not complete, and the one that serves has lost its table"),
        "{error}"
    );
}

/// A subscription that was renamed and kept its table's name, or one that took another's.
async fn a_name_that_another_subscription_has_is_refused_with_its_owner<DB: TestBackend>() {
    type Renamed = Balance<RESUBSCRIBED>;
    let (store, _database) = DB::fresh().await;
    append(&store, "account-1", [1, 2]).await;
    follow::<One, DB>(&store, 10).await;
    let text = format!("{:#}", refusal::<Renamed, DB>(&store).await);
    for part in [
        "subscription `balances` keeps a table of this name",
        "give the one of `accounts` another name",
        "mire::table::remove(&store, \"balances\")",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }

    let error = table::remove(&store, "elsewhere").await.unwrap_err();
    assert!(error.to_string().contains("keeps none"), "{error}");
    let old = start(fast(&store, "a").subscribe_table::<One>());
    until("it leads", || async {
        leader(&store, "balances").await.is_some()
    })
    .await;
    let error = table::remove(&store, "balances").await.unwrap_err();
    assert!(
        error.to_string().contains("which a worker leads"),
        "{error}"
    );
    stop(old).await;
    table::remove(&store, "balances").await.unwrap();
    for name in ["balances", "balances__00000001"] {
        assert!(!DB::exists(&store, name).await, "{name} is there");
    }
    let status = table::status::<One, DB>(&store).await.unwrap();
    assert!(status.serving().is_none(), "{status:?}");
    let removed = status.own().unwrap();
    assert!(removed.dropped_at.is_some(), "{removed:?}");
    assert_eq!((removed.position, removed.left), (0, None));

    follow::<Renamed, DB>(&store, 10).await;
    assert_eq!(DB::number(&store, "SELECT events FROM balances").await, 2);
    let text = format!("{:#}", refusal::<One, DB>(&store).await);
    assert!(text.contains("subscription `accounts` keeps"), "{text}");
}

/// A projection with a table was deleted, and one that acts took its name. Whoever asked for the name
/// would be told of the table.
async fn the_name_of_a_table_that_is_still_there_is_refused_to_others<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    append(&store, "account-1", [1, 2]).await;
    follow::<One, DB>(&store, 10).await;
    let acting = Plain::new();
    let start_it = || start(fast(&store, "a").subscribe("balances", acting.clone()));
    let (_cancel, task) = start_it();
    let ended = tokio::time::timeout(PATIENCE, task).await;
    let error = ended.expect("it is refused").unwrap().unwrap_err();
    assert!(
        matches!(
            error.downcast_ref(),
            Some(RunnerError::NameOfTable { subscription_id }) if subscription_id == "balances"
        ),
        "{error:?}"
    );
    let remove = "mire::table::remove(&store, \"balances\")";
    assert!(error.to_string().contains(remove), "{error}");
    assert!(acting.got().is_empty());

    table::remove(&store, "balances").await.unwrap();
    let running = start_it();
    store.wait_for("balances", 2, PATIENCE).await.unwrap();
    assert_eq!(acting.got(), [1, 2]);
    store.reset_checkpoint("balances", 1).await.unwrap();
    until("it acts again", || async { acting.got() == [1, 2, 2] }).await;
    stop(running).await;
}

async fn handlers_and_tables_run_side_by_side_under_names_of_their_own<DB: TestBackend>() {
    let (store, _database) = crate::common::projections::with_seen::<DB>().await;
    let id = Uuid::from_u128(1);
    append(&store, &format!("account-{id}"), [1, 2, 3]).await;
    let builder = || {
        fast(&store, "a")
            .subscribe_table::<One>()
            .subscribe_table::<Everything>()
            .subscribe_transactional("s", crate::common::projections::Writer::new())
    };
    let running = start(builder());
    for id in ["balances", "everything", "s"] {
        store.wait_for(id, 3, PATIENCE).await.unwrap();
    }
    stop(running).await;
    let row: One = table::get(&store, &id.to_string()).await.unwrap().unwrap();
    assert_eq!(row.events, 3);
    assert_eq!(crate::common::projections::seen(&store).await.len(), 3);

    let twice = builder().subscribe_table::<Balance<2>>().build();
    let error = twice.run(CancellationToken::new()).await.unwrap_err();
    assert!(
        error.to_string().contains("`balances` is there twice"),
        "{error}"
    );
}

async fn a_reset_to_the_start_empties_the_table_and_other_positions_are_refused<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    append(&store, "account-1", [1, 2, 3]).await;
    follow::<One, DB>(&store, 10).await;
    let error = store.reset_checkpoint("balances", 2).await.unwrap_err();
    assert!(error.to_string().contains("pass 0"), "{error}");
    store.reset_checkpoint("balances", 0).await.unwrap();
    assert_eq!(DB::number(&store, "SELECT count(*) FROM balances").await, 0);
    follow::<One, DB>(&store, 10).await;
    assert_eq!(DB::number(&store, "SELECT events FROM balances").await, 3);
}

conformance!(
    the_table_is_the_fold_of_the_log_wherever_pages_end,
    rows_are_looked_up_by_key_and_by_index,
    pages_of_a_range_give_each_row_once,
    every_type_comes_back_as_it_was_written,
    a_value_that_no_column_holds_stops_at_its_event_and_says_what_to_do,
    the_event_that_made_a_row_bad_is_named_though_later_ones_touched_it,
    an_event_whose_fold_panics_is_parked_and_all_others_take_effect,
    an_event_that_cannot_be_read_stops_the_runner_at_once,
    a_table_that_was_altered_is_refused_with_all_that_differs,
    a_table_that_is_altered_under_its_leader_says_what_differs,
    an_index_that_was_dropped_is_missed,
    a_table_that_was_dropped_is_built_anew_from_the_start,
    a_table_that_is_built_anew_has_no_parked_events,
    a_table_of_the_users_own_is_left_alone,
    a_table_that_vanishes_under_a_leader_is_waited_for,
    a_table_that_is_dropped_under_its_leader_is_built_again,
    a_table_that_is_gone_is_not_called_incomplete,
    a_name_that_another_subscription_has_is_refused_with_its_owner,
    the_name_of_a_table_that_is_still_there_is_refused_to_others,
    handlers_and_tables_run_side_by_side_under_names_of_their_own,
    a_reset_to_the_start_empties_the_table_and_other_positions_are_refused,
);
