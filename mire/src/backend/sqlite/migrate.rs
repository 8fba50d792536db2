//! Bringing the schema up to date.
//!
//! The bookkeeping is sqlx's, in the table `mire_migrations`, so that it never meets the user's own
//! `_sqlx_migrations`. All of it happens in one transaction under the write lock. Before that, the
//! file is put into WAL mode, which it keeps, and the pool's settings are held against what the
//! guarantees need.
//!
//! A file that has all of that is only read: a process that starts would otherwise wait for whoever
//! writes at that moment.

use std::time::{Duration, Instant};

use sqlx::migrate::{Migrate, Migrator};
use sqlx::{Sqlite, SqliteConnection};

use super::turn::turn;
use crate::backend::migrations::{Migrations, TABLE, are_applied, described, migrator};
use crate::backend::{Db, EventLog, Result, TxLimits};
use crate::error::{DbErrorKind, EventStoreError};

const MIGRATIONS: Migrations = &[
    (
        1,
        "event log",
        include_str!("../../../migrations/sqlite/0001_event_log.sql"),
    ),
    (
        2,
        "subscriptions",
        include_str!("../../../migrations/sqlite/0002_subscriptions.sql"),
    ),
    (
        3,
        "tables",
        include_str!("../../../migrations/sqlite/0003_tables.sql"),
    ),
];

/// `PRAGMA synchronous` of a commit that is on the disk.
const FULL: i64 = 2;

pub(super) async fn migrate(db: &Db<Sqlite>, lock_timeout: Duration) -> Result<()> {
    let migrated = bring_up(db, lock_timeout).await;
    migrated.map_err(|error| Sqlite::named(db, error))
}

async fn bring_up(db: &Db<Sqlite>, lock_timeout: Duration) -> Result<()> {
    check_settings(db).await?;
    let migrator = migrator(MIGRATIONS);
    if is_ready(&mut *db.pool.acquire().await?, &migrator).await {
        return Ok(());
    }
    switch_to_wal(db, lock_timeout).await?;
    let limits = TxLimits {
        lock: Some(lock_timeout),
        ..TxLimits::default()
    };
    let mut tx = Sqlite::begin(db, limits).await?;
    // `run` asks for an `Acquire` that a borrowed transaction can't be in a `Send` future.
    migrator
        .run_direct(None, &mut *tx.tx, false)
        .await
        .map_err(described)?;

    tx.commit().await
}

/// Whether there is nothing to do. What can't be read is left to whoever does it, to be told of.
async fn is_ready(conn: &mut SqliteConnection, migrator: &Migrator) -> bool {
    let mode: sqlx::Result<String> = sqlx::query_scalar("PRAGMA journal_mode")
        .fetch_one(&mut *conn)
        .await;
    let Ok(applied) = conn.list_applied_migrations(TABLE).await else {
        return false;
    };
    are_applied(migrator, &applied) && mode.is_ok_and(|mode| mode == "wal")
}

/// Refuses settings under which a guarantee would not hold.
async fn check_settings(db: &Db<Sqlite>) -> Result<()> {
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous")
        .fetch_one(&db.pool)
        .await?;
    if synchronous >= FULL || db.shared.volatile {
        return Ok(());
    }
    Err(EventStoreError::Unsupported {
        what: format!(
            "the pool's connections have PRAGMA synchronous = {synchronous}, and a commit would \
             not survive a loss of power: set it to FULL (2), or open the store with `mire::open`"
        ),
    })
}

async fn switch_to_wal(db: &Db<Sqlite>, lock_timeout: Duration) -> Result<()> {
    let _turn = turn(db, lock_timeout).await?;
    let mut conn = db.pool.acquire().await?;
    let mode = wal(&mut conn, lock_timeout).await?;
    if mode == "wal" {
        return Ok(());
    }
    Err(EventStoreError::Unsupported {
        what: format!(
            "the database has the journal mode `{mode}`, and readers beside a writer need a file in \
             mode `wal`: use a file, or `mire::open(\"sqlite::memory:\")` for a store in memory"
        ),
    })
}

/// The file's journal mode after asking for WAL. SQLite doesn't wait for another process that is
/// just opening the file, so this does.
async fn wal(conn: &mut SqliteConnection, limit: Duration) -> Result<String> {
    let started = Instant::now();
    loop {
        let mode = sqlx::query_scalar("PRAGMA journal_mode = WAL")
            .fetch_one(&mut *conn)
            .await
            .map_err(EventStoreError::from);
        match mode {
            Err(error)
                if error.db_kind() == Some(DbErrorKind::LockTimeout)
                    && started.elapsed() < limit =>
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            mode => return mode,
        }
    }
}
