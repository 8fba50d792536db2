//! Whose turn it is to write.
//!
//! # Within a process
//!
//! Writers queue up, first come first served, at a semaphore of one, the *turn*, before they ask
//! for a connection; so a queue of writers takes no connection away from the readers.
//!
//! # Between processes
//!
//! Whoever has its process's turn asks for the file's write lock. SQLite keeps no queue for that
//! lock, and its own busy handler asks ten times a second at last: beside a leader that begins
//! again within a millisecond it finds the lock taken for minutes. So two things are agreed on:
//!
//! - Who waits asks every [`POLL`].
//! - Who has held the lock for [`LONG`] leaves it alone for a [`GAP`], in which everybody who waits
//!   asks at least once. Nobody pays for that who has nothing to write in the gap. Short
//!   transactions leave none: others get in between them by chance, soon enough.
//!
//! ```text
//! waiting for the turn ──▶ gap, if one is owed ──▶ asking for the lock ──▶ open ──▶ turn given back
//! ```
//!
//! # What happens when each party stops
//!
//! | who stops, and where | what follows |
//! |---|---|
//! | who waits for the turn or in the gap, dropped | nothing was asked for; the turn goes to the next |
//! | who asks for the lock, dropped | its connection is closed, and with it what it may have begun |
//! | who has the lock, dropped | the driver rolls back, then the turn goes to the next |
//! | a process that has the lock, killed | the lock goes with it |
//! | a process that has the lock, stopped (`SIGSTOP`) | nobody writes to the file until it goes on or is killed: others get `WriterBusy` when their limit has passed, and may try again |
//! | a process in its gap, or that waits | nobody notices |

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Connection, SqlSafeStr, Sqlite, Transaction};
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::backend::{Db, EventLog, Result, WriteTx};
use crate::error::{DbErrorKind, EventStoreError};

/// How often who waits asks for the file's write lock.
const POLL: Duration = Duration::from_millis(2);

/// Holding the lock for so long obliges to a gap.
const LONG: Duration = Duration::from_millis(100);

/// Three times [`POLL`], since timers are late on a busy machine; and little beside [`LONG`].
const GAP: Duration = Duration::from_millis(6);

/// The turns of one process.
pub(super) struct Turns {
    free: Arc<Semaphore>,
    gap_until: Mutex<Option<Instant>>,
    /// The pool's own `PRAGMA busy_timeout`, in milliseconds.
    busy_timeout: OnceCell<i64>,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self {
            free: Arc::new(Semaphore::new(1)),
            gap_until: Mutex::default(),
            busy_timeout: OnceCell::new(),
        }
    }

    /// Until when this process leaves the lock alone.
    fn gap(&self) -> MutexGuard<'_, Option<Instant>> {
        self.gap_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to write in this process, until it is dropped.
pub struct Turn {
    _permit: OwnedSemaphorePermit,
    turns: Arc<Turns>,
    /// Since when it has the file's write lock.
    locked: Option<Instant>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let now = Instant::now();
        if self.locked.is_some_and(|since| now - since >= LONG) {
            *self.turns.gap() = Some(now + GAP);
        }
    }
}

/// Waits for the turn.
pub(super) async fn turn(db: &Db<Sqlite>, limit: Duration) -> Result<Turn> {
    let turns = Arc::clone(&db.shared.turns);
    let permit = Arc::clone(&turns.free).acquire_owned();
    match timeout(limit, permit).await {
        Ok(Ok(permit)) => Ok(Turn {
            _permit: permit,
            turns,
            locked: None,
        }),
        Ok(Err(_)) => Err(EventStoreError::Interrupted),
        Err(_) => Err(EventStoreError::WriterBusy { waited: limit }),
    }
}

/// Waits for the turn and for the file's write lock.
pub(super) async fn begin(db: &Db<Sqlite>, limit: Duration) -> Result<WriteTx<Sqlite>> {
    let deadline = Instant::now() + limit;
    let mut turn = turn(db, limit).await?;
    let gap = *turn.turns.gap();
    if let Some(gap) = gap {
        sleep_until(gap).await;
    }
    let begun = lock(db, deadline).await;
    let tx = begun.map_err(|error| match error {
        error if error.db_kind() == Some(DbErrorKind::LockTimeout) => {
            EventStoreError::WriterBusy { waited: limit }
        }
        error => Sqlite::named(db, error),
    })?;
    turn.locked = Some(Instant::now());
    Ok(WriteTx { tx, turn })
}

/// Asks for the file's write lock until it is there. SQLite's own waiting is switched off meanwhile.
async fn lock(db: &Db<Sqlite>, deadline: Instant) -> Result<Transaction<'static, Sqlite>> {
    let mut conn = usable(db).await?;
    let busy_timeout = db
        .shared
        .turns
        .busy_timeout
        .get_or_try_init(|| sqlx::query_scalar("PRAGMA busy_timeout").fetch_one(&mut *conn));
    let busy_timeout = *busy_timeout.await?;
    let mut asking = Asking(Some(conn));
    let conn = asking.ask(deadline).await?;
    // The driver takes over the transaction that is open.
    let wait_again = AssertSqlSafe(format!("PRAGMA busy_timeout = {busy_timeout}"));
    Ok(Transaction::begin(conn, Some(wait_again.into_sql_str())).await?)
}

/// A connection that does not wait for locks, or has begun what the driver knows nothing of. Dropping
/// it closes it.
struct Asking(Option<PoolConnection<Sqlite>>);

impl Asking {
    /// Answers the connection when it has the lock.
    async fn ask(&mut self, deadline: Instant) -> Result<PoolConnection<Sqlite>> {
        let mut ask = "PRAGMA busy_timeout = 0; BEGIN IMMEDIATE";
        while let Some(conn) = &mut self.0 {
            let Err(error) = sqlx::raw_sql(ask).execute(&mut **conn).await else {
                break;
            };
            let error = EventStoreError::from(error);
            let taken = error.db_kind() == Some(DbErrorKind::LockTimeout);
            if !taken || Instant::now() >= deadline {
                return Err(error);
            }
            sleep(POLL).await;
            ask = "BEGIN IMMEDIATE";
        }
        self.0.take().ok_or(EventStoreError::Interrupted)
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        if let Some(conn) = &mut self.0 {
            conn.close_on_drop();
        }
    }
}

/// A connection of the pool. SQLite ends a transaction by itself when the disk was full, which the
/// driver does not notice: such a connection is of no more use.
async fn usable(db: &Db<Sqlite>) -> Result<PoolConnection<Sqlite>> {
    loop {
        let mut conn = db.pool.acquire().await?;
        if !conn.is_in_transaction() {
            return Ok(conn);
        }
        conn.close_on_drop();
    }
}
