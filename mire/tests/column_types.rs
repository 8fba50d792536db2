//! Every type that a column can have, in tables that `projection!` declares: inserted, changed by a
//! later page, and found by all look-ups that there are for it.

use std::collections::BTreeMap;

use crate::common::backends::TestBackend;
use crate::common::projections::{PATIENCE, fast, head, start, stop, until};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use mire::table::{Json, Page};
use mire::{Backend, ColumnError, ColumnType, Event, EventStore, ExpectedVersion};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A type of one's own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Colour(u8, u8, u8);

impl ColumnType for Colour {
    type Stored = String;

    fn to_stored(&self) -> Result<String, ColumnError> {
        Ok(format!("#{:02x}{:02x}{:02x}", self.0, self.1, self.2))
    }

    fn from_stored(stored: String) -> Result<Self, ColumnError> {
        let digits = stored.strip_prefix('#').unwrap_or_default();
        let all = u32::from_str_radix(digits, 16).map_err(ColumnError::new)?;
        let [_, r, g, b] = all.to_be_bytes();
        Ok(Self(r, g, b))
    }
}

mire::aggregate!(
    /// Who owns something.
    #[aggregate(category = "owner", id(OwnerId))]
    pub struct Owner;
);

fn id(text: &str) -> Uuid {
    text.parse().unwrap()
}

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// The aggregate whose event has a field of each type, a table with a column of each, and for each type
/// a table of its own.
macro_rules! all_types {
    ($($field:ident $maybe:ident ($key:ident: $key_type:ty): $type:ty = [$($sample:expr),+ $(,)?];)+) => {
        /// Values of each type, in the order that the databases keep.
        mod samples {
            use super::*;

            $(pub fn $field() -> Vec<$type> {
                vec![$($sample),+]
            })+

            /// A key for what can't be one.
            pub fn number() -> Vec<i64> {
                vec![0, 1, 2, 3, 4]
            }

            pub fn owner() -> Vec<OwnerId> {
                code().into_iter().map(OwnerId::from).collect()
            }
        }

        mire::aggregate!(
            /// Something with a field of every type.
            #[aggregate(category = "thing", id(ThingId))]
            pub struct Thing;

            #[event]
            #[allow(clippy::too_many_arguments)]
            fn set(&mut self, n: i64, number: i64, owner: OwnerId, $($field: $type),+) {}
        );

        /// The event that sets each field to a sample.
        fn set(n: usize) -> ThingEvent {
            ThingEvent::Set {
                n: i64::try_from(n).unwrap(),
                number: samples::number()[n % 5],
                owner: samples::owner()[n % 5],
                $($field: sample(&samples::$field(), n),)+
            }
        }

        mire::projection!(
            /// A column of every type, and one of each that may be NULL.
            #[projection(subscription = "every", reads(ThingEvent))]
            #[derive(Debug, Clone, PartialEq)]
            pub struct Every {
                #[key]
                thing: ThingId,
                $($field: $type, $maybe: Option<$type>,)+
                owner: Option<OwnerId>,
                raw: Option<Json>,
                #[json]
                names: BTreeMap<String, Vec<Option<u64>>>,
                #[json]
                maybe_names: Option<Vec<String>>,
            }

            #[on(ThingEvent::Set)]
            #[allow(clippy::too_many_arguments)]
            fn set(&mut self, n: i64, owner: OwnerId, $($field: $type),+) {
                let there = n % 2 == 0;
                $(self.$maybe = there.then(|| $field.clone());
                self.$field = $field;)+
                self.owner = there.then_some(owner);
                self.raw = there.then(|| Json::of(&[n]).unwrap());
                self.names.insert(n.to_string(), vec![None, n.try_into().ok()]);
                self.maybe_names = there.then(Vec::new);
            }
        );

        impl Every {
            fn is(&self, n: usize) {
                let there = n % 2 == 0;
                $(let value = sample(&samples::$field(), n);
                assert_eq!(self.$field, value, "{n}");
                assert_eq!(self.$maybe, there.then_some(value), "{n}");)+
                assert_eq!(self.owner, there.then_some(samples::owner()[n % 5]));
                let raw = self.raw.as_ref().map(|raw| raw.read::<Vec<usize>>().unwrap());
                assert_eq!(raw, there.then(|| vec![n]));
                let names = (0..=n).map(|n| (n.to_string(), vec![None, n.try_into().ok()]));
                assert_eq!(self.names, names.collect());
                assert_eq!(self.maybe_names, there.then(Vec::new));
            }
        }

        $(mod $field {
            use super::*;

            mire::projection!(
                /// Keyed by the type, if it can be a key, and indexed by it.
                #[projection(subscription = "small", reads(ThingEvent))]
                #[derive(Debug, Clone, PartialEq)]
                pub struct Small {
                    #[key]
                    key: $key_type,
                    #[index]
                    value: $type,
                    #[index]
                    maybe: Option<$type>,
                    n: i64,
                }

                #[on(ThingEvent::Set, key($key))]
                fn set(&mut self, n: i64) {
                    let (value, maybe) = small(&samples::$field(), n);
                    self.value = value;
                    self.maybe = maybe;
                    self.n = n;
                }
            );

            pub async fn check<DB: TestBackend>() {
                let (store, _database) = DB::fresh().await;
                let (keys, values) = (samples::$key(), samples::$field());
                let rows = keys.len().min(values.len());
                record(&store, 0..rows).await;
                let running = start(fast(&store, "a").batch_size(2).subscribe_table::<Small>());
                until("the table is there", || async { Small::list(&store, 1).await.is_ok() }).await;
                Small::wait_for(&store, head(&store).await, PATIENCE).await.unwrap();
                let inserted = Small::get(&store, &keys[0]).await.unwrap().unwrap();
                assert_eq!((inserted.value, inserted.n), (values[rows - 1].clone(), 0));
                // Each is changed by a later page.
                record(&store, CHANGE..CHANGE + rows).await;
                Small::wait_for(&store, head(&store).await, PATIENCE).await.unwrap();

                let all: Vec<Small> = (CHANGE..CHANGE + rows)
                    .map(|n| {
                        let key = keys[n - CHANGE].clone();
                        let n = i64::try_from(n).unwrap();
                        let (value, maybe) = small(&values, n);
                        Small { key, value, maybe, n }
                    })
                    .collect();
                for row in &all {
                    let found = Small::get(&store, &row.key).await.unwrap();
                    assert_eq!(found.as_ref(), Some(row));
                }
                let mut many = Small::get_many(&store, &keys[..2]).await.unwrap();
                many.sort_by_key(|row| row.n);
                assert_eq!(many, all[..2]);
                assert_eq!(Small::list(&store, 9).await.unwrap(), all);
                assert_eq!(Small::list(&store, all.len()).await.unwrap(), all);
                for descending in [false, true] {
                    let page = |limit| {
                        let page = Page::of(limit);
                        if descending { page.descending() } else { page }
                    };
                    let mut found: Vec<Small> = Vec::new();
                    while let [next @ .., last] = &*Small::list(
                        &store,
                        found.last().map_or(page(2), |last| page(2).after(&last.key)),
                    )
                    .await
                    .unwrap()
                    {
                        found.extend_from_slice(next);
                        found.push(last.clone());
                    }
                    in_order(descending, &all, &found);
                }

                for (at, value) in values.iter().enumerate() {
                    let with = |row: &&Small| row.value == *value;
                    let expected: Vec<_> = all.iter().filter(with).cloned().collect();
                    assert_eq!(Small::by_value(&store, value, 9).await.unwrap(), expected);
                    let with = |row: &&Small| row.maybe.as_ref() == Some(value);
                    let expected: Vec<_> = all.iter().filter(with).cloned().collect();
                    let some = Some(value.clone());
                    assert_eq!(Small::by_maybe(&store, &some, 9).await.unwrap(), expected);

                    // Rows follow the order of their values already.
                    let from = |row: &&Small| place(&values, &row.value) >= at;
                    let expected: Vec<_> = all.iter().filter(from).cloned().collect();
                    for descending in [false, true] {
                        let page = |limit| {
                            let page = Page::of(limit);
                            if descending { page.descending() } else { page }
                        };
                        let mut found: Vec<Small> = Vec::new();
                        loop {
                            let last = found.last().map(|last| (&last.value, &last.key));
                            let page = last.map_or(page(1), |last| page(1).after(last));
                            let next = Small::by_value_range(&store, value.clone().., page).await;
                            let next = next.unwrap();
                            if next.is_empty() {
                                break;
                            }
                            found.extend(next);
                            assert!(found.len() <= rows, "it doesn't end");
                        }
                        in_order(descending, &expected, &found);
                    }
                    let below = |row: &&Small| place(&values, &row.value) < at;
                    let expected: Vec<_> = all.iter().filter(below).cloned().collect();
                    let found = Small::by_value_range(&store, ..value.clone(), 9).await;
                    assert_eq!(found.unwrap(), expected);
                    let up_to = |row: &&Small| {
                        row.maybe.as_ref().is_some_and(|maybe| place(&values, maybe) <= at)
                    };
                    let expected: Vec<_> = all.iter().filter(up_to).cloned().collect();
                    let found = Small::by_maybe_range(&store, ..=Some(value.clone()), 9).await;
                    assert_eq!(found.unwrap(), expected);
                }
                let without = |row: &&Small| row.maybe.is_none();
                let expected: Vec<_> = all.iter().filter(without).cloned().collect();
                assert_eq!(Small::by_maybe(&store, &None, 9).await.unwrap(), expected);
                stop(running).await;
            }
        })+

        async fn each_type_is_a_key_if_it_can_be_and_an_index<DB: TestBackend>() {
            $($field::check::<DB>().await;)+
        }
    };
}

all_types! {
    yes maybe_yes (yes: bool): bool = [false, true];
    tiny maybe_tiny (tiny: i8): i8 = [i8::MIN, -1, 0, 1, i8::MAX];
    small_int maybe_small (small_int: i16): i16 = [i16::MIN, -1, 0, 1, i16::MAX];
    medium maybe_medium (medium: i32): i32 = [i32::MIN, -1, 0, 1, i32::MAX];
    large maybe_large (large: i64): i64 = [i64::MIN, -1, 0, 1, i64::MAX];
    byte maybe_byte (byte: u8): u8 = [0, 1, 127, 128, u8::MAX];
    word maybe_word (word: u16): u16 = [0, 1, 32_767, 32_768, u16::MAX];
    long maybe_long (long: u32): u32 = [0, 1, 2_147_483_647, 2_147_483_648, u32::MAX];
    longest maybe_longest (longest: u64): u64 = [0, 1, 2, 1 << 53, i64::MAX.unsigned_abs()];
    single maybe_single (number: i64): f32 = [f32::MIN, -0.1, 0.0, f32::MIN_POSITIVE, f32::MAX];
    double maybe_double (number: i64): f64 = [f64::MIN, -0.1, 0.0, f64::MIN_POSITIVE, f64::MAX];
    text maybe_text (text: String): String = [
        String::new(),
        " ".to_owned(),
        "A'\"\\".to_owned(),
        "a\u{e4}".to_owned(),
        "\u{1f980}\n".to_owned(),
    ];
    code maybe_code (code: Uuid): Uuid = [
        Uuid::nil(),
        id("018f8d2a-0000-7000-8000-000000000001"),
        id("018f8d2a-0000-7000-8000-000000000002"),
        id("80000000-0000-4000-8000-000000000000"),
        Uuid::max(),
    ];
    at maybe_at (at: DateTime<Utc>): DateTime<Utc> = [
        instant("0001-01-01T00:00:00Z"),
        instant("1969-12-31T23:59:59.999999Z"),
        instant("2026-01-31T12:00:00Z"),
        instant("2026-01-31T12:00:00.000001Z"),
        instant("9999-12-31T23:59:59.999999Z"),
    ];
    day maybe_day (day: NaiveDate): NaiveDate = [
        instant("0001-01-01T00:00:00Z").date_naive(),
        instant("1969-12-31T00:00:00Z").date_naive(),
        instant("2024-02-29T00:00:00Z").date_naive(),
        instant("2026-01-31T00:00:00Z").date_naive(),
        instant("9999-12-31T00:00:00Z").date_naive(),
    ];
    time maybe_time (time: NaiveTime): NaiveTime = [
        NaiveTime::MIN,
        instant("2026-01-31T00:00:00.000001Z").time(),
        instant("2026-01-31T09:05:07Z").time(),
        instant("2026-01-31T12:00:00.5Z").time(),
        instant("2026-01-31T23:59:59.999999Z").time(),
    ];
    local maybe_local (local: NaiveDateTime): NaiveDateTime = [
        instant("0001-01-01T00:00:00Z").naive_utc(),
        instant("1969-12-31T23:59:59.999999Z").naive_utc(),
        instant("2026-01-31T12:00:00Z").naive_utc(),
        instant("2026-01-31T12:00:00.000001Z").naive_utc(),
        instant("9999-12-31T23:59:59.999999Z").naive_utc(),
    ];
    bytes maybe_bytes (bytes: Vec<u8>): Vec<u8> = [
        vec![],
        vec![0],
        vec![0, 0],
        b"\\x'".to_vec(),
        vec![255, 254],
    ];
    colour maybe_colour (colour: Colour): Colour = [
        Colour(0, 0, 0),
        Colour(0, 0, 1),
        Colour(0, 9, 0),
        Colour(10, 0, 0),
        Colour(255, 255, 255),
    ];
}

mire::projection!(
    /// Keyed by an id that another aggregate has, and indexed by it.
    #[projection(subscription = "owned", reads(ThingEvent))]
    #[derive(Debug, Clone, PartialEq)]
    pub struct Owned {
        #[key]
        owner: OwnerId,
        #[index]
        before: Option<OwnerId>,
        n: i64,
    }

    #[on(ThingEvent::Set, key(owner))]
    fn set(&mut self, n: i64) {
        self.n = n;
        self.before = small(&samples::owner(), n).1;
    }
);

/// The first event that changes a row.
const CHANGE: usize = 10;

/// What an event sets a field to.
fn sample<T: Clone>(samples: &[T], n: usize) -> T {
    samples[n % CHANGE % samples.len()].clone()
}

/// The value of a small row after an event: at first against the order of the keys, then with it, and
/// the same for each two.
fn small<T: Clone>(samples: &[T], n: i64) -> (T, Option<T>) {
    let n = usize::try_from(n).unwrap();
    let row = n % CHANGE;
    if n < CHANGE {
        let last = samples.len() - 1;
        return (samples[last - row].clone(), None);
    }
    let value = samples[row / 2].clone();
    (value.clone(), (row != 3).then_some(value))
}

fn place<T: PartialEq>(samples: &[T], value: &T) -> usize {
    samples.iter().position(|it| it == value).unwrap()
}

fn in_order<T: PartialEq + std::fmt::Debug>(descending: bool, expected: &[T], found: &[T]) {
    let mut expected: Vec<&T> = expected.iter().collect();
    if descending {
        expected.reverse();
    }
    assert_eq!(found.iter().collect::<Vec<_>>(), expected);
}

async fn record<DB: Backend>(store: &EventStore<DB>, numbers: std::ops::Range<usize>) {
    let events: Vec<_> = numbers.map(|n| Event::new(set(n))).collect();
    let stream = Thing::stream(&ThingId::from(Uuid::nil())).unwrap();
    store
        .append(stream.as_str(), "thing", ExpectedVersion::Any, &events)
        .await
        .unwrap();
}

/// Each event in a page of its own, and all in one.
async fn a_column_of_every_type_is_inserted_and_changed<DB: TestBackend>() {
    for page in [1, 2, 1000] {
        let (store, _database) = DB::fresh().await;
        let thing = ThingId::from(Uuid::nil());
        record(&store, 0..1).await;
        let running = start(
            fast(&store, "a")
                .batch_size(page)
                .subscribe_table::<Every>(),
        );
        until("the table is there", || async {
            Every::list(&store, 1).await.is_ok()
        })
        .await;
        for n in [0, 1, 4, 5] {
            let next = usize::try_from(head(&store).await).unwrap();
            if next <= n {
                record(&store, next..n + 1).await;
            }
            Every::wait_for(&store, head(&store).await, PATIENCE)
                .await
                .unwrap();
            let row = Every::get(&store, &thing).await.unwrap().unwrap();
            row.is(n);
        }
        stop(running).await;
    }
}

async fn an_id_is_a_key_and_an_optional_one_an_index<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let owners = samples::owner();
    record(&store, 0..5).await;
    record(&store, CHANGE..CHANGE + 5).await;
    let running = start(fast(&store, "a").batch_size(3).subscribe_table::<Owned>());
    until("the table is there", || async {
        Owned::list(&store, 1).await.is_ok()
    })
    .await;
    Owned::wait_for(&store, head(&store).await, PATIENCE)
        .await
        .unwrap();
    let all = Owned::list(&store, 9).await.unwrap();
    let before: Vec<_> = all.iter().map(|row| (row.owner, row.before)).collect();
    let some = |at: usize| Some(owners[at]);
    let expected = [some(0), some(0), some(1), None, some(2)];
    assert_eq!(
        before,
        owners.iter().copied().zip(expected).collect::<Vec<_>>()
    );
    let row = Owned::get(&store, &owners[4]).await.unwrap();
    assert_eq!(row.as_ref(), Some(&all[4]));
    let behind = Owned::list(&store, Page::of(9).after(&owners[2])).await;
    assert_eq!(behind.unwrap(), all[3..]);
    let found = Owned::by_before(&store, &some(0), 9).await.unwrap();
    assert_eq!(found, all[..2]);
    assert_eq!(Owned::by_before(&store, &None, 9).await.unwrap(), all[3..4]);
    let behind = Page::of(9).after((&all[1].before, &all[1].owner));
    let found = Owned::by_before_range(&store, ..=some(1), behind).await;
    assert_eq!(found.unwrap(), all[2..3]);
    stop(running).await;
}

conformance!(
    a_column_of_every_type_is_inserted_and_changed,
    an_id_is_a_key_and_an_optional_one_an_index,
    each_type_is_a_key_if_it_can_be_and_an_index,
);

/// It would be read as `None`, or not at all.
#[test]
fn a_number_that_json_does_not_have_is_no_column() {
    let error = mire::Json::of(&[Some(f64::NAN)]).unwrap_err().to_string();
    assert!(error.contains("NaN"), "{error}");
    let none = mire::Json::of(&[None::<f64>]).unwrap();
    assert_eq!(none.as_str(), "[null]");
}

/// The type is named by the declaration, and not seen in it.
#[test]
fn json_of_another_type_names_the_mend() {
    let stored = mire::Json::of(&"five").unwrap();
    let error = stored.read::<i64>().unwrap_err().to_string();
    assert!(
        error.contains("invalid type") && error.contains("`revision`"),
        "{error}"
    );
}
