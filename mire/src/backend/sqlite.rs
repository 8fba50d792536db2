//! SQLite, embedded. Each statement is a file under `sqlite/queries/`.
//!
//! # One writer
//!
//! SQLite takes one writer at a time and any number of readers beside it (WAL). Inside a process
//! the writers queue up, first come first served, at a semaphore of one, the *turn*, before they
//! ask for a connection; so they never see `SQLITE_BUSY`, and a queue of writers takes no
//! connection away from the readers. Every transaction begins with `BEGIN IMMEDIATE`, so it has the
//! file's write lock before it reads what it decides on.
//!
//! Another process on the same file is a rival for that lock which can't queue up; there the
//! driver's busy timeout and a bounded number of further tries wait for it.
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

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::{Connection, Pool, Sqlite, SqliteConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    AppendMode, AppendOutcome, Backend, Db, EventLog, ImportedEvent, LogRead, NewAppend, RawEvent,
    RawSnapshot, Result, SafeHead, Sink, StoredKey, StreamRead, TailRead, TxLimits, WriteTx,
};
use crate::error::{DbErrorKind, EventStoreError};
use crate::stream::StreamName;

/// What the clones of a store on SQLite share.
pub struct Shared {
    /// Who may write; fair.
    turn: Arc<Semaphore>,
    /// Whether it is a store in memory, which need not survive anything.
    volatile: bool,
}

impl Shared {
    fn new(volatile: bool) -> Self {
        Self {
            turn: Arc::new(Semaphore::new(1)),
            volatile,
        }
    }
}

/// Waits for the turn to write.
async fn turn(db: &Db<Sqlite>, limit: Duration) -> Result<OwnedSemaphorePermit> {
    let turn = Arc::clone(&db.shared.turn).acquire_owned();
    match tokio::time::timeout(limit, turn).await {
        Ok(Ok(turn)) => Ok(turn),
        Ok(Err(_)) => Err(EventStoreError::Interrupted),
        Err(_) => Err(EventStoreError::WriterBusy { waited: limit }),
    }
}

impl Backend for Sqlite {}

impl EventLog for Sqlite {
    const WRITERS: usize = 1;
    const READERS: usize = 2;
    const KEEPS_RECENT: bool = false;

    type Shared = Shared;

    fn shared(_pool: &Pool<Self>) -> Self::Shared {
        Shared::new(false)
    }

    async fn connect(url: &str) -> Result<Db<Self>> {
        open::open(url).await
    }

    async fn migrate(db: &Db<Self>, lock_timeout: Duration) -> Result<()> {
        migrate::migrate(db, lock_timeout).await
    }

    async fn begin(db: &Db<Self>, limits: TxLimits) -> Result<WriteTx<Self>> {
        let limit = limits.lock.unwrap_or(db.lock_timeout);
        let started = Instant::now();
        let turn = turn(db, limit).await?;
        loop {
            let begun = db.pool.begin_with("BEGIN IMMEDIATE").await;
            let error = match begun {
                Ok(tx) => {
                    return Ok(WriteTx {
                        tx,
                        turn: Some(turn),
                    });
                }
                Err(sqlx::Error::InvalidSavePointStatement) => {
                    // SQLite ended a transaction by itself when the disk was full, which the driver
                    // does not notice: that connection is of no more use.
                    let mut conn = db.pool.acquire().await?;
                    if conn.is_in_transaction() {
                        conn.close_on_drop();
                    }
                    if started.elapsed() < limit {
                        continue;
                    }
                    EventStoreError::from(sqlx::Error::InvalidSavePointStatement)
                }
                Err(error) => EventStoreError::from(error),
            };
            // Another process has the lock; the driver has waited for its busy timeout.
            if error.db_kind() != Some(DbErrorKind::LockTimeout) || started.elapsed() >= limit {
                return Err(error);
            }
        }
    }

    async fn turn(db: &Db<Self>) -> Result<Option<OwnedSemaphorePermit>> {
        turn(db, db.lock_timeout).await.map(Some)
    }

    async fn append(
        db: &Db<Self>,
        appends: &[NewAppend],
        mode: AppendMode,
    ) -> Result<Vec<AppendOutcome>> {
        let mut tx = Self::begin(db, TxLimits::default()).await?;
        let outcomes = append::append(&mut tx.tx, appends, mode).await;
        let file = db.pool.connect_options();
        let outcomes = outcomes.map_err(|error| open::unusable(error, file.get_filename()))?;
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
        conn: &mut SqliteConnection,
        stream_id: &str,
        version: i64,
        snapshot_version: i32,
        state: &str,
    ) -> Result<()> {
        snapshot::save(conn, stream_id, version, snapshot_version, state).await
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
