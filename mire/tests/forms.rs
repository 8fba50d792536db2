//! The forms that a declaration can take, from a save to what comes of it, on every backend.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::common::backends::TestBackend;
use crate::common::projections::{PATIENCE, fast, head, seen, start, stop, until, with_seen};
use chrono::{DateTime, Utc};
use mire::table::Page;
use mire::{
    Backend, ColumnError, ColumnType, Event, EventHandler, EventInfo, EventStore, ExpectedVersion,
    HandledEvent, TransactionalEventHandler,
};
use serde::{Deserialize, Serialize};

/// The number on a door, such as `3-17`: a type of one's own, which names an aggregate and is the key
/// of a table.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DoorNumber {
    floor: i16,
    room: i32,
}

impl fmt::Display for DoorNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.floor, self.room)
    }
}

impl FromStr for DoorNumber {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let Some((floor, room)) = text.split_once('-') else {
            anyhow::bail!("`{text}` is no number of a door");
        };
        Ok(Self {
            floor: floor.parse()?,
            room: room.parse()?,
        })
    }
}

impl ColumnType for DoorNumber {
    type Stored = i64;

    fn to_stored(&self) -> Result<i64, ColumnError> {
        Ok(i64::from(self.floor) * 100_000 + i64::from(self.room))
    }

    fn from_stored(stored: i64) -> Result<Self, ColumnError> {
        Ok(Self {
            floor: i16::try_from(stored / 100_000).map_err(ColumnError::new)?,
            room: i32::try_from(stored % 100_000).map_err(ColumnError::new)?,
        })
    }
}

mire::aggregate!(
    /// A door.
    #[aggregate(category = "door", id(self::DoorNumber))]
    #[derive(Debug, PartialEq)]
    pub struct Door {
        pub opened: i64,
    }

    #[event]
    fn opened(&mut self, by: &str) {
        self.opened += 1;
    }

    #[event]
    fn connected(&mut self, with: DoorNumber) {}

    #[command]
    pub fn open(&self, by: &str) -> DoorEvent {
        DoorEvent::Opened { by: by.to_owned() }
    }
);

/// Events without an aggregate's declaration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, mire::EventData)]
#[mire(entity = "alarm")]
pub enum AlarmEvent {
    Raised { door: DoorNumber, reason: String },
    Tested,
    Ended(i64),
}

mire::projection!(
    /// What happened at each door.
    #[projection(
        subscription = "doors",
        table = "all_doors",
        reads(DoorEvent, AlarmEvent)
    )]
    #[ignores(AlarmEvent::Tested, AlarmEvent::Ended)]
    #[derive(Debug, Clone, PartialEq)]
    pub struct DoorLog {
        #[key]
        number: DoorNumber,
        opened: i64,
        #[index]
        last: Option<String>,
        alarms: u32,
        #[json]
        reasons: Vec<String>,
        at: Option<DateTime<Utc>>,
        next: Option<DoorNumber>,
    }

    #[on(DoorEvent::Opened)]
    fn opened(&mut self, by: &str, event: &EventInfo) {
        self.opened += 1;
        self.last = Some(by.to_owned());
        self.at = Some(event.created_at());
    }

    #[on(DoorEvent::Connected)]
    fn connected(&mut self, with: &DoorNumber) {
        self.next = Some(with.clone());
    }

    #[on(AlarmEvent::Raised, key(door))]
    fn raised(&mut self, reason: &str) {
        self.alarms += 1;
        self.reasons.push(reason.to_owned());
    }
);

mire::projection!(
    /// Who is told of alarms; at least once.
    #[projection(subscription = "guards", reads(AlarmEvent))]
    #[ignores(AlarmEvent::Tested, AlarmEvent::Ended)]
    pub struct Guards {
        told: Arc<Mutex<Vec<String>>>,
    }

    #[on(AlarmEvent::Raised)]
    async fn raised(&self, door: &DoorNumber, reason: &str) {
        self.told.lock().unwrap().push(format!("{door} {reason}"));
    }
);

/// A projection that writes on a connection of one database, and fails once after it has written.
macro_rules! writes_on {
    ($name:ident, $connection:ty) => {
        mire::projection!(
            /// Writes down who opened a door.
            #[projection(subscription = "visits", reads(DoorEvent, AlarmEvent))]
            #[ignores(DoorEvent::Connected, AlarmEvent::Raised, AlarmEvent::Ended)]
            pub struct $name {
                failures: Arc<AtomicUsize>,
            }

            #[on(DoorEvent::Opened)]
            async fn opened(
                &self,
                by: &str,
                tx: &mut $connection,
                event: &EventInfo,
            ) -> anyhow::Result<()> {
                sqlx::query("INSERT INTO seen VALUES ($1, $2, $3, $4)")
                    .bind(event.global_position())
                    .bind(event.stream_id())
                    .bind(event.stream_version())
                    .bind(by)
                    .execute(tx)
                    .await?;
                // What it has written would show, if it stayed.
                if by == "Bob" && self.failures.fetch_add(1, Ordering::SeqCst) == 0 {
                    anyhow::bail!("out of ink");
                }
                Ok(())
            }

            #[on(AlarmEvent::Tested)]
            async fn tested(&self, tx: &mut $connection) -> Result<(), sqlx::Error> {
                sqlx::query("INSERT INTO seen VALUES (0, 'test', 0, '')")
                    .execute(tx)
                    .await?;
                Ok(())
            }
        );
    };
}

#[cfg(feature = "postgres")]
writes_on!(VisitsOnPostgres, sqlx::PgConnection);
#[cfg(feature = "sqlite")]
writes_on!(VisitsOnSqlite, sqlx::SqliteConnection);

conformance!(
    an_id_of_ones_own_names_streams_and_rows,
    rows_of_ones_own_queries_are_of_the_declared_type,
    generated_and_handwritten_handlers_share_one_runner,
);

fn number(floor: i16, room: i32) -> DoorNumber {
    DoorNumber { floor, room }
}

async fn open<DB: Backend>(store: &EventStore<DB>, door: &DoorNumber, by: &str) -> i64 {
    let opened = store.execute(door, |door: &Door| door.open(by)).await;
    opened.unwrap();
    head(store).await
}

async fn raise<DB: Backend>(store: &EventStore<DB>, door: &DoorNumber, reason: &str) -> i64 {
    let (door, reason) = (door.clone(), reason.to_owned());
    let events = [
        AlarmEvent::Tested,
        AlarmEvent::Raised { door, reason },
        AlarmEvent::Ended(3),
    ];
    store
        .append(
            "alarm-1",
            "alarm",
            ExpectedVersion::Any,
            &events.map(Event::new),
        )
        .await
        .unwrap();
    head(store).await
}

/// Through loads, saves and `execute`, and as the key that a stream or an event's field gives.
async fn an_id_of_ones_own_names_streams_and_rows<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let (low, high) = (number(3, 17), number(12, 4));
    assert_eq!(Door::stream(&high).unwrap().as_str(), "door-12-4");
    open(&store, &high, "Ann").await;
    let mut door = store.load_or_default::<Door>(&high).await.unwrap();
    assert_eq!(door.state, Door { opened: 1 });
    door.open("Bob");
    door.record(DoorEvent::Connected { with: low.clone() });
    store.save(&mut door).await.unwrap();
    let loaded = store.load::<Door>(&high).await.unwrap().unwrap();
    assert_eq!((loaded.state.opened, loaded.version), (2, 3));
    assert!(store.load::<Door>(&low).await.unwrap().is_none());
    raise(&store, &low, "smoke").await;
    open(&store, &low, "Cat").await;

    let running = start(fast(&store, "a").batch_size(2).subscribe_table::<DoorLog>());
    until("the table is there", || async {
        DoorLog::list(&store, 1).await.is_ok()
    })
    .await;
    let end = raise(&store, &low, "water").await;
    DoorLog::wait_for(&store, end, PATIENCE).await.unwrap();
    let rows = DoorLog::list(&store, 10).await.unwrap();
    let numbers: Vec<_> = rows.iter().map(|row| row.number.clone()).collect();
    assert_eq!(numbers, [low.clone(), high.clone()]);
    assert_eq!((rows[0].opened, rows[0].alarms), (1, 2));
    assert_eq!(rows[0].reasons, ["smoke", "water"]);
    assert_eq!((rows[1].opened, rows[1].alarms), (2, 0));
    assert_eq!(rows[1].next, Some(low.clone()));
    let row = DoorLog::get(&store, &high).await.unwrap();
    assert_eq!(row.as_ref(), Some(&rows[1]));
    let behind = DoorLog::list(&store, Page::of(9).after(&low)).await;
    assert_eq!(behind.unwrap(), rows[1..]);
    let both = [high.clone(), number(1, 1)];
    let many = DoorLog::get_many(&store, &both).await.unwrap();
    assert_eq!(many, rows[1..]);
    let bobs = DoorLog::by_last(&store, &Some("Bob".to_owned()), 9).await;
    assert_eq!(bobs.unwrap(), rows[1..]);
    stop(running).await;
}

/// `sqlx::FromRow`: by the columns' names, in whatever order and beside others.
async fn rows_of_ones_own_queries_are_of_the_declared_type<DB>()
where
    DB: TestBackend<Row: mire::table::Row>,
{
    let (store, _database) = DB::fresh().await;
    open(&store, &number(3, 17), "Ann").await;
    let end = raise(&store, &number(1, 1), "smoke").await;
    let running = start(fast(&store, "a").subscribe_table::<DoorLog>());
    until("the table is there", || async {
        DoorLog::list(&store, 1).await.is_ok()
    })
    .await;
    DoorLog::wait_for(&store, end, PATIENCE).await.unwrap();
    let rows = DoorLog::list(&store, 10).await.unwrap();
    assert_eq!(rows.len(), 2);
    let all = "SELECT * FROM all_doors ORDER BY number";
    assert_eq!(DB::query_as::<DoorLog>(&store, all).await.unwrap(), rows);
    let some = "SELECT next, reasons, 1 AS other, at, last, alarms, opened, number
                FROM all_doors WHERE opened = 1";
    assert_eq!(
        DB::query_as::<DoorLog>(&store, some).await.unwrap(),
        rows[1..]
    );

    let missing = "SELECT number, opened, last, alarms, reasons, at FROM all_doors";
    let error = DB::query_as::<DoorLog>(&store, missing).await.unwrap_err();
    assert!(error.to_string().contains("`next`"), "{error}");
    let null = "SELECT number, NULL AS opened, last, alarms, reasons, at, next FROM all_doors";
    let error = DB::query_as::<DoorLog>(&store, null).await.unwrap_err();
    assert!(error.to_string().contains("opened"), "{error}");
    stop(running).await;
}

/// Handwritten ones, at least once and exactly once.
struct Counted(Arc<Mutex<Vec<i64>>>);

impl EventHandler for Counted {
    type Aggregate = Door;

    async fn handle(&self, event: HandledEvent<DoorEvent>) -> anyhow::Result<()> {
        self.0.lock().unwrap().push(event.global_position());
        Ok(())
    }
}

struct WrittenDown(Arc<AtomicUsize>);

impl<DB: TestBackend> TransactionalEventHandler<DB> for WrittenDown {
    type Aggregate = Door;

    async fn handle(
        &self,
        event: HandledEvent<DoorEvent>,
        conn: &mut DB::Connection,
    ) -> anyhow::Result<()> {
        DB::note(conn, &event, "written down").await?;
        if self.0.fetch_add(1, Ordering::SeqCst) == 1 {
            anyhow::bail!("out of ink");
        }
        Ok(())
    }
}

async fn generated_and_handwritten_handlers_share_one_runner<DB: TestBackend>() {
    let (store, _database) = with_seen::<DB>().await;
    let door = number(3, 17);
    for by in ["Ann", "Bob", "Cat"] {
        open(&store, &door, by).await;
    }
    let end = raise(&store, &door, "smoke").await;
    let (told, counted, written) = (Arc::default(), Arc::default(), Arc::default());
    let guards = Guards {
        told: Arc::clone(&told),
    };
    let builder = mire::runner!(&store, DoorLog, Guards = guards);
    let running = start(
        builder
            .worker_id("a")
            .subscribe("counted", Counted(Arc::clone(&counted)))
            .subscribe_transactional("written-down", WrittenDown(Arc::clone(&written))),
    );
    for subscription in [Guards::SUBSCRIPTION, "counted", "written-down"] {
        store.wait_for(subscription, end, PATIENCE).await.unwrap();
    }
    until("the table is there", || async {
        DoorLog::list(&store, 1).await.is_ok()
    })
    .await;
    DoorLog::wait_for(&store, end, PATIENCE).await.unwrap();
    assert_eq!(*told.lock().unwrap(), ["3-17 smoke"]);
    assert_eq!(*counted.lock().unwrap(), [1, 2, 3]);
    let stream = "door-3-17".to_owned();
    let once = [1, 2, 3].map(|version| (stream.clone(), version));
    assert_eq!(seen(&store).await, once);
    assert!(
        written.load(Ordering::SeqCst) > 3,
        "it failed, and tried again"
    );
    let row = DoorLog::get(&store, &door).await.unwrap().unwrap();
    assert_eq!((row.opened, row.alarms), (3, 1));
    // Each under a name of its own, which shows how far it is.
    let status = DoorLog::status(&store).await.unwrap();
    assert_eq!(status.serving().map(|it| it.position), Some(end));
    stop(running).await;
}

/// The same for a projection that is declared for the one database.
macro_rules! writes_exactly_once {
    ($backend:ident, $name:ident) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn a_handler_on_a_connection_acts_exactly_once() {
            let (store, _database) = with_seen::<mire::$backend>().await;
            for by in ["Ann", "Bob", "Cat"] {
                open(&store, &number(3, 17), by).await;
            }
            let end = raise(&store, &number(3, 17), "smoke").await;
            let failures = Arc::new(AtomicUsize::new(0));
            let running = start(fast(&store, "a").subscribe_projection($name {
                failures: Arc::clone(&failures),
            }));
            store
                .wait_for($name::SUBSCRIPTION, end, PATIENCE)
                .await
                .unwrap();
            assert!(
                failures.load(Ordering::SeqCst) > 1,
                "it failed, and tried again"
            );
            let visits = |version| ("door-3-17".to_owned(), version);
            let test = ("test".to_owned(), 0);
            let expected = [test, visits(1), visits(2), visits(3)];
            assert_eq!(seen(&store).await, expected);
            stop(running).await;
        }
    };
}

#[cfg(feature = "postgres")]
mod on_postgres {
    use super::*;

    writes_exactly_once!(Postgres, VisitsOnPostgres);
}

#[cfg(feature = "sqlite")]
mod on_sqlite {
    use super::*;

    writes_exactly_once!(Sqlite, VisitsOnSqlite);
}
