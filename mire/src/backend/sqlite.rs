//! SQLite, embedded. Each statement is a file under `sqlite/queries/`.
//!
//! # One writer
//!
//! SQLite takes one writer at a time and any number of readers beside it (WAL). Every transaction
//! begins with `BEGIN IMMEDIATE`, so it has the file's write lock before it reads what it decides on.
//! Who waits for whom, within a process and between processes, stands at the top of `turn`.
//!
//! # Leases
//!
//! A heartbeat writes, so it waits for its turn like everybody else, and so does whoever would take
//! a lease over. A leader's own transaction therefore keeps its lease, however long it stays open,
//! and extends it at its end; see [`crate::lease`]. A transaction of somebody else's (a scope, say)
//! that stays open for longer than the ttl makes leaders stop, and the next one acquires the lease
//! anew; the fence holds as everywhere. Processes on one file can't tell each other anything; they
//! poll.
//!
//! # What is durable
//!
//! `synchronous=FULL`: a commit is on the disk before it returns. A pool with less is refused by
//! [`EventLog::migrate`]. The store in memory is the exception: it is there for tests, and ends
//! with the process.

mod append;
mod coordination;
mod import;
mod migrate;
pub(crate) mod open;
mod read;
mod rows;
mod snapshot;
mod table;
mod turn;

use std::sync::Arc;
use std::time::Duration;

use sqlx::{Pool, Sqlite, SqliteConnection};

use super::{
    AppendMode, AppendOutcome, Backend, Db, EventLog, ImportedEvent, LogRead, NewAppend, RawEvent,
    RawSnapshot, Result, SafeHead, Sink, StoredKey, StreamRead, TailRead, TxLimits, WriteTx,
};
use crate::error::EventStoreError;
use crate::stream::StreamName;
use turn::{Turn, Turns};

/// What the clones of a store on SQLite share.
pub struct Shared {
    turns: Arc<Turns>,
    /// Whether it is a store in memory, which need not survive anything.
    volatile: bool,
}

impl Shared {
    fn new(volatile: bool) -> Self {
        Self {
            turns: Arc::new(Turns::new()),
            volatile,
        }
    }
}

impl Backend for Sqlite {}

impl EventLog for Sqlite {
    const WRITERS: usize = 1;
    const READERS: usize = 2;
    const KEEPS_RECENT: bool = false;

    type Shared = Shared;
    type Turn = Turn;

    fn shared(_pool: &Pool<Self>) -> Self::Shared {
        Shared::new(false)
    }

    async fn connect(url: &str) -> Result<Db<Self>> {
        open::open(url).await
    }

    async fn migrate(db: &Db<Self>, lock_timeout: Duration) -> Result<()> {
        migrate::migrate(db, lock_timeout).await
    }

    fn named(db: &Db<Self>, error: EventStoreError) -> EventStoreError {
        open::unusable(error, db.pool.connect_options().get_filename())
    }

    async fn begin(db: &Db<Self>, limits: TxLimits) -> Result<WriteTx<Self>> {
        turn::begin(db, limits.lock.unwrap_or(db.lock_timeout)).await
    }

    async fn append(
        db: &Db<Self>,
        appends: &[NewAppend],
        mode: AppendMode,
    ) -> Result<Vec<AppendOutcome>> {
        let mut tx = Self::begin(db, TxLimits::default()).await?;
        let outcomes = append::append(&mut tx.tx, appends, mode).await;
        let outcomes = outcomes.map_err(|error| Self::named(db, error))?;
        tx.commit().await?;
        Ok(outcomes)
    }

    async fn append_in_tx(
        conn: &mut SqliteConnection,
        appends: &[NewAppend],
        mode: AppendMode,
    ) -> Result<Vec<AppendOutcome>> {
        append::append_in_tx(conn, appends, mode).await
    }

    async fn lock_stream(conn: &mut SqliteConnection, stream_id: &str) -> Result<Option<i64>> {
        // The transaction has locked all streams already.
        read::stream_version(conn, stream_id).await
    }

    async fn claim_stream(conn: &mut SqliteConnection, stream: &StreamName) -> Result<i64> {
        let version = read::stream_version(conn, stream.as_str()).await?;
        Ok(version.unwrap_or(0))
    }

    async fn stream_version(conn: &mut SqliteConnection, stream_id: &str) -> Result<Option<i64>> {
        read::stream_version(conn, stream_id).await
    }

    async fn read_stream(
        conn: &mut SqliteConnection,
        read: StreamRead<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<Option<i64>> {
        read::read_stream(conn, read, sink).await
    }

    async fn fold_stream(
        conn: &mut SqliteConnection,
        tail: &TailRead,
        limit: i64,
        sink: &mut Sink<'_>,
    ) -> Result<Option<i64>> {
        read::fold_stream(conn, tail, limit, sink).await
    }

    async fn fold_streams(
        conn: &mut SqliteConnection,
        tails: &[TailRead],
        limit: i64,
        sink: &mut (dyn FnMut(usize, RawEvent<'_>) -> Result<()> + Send),
    ) -> Result<Vec<Option<i64>>> {
        read::fold_streams(conn, tails, limit, sink).await
    }

    async fn first_orphan(
        conn: &mut SqliteConnection,
        events: &[(&str, i64)],
    ) -> Result<Option<(usize, i64)>> {
        read::first_orphan(conn, events).await
    }

    async fn safe_head(conn: &mut SqliteConnection) -> Result<SafeHead> {
        read::safe_head(conn).await
    }

    async fn read_log(
        conn: &mut SqliteConnection,
        read: LogRead<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<()> {
        read::read_log(conn, read, sink).await
    }

    async fn load_snapshot(
        conn: &mut SqliteConnection,
        stream_id: &str,
    ) -> Result<Option<RawSnapshot>> {
        snapshot::load(conn, stream_id).await
    }

    async fn save_snapshot(
        db: &Db<Self>,
        stream_id: &str,
        version: i64,
        snapshot_version: i32,
        state: &str,
    ) -> Result<()> {
        let mut tx = Self::begin(db, TxLimits::default()).await?;
        snapshot::save(&mut tx.tx, stream_id, version, snapshot_version, state).await?;
        tx.commit().await
    }

    async fn import_head(conn: &mut SqliteConnection) -> Result<i64> {
        import::head(conn).await
    }

    async fn import(db: &Db<Self>, after: i64, events: &[ImportedEvent]) -> Result<()> {
        import::import(db, after, events).await
    }

    async fn export_keys(
        conn: &mut SqliteConnection,
        after: (&str, &str),
        up_to: i64,
        limit: i64,
    ) -> Result<Vec<StoredKey>> {
        import::export_keys(conn, after, up_to, limit).await
    }

    async fn import_keys(db: &Db<Self>, keys: &[StoredKey]) -> Result<()> {
        import::import_keys(db, keys).await
    }
}
