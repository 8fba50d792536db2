//! A row is what its events make of it, wherever the pages of the log end, though some values are
//! changed by being stored.

use crate::common::backends::TestBackend;
use crate::common::projections::{PATIENCE, fast, head, leader, start, stop, until};
use chrono::{DateTime, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use mire::table::{self, TableProjection};
use mire::{AggregateRoot, Backend, ColumnError, ColumnType, EventStore, RunnerError};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

/// An address, which is kept in small letters. Two that differ in case are two values in Rust.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Email(String);

impl ColumnType for Email {
    type Stored = String;

    fn to_stored(&self) -> Result<String, ColumnError> {
        Ok(self.0.to_lowercase())
    }

    fn from_stored(stored: String) -> Result<Self, ColumnError> {
        Ok(Self(stored))
    }
}

/// An amount, which is kept in whole cents.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cents(f64);

impl ColumnType for Cents {
    type Stored = i64;

    #[allow(clippy::cast_possible_truncation)]
    fn to_stored(&self) -> Result<i64, ColumnError> {
        Ok((self.0 * 100.0).floor() as i64)
    }

    #[allow(clippy::cast_precision_loss)]
    fn from_stored(stored: i64) -> Result<Self, ColumnError> {
        Ok(Self(stored as f64 / 100.0))
    }
}

mire::aggregate!(
    /// Readings of a meter.
    #[aggregate(category = "meter", id(MeterId))]
    pub struct Meter;

    #[event]
    fn read(&mut self, at: DateTime<Utc>, local: NaiveDateTime, time: NaiveTime) {}

    #[event]
    fn sent(&mut self, to: Email, value: f64) {}
);

macro_rules! keyed_by_time {
    ($table:ident, $subscription:literal, $key:ident: $type:ty) => {
        mire::projection!(
            /// How many readings there are of each moment.
            #[projection(subscription = $subscription, reads(MeterEvent))]
            #[ignores(MeterEvent::Sent)]
            #[derive(Debug, Clone, PartialEq)]
            pub struct $table {
                #[key]
                $key: $type,
                count: i64,
            }

            #[on(MeterEvent::Read, key($key))]
            fn read(&mut self) {
                self.count += 1;
            }
        );
    };
}

keyed_by_time!(ByInstant, "by-instant", at: DateTime<Utc>);
keyed_by_time!(ByLocal, "by-local", local: NaiveDateTime);
keyed_by_time!(ByTime, "by-time", time: NaiveTime);

mire::projection!(
    /// How many messages went to each address.
    #[projection(subscription = "by-email", reads(MeterEvent))]
    #[ignores(MeterEvent::Read)]
    #[derive(Debug, Clone, PartialEq)]
    pub struct ByEmail {
        #[key]
        to: Email,
        count: i64,
    }

    #[on(MeterEvent::Sent, key(to))]
    fn sent(&mut self) {
        self.count += 1;
    }
);

mire::projection!(
    /// What each meter last showed. What is counted depends on what storing took away before.
    #[projection(subscription = "last", reads(MeterEvent))]
    #[derive(Debug, Clone, PartialEq)]
    pub struct Last {
        #[key]
        meter: MeterId,
        at: Option<DateTime<Utc>>,
        local: Option<NaiveDateTime>,
        time: Option<NaiveTime>,
        /// JSON keeps the text, and so the nanoseconds.
        #[json]
        exact: Option<DateTime<Utc>>,
        again: i64,
        zero: f64,
        small_zero: f32,
        #[json]
        json_zero: f64,
        negative: i64,
        #[json]
        ratio: Option<f64>,
        no_ratio: i64,
        spent: Cents,
    }

    #[on(MeterEvent::Read)]
    fn read(&mut self, at: DateTime<Utc>, local: NaiveDateTime, time: NaiveTime) {
        self.again += i64::from(self.at == Some(at))
            + 10 * i64::from(self.local == Some(local))
            + 100 * i64::from(self.time == Some(time))
            + 1000 * i64::from(self.exact == Some(at));
        self.at = Some(at);
        self.local = Some(local);
        self.time = Some(time);
        self.exact = Some(at);
    }

    #[on(MeterEvent::Sent)]
    #[allow(clippy::cast_possible_truncation)]
    fn sent(&mut self, value: f64) {
        self.negative += i64::from(self.zero.is_sign_negative())
            + 10 * i64::from(self.small_zero.is_sign_negative())
            + 100 * i64::from(self.json_zero.is_sign_negative());
        self.zero = -0.0 * value;
        self.small_zero = self.zero as f32;
        self.json_zero = self.zero;
        self.no_ratio += i64::from(self.ratio.is_none());
        self.ratio = Some((-value).sqrt()).filter(|ratio| ratio.is_finite());
        self.spent.0 += value;
    }
);

mire::projection!(
    /// What can't be read back once it is JSON: a number that is none.
    #[projection(subscription = "ratios", reads(MeterEvent))]
    #[ignores(MeterEvent::Read)]
    #[derive(Debug)]
    pub struct Ratio {
        #[key]
        meter: MeterId,
        count: i64,
        #[json]
        ratio: f64,
    }

    #[on(MeterEvent::Sent)]
    fn sent(&mut self, value: f64) {
        self.count += 1;
        self.ratio = 0.0 / value;
    }
);

conformance!(
    a_time_is_a_key_to_the_microsecond,
    a_key_of_ones_own_is_what_its_stored_form_says,
    a_fold_sees_what_the_table_holds_wherever_pages_end,
    what_no_later_page_could_read_stops_at_its_event,
    floats_in_json_come_back_as_they_were,
);

async fn save<DB: Backend>(store: &EventStore<DB>, id: MeterId, events: Vec<MeterEvent>) {
    let mut meter = AggregateRoot::<Meter>::new(&id);
    meter.record_many(events);
    store.save(&mut meter).await.unwrap();
}

fn read(at: &str) -> MeterEvent {
    let at: DateTime<Utc> = at.parse().unwrap();
    MeterEvent::Read {
        at,
        local: at.naive_utc(),
        time: at.time(),
    }
}

fn sent(to: &str, value: f64) -> MeterEvent {
    let to = Email(to.to_owned());
    MeterEvent::Sent { to, value }
}

/// The rows after the log has been folded in pages of this many events.
async fn rows<P: TableProjection, DB: Backend>(store: &EventStore<DB>, page: i64) -> Vec<P> {
    if store
        .checkpoint(P::TABLE.subscription)
        .await
        .unwrap()
        .is_some()
    {
        store
            .reset_checkpoint(P::TABLE.subscription, 0)
            .await
            .unwrap();
    }
    let running = start(fast(store, "a").batch_size(page).subscribe_table::<P>());
    let id = P::TABLE.subscription_id();
    until("somebody leads", || async {
        leader(store, &id).await.is_some()
    })
    .await;
    store
        .wait_for(&id, head(store).await, PATIENCE)
        .await
        .unwrap();
    stop(running).await;
    table::list(store, 100).await.unwrap()
}

const PAGES: [i64; 4] = [1, 2, 3, 1000];

async fn a_time_is_a_key_to_the_microsecond<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    // Before the year 2000 as well: PostgreSQL counts from there, and drivers cut towards it.
    let events = [
        "2026-01-31T23:59:59.123456789Z",
        "1999-12-31T23:59:58.000001999Z",
        "2026-01-31T23:59:59.123456001Z",
        "1999-12-31T23:59:58.000001Z",
        "2026-01-31T23:59:59.123457Z",
        "2026-01-31T23:59:59.123456789Z",
        "1999-12-31T23:59:58.000001999Z",
    ];
    save(&store, MeterId::new(), events.map(read).into()).await;
    let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    let expected = [
        (at("1999-12-31T23:59:58.000001Z"), 3),
        (at("2026-01-31T23:59:59.123456Z"), 3),
        (at("2026-01-31T23:59:59.123457Z"), 1),
    ];
    for page in PAGES {
        let found: Vec<_> = rows::<ByInstant, DB>(&store, page).await;
        let found: Vec<_> = found.into_iter().map(|it| (it.at, it.count)).collect();
        assert_eq!(found, expected, "pages of {page}");
        let found: Vec<_> = rows::<ByLocal, DB>(&store, page).await;
        let found: Vec<_> = found.into_iter().map(|it| (it.local, it.count)).collect();
        let local = expected.map(|(at, count)| (at.naive_utc(), count));
        assert_eq!(found, local, "pages of {page}");
        let found: Vec<_> = rows::<ByTime, DB>(&store, page).await;
        let found: Vec<_> = found.into_iter().map(|it| (it.time, it.count)).collect();
        let time = expected.map(|(at, count)| (at.time(), count));
        assert_eq!(found, time, "pages of {page}");
    }
    // What is looked up is cut as what is stored.
    let wanted = at(events[0]);
    let row = ByInstant::get(&store, &wanted).await.unwrap().unwrap();
    assert_eq!(row.count, 3);
    let behind = mire::table::Page::of(9).after(&wanted);
    let rest = ByInstant::list(&store, behind).await.unwrap();
    assert_eq!(rest.len(), 1, "{rest:?}");
    assert_eq!(
        rest[0].at - at("2026-01-31T23:59:59.123456Z"),
        TimeDelta::microseconds(1)
    );
}

async fn a_key_of_ones_own_is_what_its_stored_form_says<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let to = ["ann@home", "Ann@Home", "bob@home", "ANN@home", "ann@home"];
    save(&store, MeterId::new(), to.map(|to| sent(to, 1.0)).into()).await;
    for page in PAGES {
        let found = rows::<ByEmail, DB>(&store, page).await;
        let found: Vec<_> = found.iter().map(|it| (&*it.to.0, it.count)).collect();
        assert_eq!(found, [("ann@home", 4), ("bob@home", 1)], "pages of {page}");
    }
}

async fn a_fold_sees_what_the_table_holds_wherever_pages_end<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let at = "2026-01-31T23:59:59.123456789Z";
    let id = MeterId::new();
    let events = vec![
        read(at),
        read(at),
        sent("a", 0.005),
        sent("a", 0.005),
        read(at),
        sent("a", 0.005),
        sent("a", 0.029),
        read("2026-01-31T23:59:59.123456Z"),
        read("2026-01-31T23:59:59.123456Z"),
    ];
    save(&store, id, events).await;
    let at: DateTime<Utc> = "2026-01-31T23:59:59.123456Z".parse().unwrap();
    let expected = Last {
        meter: id,
        at: Some(at),
        local: Some(at.naive_utc()),
        time: Some(at.time()),
        exact: Some(at),
        // The two that were whole microseconds, and in JSON the three exact ones as well.
        again: 2 * 111 + 3 * 1000,
        zero: 0.0,
        small_zero: 0.0,
        json_zero: 0.0,
        negative: 0,
        ratio: None,
        no_ratio: 4,
        // What is less than a cent is gone before more comes.
        spent: Cents(0.02),
    };
    for page in PAGES {
        let found = rows::<Last, DB>(&store, page).await;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0], expected, "pages of {page}");
        assert!(found[0].zero.is_sign_positive() && found[0].json_zero.is_sign_positive());
    }
}

async fn what_no_later_page_could_read_stops_at_its_event<DB: TestBackend>() {
    for page in PAGES {
        let (store, _database) = DB::fresh().await;
        let id = MeterId::new();
        let values = [1.0, 2.0, 0.0, 4.0];
        save(&store, id, values.map(|it| sent("a", it)).into()).await;
        let runner = fast(&store, "a")
            .batch_size(page)
            .subscribe_table::<Ratio>();
        let run = runner.build().run(CancellationToken::new());
        let ended = tokio::time::timeout(PATIENCE, run).await;
        let error = ended.expect("it should stop").unwrap_err();
        let Some(RunnerError::Stopped {
            position, source, ..
        }) = error.downcast_ref()
        else {
            panic!("{error:?}");
        };
        let text = format!("{source:#}");
        assert_eq!(*position, 3, "{text}");
        assert!(text.contains("column `ratio`"), "{text}");
        let row = Ratio::get(&store, &id).await.unwrap().unwrap();
        assert_eq!(row.count, 2, "all before it is committed");
    }
}

mire::projection!(
    /// All that was sent, as JSON.
    #[projection(subscription = "sent", reads(MeterEvent))]
    #[ignores(MeterEvent::Read)]
    #[derive(Debug, Clone, PartialEq)]
    pub struct Values {
        #[key]
        meter: MeterId,
        #[json]
        values: Vec<f64>,
    }

    #[on(MeterEvent::Sent)]
    fn sent(&mut self, value: f64) {
        self.values.push(value);
    }
);

/// To the last bit: in the events, and in the row.
async fn floats_in_json_come_back_as_they_were<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let mut dice = crate::common::Dice::new(11);
    let values: Vec<f64> = (0..200)
        .map(|_| f64::from_bits(dice.roll(u64::MAX)))
        .filter(|value| value.is_finite())
        .collect();
    let id = MeterId::new();
    let events = values.iter().map(|value| sent("a", *value)).collect();
    save(&store, id, events).await;
    for page in [7, 1000] {
        let found = rows::<Values, DB>(&store, page).await;
        let pairs = found[0].values.iter().zip(&values);
        let changed: Vec<_> = pairs.filter(|(found, sent)| found != sent).collect();
        assert_eq!(changed, [], "pages of {page}");
        assert_eq!(found[0].values.len(), values.len());
    }
}
