//! The seam between mire and a database: raw rows in, raw rows out.
//!
//! All SQL lives below this module. Each backend answers the same questions, so everything above is
//! written once; the conformance suite asks them of every backend.

use std::fmt;
use std::future::Future;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{Database, Pool, Transaction};

use crate::error::EventStoreError;
use crate::stream::{ExpectedVersion, ReadDirection, StreamName};
use recent::{Recent, Taken};

pub(crate) mod coordination;
mod migrations;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
pub(crate) mod recent;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;
pub(crate) mod table;

#[cfg(not(any(feature = "postgres", feature = "sqlite")))]
compile_error!(
    "mire needs a database: enable the feature `postgres`, the feature `sqlite`, or both"
);

/// The answers of every backend. Errors say what the database said.
pub type Result<T> = std::result::Result<T, EventStoreError>;

/// A database that can hold an event store: `sqlx::Postgres` or `sqlx::Sqlite`, as far as their
/// features are on. Code that is generic over the backend needs this one bound.
///
/// Both backends keep the same promises and pass the same tests. What differs:
///
/// | | PostgreSQL | SQLite |
/// |---|---|---|
/// | writers | any number, in any number of processes | one at a time; they queue up, in order |
/// | readers beside a writer | yes | yes (WAL) |
/// | an open [`TransactionScope`](crate::TransactionScope) holds up | appends to its streams | every write to the file |
/// | `append_in_tx` needs a transaction begun with | `BEGIN`, `READ COMMITTED` | `BEGIN IMMEDIATE` |
/// | processes | any number, on any hosts | several on one host: safe, but they wait for each other without order |
/// | wake-ups between processes | `LISTEN`/`NOTIFY`, and polling | polling |
/// | a handler's transaction that outlasts the lease's ttl | goes on | goes on, and holds up every write to the file |
/// | a process that is stopped (`SIGSTOP`) within a handler's transaction | its successor has the server end it | holds up every write to the file until it goes on or is killed |
/// | `load_for_update` of one stream locks | that stream | every stream |
/// | a store for a test | a database each | `sqlite::memory:`, in milliseconds |
/// | times are exact to | a microsecond | a millisecond |
///
/// It can't be implemented outside mire; its methods are the seam between mire and SQL and not part
/// of the public interface.
pub trait Backend: EventLog + coordination::Coordination + table::Tables {}

/// A pool, and what a backend keeps beside it.
pub struct Db<DB: EventLog> {
    /// The user's pool.
    pub pool: Pool<DB>,
    /// The backend's own, shared by all clones of a store.
    pub shared: Arc<DB::Shared>,
    /// Connections of the pool that were in use a moment ago.
    recent: Arc<Recent<DB>>,
    /// How long a write waits for a lock that someone else holds, unless it says otherwise.
    pub lock_timeout: Duration,
}

/// [`Db::lock_timeout`], unless the store's options say otherwise.
pub const DEFAULT_LOCK_TIMEOUT: Duration = Duration::from_secs(30);

impl<DB: EventLog> Clone for Db<DB> {
    fn clone(&self) -> Self {
        Self {
            pool: self.pool.clone(),
            shared: Arc::clone(&self.shared),
            recent: Arc::clone(&self.recent),
            lock_timeout: self.lock_timeout,
        }
    }
}

impl<DB: EventLog> fmt::Debug for Db<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Db")
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}

impl<DB: EventLog> Db<DB> {
    /// Wraps a pool.
    pub fn new(pool: Pool<DB>) -> Self {
        let shared = DB::shared(&pool);
        Self::with_shared(pool, shared)
    }

    /// Wraps a pool that the backend has already looked at.
    pub fn with_shared(pool: Pool<DB>, shared: DB::Shared) -> Self {
        Self {
            recent: Recent::new(&pool, DB::KEEPS_RECENT),
            pool,
            shared: Arc::new(shared),
            lock_timeout: DEFAULT_LOCK_TIMEOUT,
        }
    }

    /// The same database through another pool.
    pub fn through(&self, pool: Pool<DB>) -> Self {
        Self {
            recent: Recent::new(&pool, DB::KEEPS_RECENT),
            pool,
            ..self.clone()
        }
    }

    /// A connection for statements that may follow closely on others, without the tests that a
    /// pool puts before and after each use.
    pub async fn take(&self) -> Result<Taken<DB>> {
        self.recent.take(&self.pool).await
    }

    /// Keeps such a connection for the next one, after its last statement has succeeded.
    pub fn keep(&self, taken: Taken<DB>) {
        self.recent.keep(&self.pool, taken);
    }

    /// Gives back what is kept, after a connection broke.
    pub fn forget_kept(&self) {
        self.recent.forget();
    }
}

/// A URL as it may be shown: what stands before the `@`, and behind a `?`, may be secret.
pub(crate) fn shown(url: &str) -> String {
    let url = url.split('?').next().unwrap_or_default();
    match (url.split_once("://"), url.rfind('@')) {
        (Some((scheme, _)), Some(at)) => format!("{scheme}://…{}", &url[at..]),
        _ => url.to_owned(),
    }
}

/// An event that waits to be written.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Its stored name.
    pub event_type: &'static str,
    /// The version of its payload's shape.
    pub schema_version: i32,
    /// The payload, JSON text.
    pub data: String,
    /// The metadata, JSON text; shared by the events of a save.
    pub metadata: Option<Arc<str>>,
}

/// Events that wait to be written to one stream.
#[derive(Debug, Clone)]
pub struct NewAppend {
    /// The stream.
    pub stream: StreamName,
    /// The version that it must have.
    pub expected: ExpectedVersion,
    /// Names this append within the stream: a second one with the same key writes nothing.
    pub idempotency_key: Option<String>,
    /// What to write, in order; never empty.
    pub events: Vec<NewEvent>,
}

/// What became of a [`NewAppend`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppendOutcome {
    /// Written, once the transaction commits.
    Written {
        /// The version of its last event.
        version: i64,
        /// The positions of its events, in order.
        positions: Vec<i64>,
        /// When, by the database's clock.
        created_at: DateTime<Utc>,
    },
    /// An append with the same idempotency key was written before; nothing was written now.
    Repeated {
        /// The version of that append's last event.
        version: i64,
        /// The position of that append's last event.
        position: i64,
    },
    /// The stream has another version than expected; nothing was written.
    Conflict {
        /// The version that it has.
        actual: i64,
    },
    /// Another transaction holds the stream, and the append was not to wait; nothing was written.
    Busy,
    /// Another append of the same all-or-nothing group conflicted; nothing was written.
    Abandoned,
}

/// How a group of appends is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppendMode {
    /// Each stands for itself; one whose stream is locked is answered [`AppendOutcome::Busy`].
    EachOrBusy,
    /// Each stands for itself, and waits for its stream.
    EachWaiting,
    /// All or nothing, and they wait for their streams.
    Atomic,
}

/// A stored event, borrowed from the driver's buffer.
#[derive(Debug, Clone, Copy)]
pub struct RawEvent<'a> {
    /// Position in the log.
    pub global_position: i64,
    /// Its stream.
    pub stream_id: &'a str,
    /// Version in the stream.
    pub stream_version: i64,
    /// Stored name.
    pub event_type: &'a str,
    /// The payload's schema version.
    pub schema_version: u32,
    /// The payload, JSON text.
    pub data: &'a [u8],
    /// The metadata, JSON text. Reads that only fold leave it out.
    pub metadata: Option<&'a [u8]>,
    /// When it was written, by the database's clock. Reads that only fold leave it out.
    pub created_at: Option<DateTime<Utc>>,
}

/// A stored event that moves to another store as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedEvent {
    /// Position in the log.
    pub global_position: i64,
    /// Its stream.
    pub stream: StreamName,
    /// Version in the stream.
    pub stream_version: i64,
    /// Stored name.
    pub event_type: String,
    /// The payload's schema version.
    pub schema_version: i32,
    /// The payload, JSON text.
    pub data: String,
    /// The metadata, JSON text.
    pub metadata: Option<String>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
}

impl ImportedEvent {
    /// Copies an event out of the driver's buffer.
    pub fn of(event: &RawEvent<'_>) -> Result<Self> {
        let text = |bytes: &[u8]| {
            String::from_utf8(bytes.to_vec())
                .map_err(|error| EventStoreError::from(sqlx::Error::Decode(error.into())))
        };
        Ok(Self {
            global_position: event.global_position,
            stream: StreamName::parse(event.stream_id)?,
            stream_version: event.stream_version,
            event_type: event.event_type.to_owned(),
            schema_version: i32::try_from(event.schema_version).unwrap_or(i32::MAX),
            data: text(event.data)?,
            metadata: event.metadata.map(text).transpose()?,
            created_at: event.created_at.unwrap_or_default(),
        })
    }
}

/// What an idempotency key did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// The stream.
    pub stream_id: String,
    /// The key.
    pub key: String,
    /// The version of that append's last event.
    pub version: i64,
    /// The position of that append's last event.
    pub position: i64,
    /// When it was written.
    pub created_at: DateTime<Utc>,
}

/// Takes the events of a read one by one; may end the read early.
pub type Sink<'s> = dyn FnMut(RawEvent<'_>) -> Result<ControlFlow<()>> + Send + 's;

/// A page of one stream.
#[derive(Debug, Clone, Copy)]
pub struct StreamRead<'a> {
    /// The stream.
    pub stream_id: &'a str,
    /// The order.
    pub direction: ReadDirection,
    /// The first version, included.
    pub from_version: i64,
    /// At most this many events.
    pub limit: i64,
}

/// The newest events of one stream, for a read that answers several streams at once.
#[derive(Debug, Clone)]
pub struct TailRead {
    /// The stream.
    pub stream_id: String,
    /// Events with a higher version only.
    pub after_version: i64,
}

/// A page of the log.
#[derive(Debug, Clone, Copy)]
pub struct LogRead<'a> {
    /// Events with a higher position only.
    pub after: i64,
    /// Events up to this position, included. Never above the safe head.
    pub up_to: i64,
    /// Only these categories; empty for all.
    pub categories: &'a [String],
    /// At most this many events.
    pub limit: i64,
}

/// Up to where the log may be read without stepping over an event that commits later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SafeHead {
    /// Every event at or below this position is visible, and none will appear there later.
    pub position: i64,
    /// The highest position that was handed out.
    pub allocated: i64,
    /// Who holds `position` below `allocated`, if someone does.
    pub held_by: Option<HeldBy>,
}

/// The oldest append that is marked and not yet committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldBy {
    /// The server process.
    pub process_id: i32,
    /// How long its transaction has been open.
    pub age: Duration,
    /// Its current or last statement, shortened.
    pub query: String,
}

/// A stored snapshot.
#[derive(Debug, Clone)]
pub struct RawSnapshot {
    /// The stream's version that it holds.
    pub version: i64,
    /// [`crate::Snapshot::SNAPSHOT_VERSION`] of the code that wrote it.
    pub snapshot_version: i32,
    /// The state, JSON text.
    pub state: Vec<u8>,
}

/// What bounds the waits of a transaction, as far as the backend can.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TxLimits {
    /// The server ends the transaction when its client has been silent for this long.
    pub idle: Option<Duration>,
    /// A statement fails when a lock has not been granted after this long.
    pub lock: Option<Duration>,
}

/// How long a process may be silent within a transaction that others wait for.
const SILENCE: Duration = Duration::from_secs(30);

impl TxLimits {
    /// For a transaction that holds what others wait for: the server ends it when its process was
    /// stopped or cut off, and it waits for others no longer than the store's lock time-out.
    pub fn of<DB: EventLog>(db: &Db<DB>) -> Self {
        Self {
            idle: Some(SILENCE),
            lock: Some(db.lock_timeout),
        }
    }
}

/// An open transaction that may write. Dropping it rolls back.
pub struct WriteTx<DB: EventLog> {
    /// The transaction.
    pub tx: Transaction<'static, DB>,
    /// Whatever the backend holds while a writer is open; given back after the transaction.
    pub turn: DB::Turn,
}

impl<DB: EventLog> WriteTx<DB> {
    /// Commits, then gives the turn back.
    pub async fn commit(self) -> Result<()> {
        self.tx.commit().await?;
        Ok(())
    }

    /// Rolls back, then gives the turn back.
    pub async fn rollback(self) -> Result<()> {
        self.tx.rollback().await?;
        Ok(())
    }
}

impl<DB: EventLog> fmt::Debug for WriteTx<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteTx").finish_non_exhaustive()
    }
}

/// The log: streams, events, snapshots.
pub trait EventLog: Database {
    /// How many statements of the group commit one process keeps under way.
    const WRITERS: usize;

    /// How many reads of stream tails one process keeps under way before further ones travel
    /// together.
    const READERS: usize;

    /// Whether it saves something to keep connections that were in use a moment ago: whether
    /// testing one is a round trip.
    const KEEPS_RECENT: bool;

    /// What a store keeps beside its pool.
    type Shared: Send + Sync + 'static;

    /// What a writer holds while its transaction is open.
    type Turn: Send + Sync + 'static;

    /// Makes it.
    fn shared(pool: &Pool<Self>) -> Self::Shared;

    /// Opens a pool on the database that a URL names.
    fn connect(url: &str) -> impl Future<Output = Result<Db<Self>>> + Send;

    /// Brings the schema to the newest version. Safe to call from many processes at once; waits at
    /// most `lock_timeout` for another one, and for locks on its own tables.
    fn migrate(db: &Db<Self>, lock_timeout: Duration) -> impl Future<Output = Result<()>> + Send;

    /// Names what is at fault, where the database's own words don't: SQLite's don't name the file.
    fn named(_db: &Db<Self>, error: EventStoreError) -> EventStoreError {
        error
    }

    /// Opens a transaction that may write.
    fn begin(db: &Db<Self>, limits: TxLimits)
    -> impl Future<Output = Result<WriteTx<Self>>> + Send;

    /// Appends, durably, in a transaction of its own and one round trip. The streams of `appends`
    /// are distinct. Waits for locks no longer than [`Db::lock_timeout`], and with
    /// [`AppendMode::EachOrBusy`] for a moment at most.
    fn append(
        db: &Db<Self>,
        appends: &[NewAppend],
        mode: AppendMode,
    ) -> impl Future<Output = Result<Vec<AppendOutcome>>> + Send;

    /// The same within an open transaction.
    fn append_in_tx(
        conn: &mut Self::Connection,
        appends: &[NewAppend],
        mode: AppendMode,
    ) -> impl Future<Output = Result<Vec<AppendOutcome>>> + Send;

    /// Locks a stream until the transaction ends, and answers its version; `None` when there is no
    /// such stream.
    fn lock_stream(
        conn: &mut Self::Connection,
        stream_id: &str,
    ) -> impl Future<Output = Result<Option<i64>>> + Send;

    /// Locks a stream until the transaction ends, also one that does not exist yet, and answers its
    /// version. The transaction has to append to it, or roll back.
    fn claim_stream(
        conn: &mut Self::Connection,
        stream: &StreamName,
    ) -> impl Future<Output = Result<i64>> + Send;

    /// A stream's version; `None` when there is no such stream.
    fn stream_version(
        conn: &mut Self::Connection,
        stream_id: &str,
    ) -> impl Future<Output = Result<Option<i64>>> + Send;

    /// Reads a page of a stream, with metadata, and answers the stream's version as of the same
    /// snapshot; `None` when there is no such stream.
    fn read_stream(
        conn: &mut Self::Connection,
        read: StreamRead<'_>,
        sink: &mut Sink<'_>,
    ) -> impl Future<Output = Result<Option<i64>>> + Send;

    /// Reads a page of a stream in version order, without what folding doesn't need, and answers
    /// the stream's version as of the same snapshot; `None` when there is no such stream.
    fn fold_stream(
        conn: &mut Self::Connection,
        tail: &TailRead,
        limit: i64,
        sink: &mut Sink<'_>,
    ) -> impl Future<Output = Result<Option<i64>>> + Send;

    /// [`fold_stream`](Self::fold_stream) for several streams in one round trip. Events come stream
    /// by stream; the answer has each stream's version, in the order of `tails`.
    fn fold_streams(
        conn: &mut Self::Connection,
        tails: &[TailRead],
        limit: i64,
        sink: &mut (dyn FnMut(usize, RawEvent<'_>) -> Result<()> + Send),
    ) -> impl Future<Output = Result<Vec<Option<i64>>>> + Send;

    /// The first of some events, by stream and version, whose predecessor in its stream isn't there:
    /// its place, and the last version of the stream before it.
    fn first_orphan(
        conn: &mut Self::Connection,
        events: &[(&str, i64)],
    ) -> impl Future<Output = Result<Option<(usize, i64)>>> + Send;

    /// Up to where the log may be read.
    fn safe_head(conn: &mut Self::Connection) -> impl Future<Output = Result<SafeHead>> + Send;

    /// Reads a page of the log in position order, with metadata.
    fn read_log(
        conn: &mut Self::Connection,
        read: LogRead<'_>,
        sink: &mut Sink<'_>,
    ) -> impl Future<Output = Result<()>> + Send;

    /// The stored snapshot of a stream.
    fn load_snapshot(
        conn: &mut Self::Connection,
        stream_id: &str,
    ) -> impl Future<Output = Result<Option<RawSnapshot>>> + Send;

    /// Stores a snapshot, unless a newer one of the same snapshot version is there.
    fn save_snapshot(
        db: &Db<Self>,
        stream_id: &str,
        version: i64,
        snapshot_version: i32,
        state: &str,
    ) -> impl Future<Output = Result<()>> + Send;

    /// The position of the last event, for a store that is the target of a copy.
    fn import_head(conn: &mut Self::Connection) -> impl Future<Output = Result<i64>> + Send;

    /// Writes events as they stood in another store, all or nothing. Refused when the last event is
    /// not at `after`: someone else has appended. Later appends get higher positions.
    fn import(
        db: &Db<Self>,
        after: i64,
        events: &[ImportedEvent],
    ) -> impl Future<Output = Result<()>> + Send;

    /// Reads a page of what idempotency keys did at or below a position, in the order of stream and
    /// key, after a pair of them.
    fn export_keys(
        conn: &mut Self::Connection,
        after: (&str, &str),
        up_to: i64,
        limit: i64,
    ) -> impl Future<Output = Result<Vec<StoredKey>>> + Send;

    /// Writes what idempotency keys did, unless it is there.
    fn import_keys(db: &Db<Self>, keys: &[StoredKey]) -> impl Future<Output = Result<()>> + Send;
}
