//! Bringing the schema up to date.
//!
//! The bookkeeping is sqlx's, in the table `mire_migrations`, so that it never meets the user's own
//! `_sqlx_migrations`. All of it happens in one transaction under the write lock. Before that, the
//! file is put into WAL mode, which it keeps, and the pool's settings are held against what the
//! guarantees need.

use std::time::{Duration, Instant};

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{SqlSafeStr, Sqlite, SqliteConnection};

use super::open::unusable;
use crate::backend::{Db, EventLog, Result, TxLimits};
use crate::error::{DbErrorKind, EventStoreError};

const TABLE: &str = "mire_migrations";

/// Every migration, in order. They are never edited once released, only followed.
const MIGRATIONS: &[(i64, &str, &str)] = &[
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
    migrated.map_err(|error| unusable(error, db.pool.connect_options().get_filename()))
}

async fn bring_up(db: &Db<Sqlite>, lock_timeout: Duration) -> Result<()> {
    prepare_file(db, lock_timeout).await?;
    let limits = TxLimits {
        lock: Some(lock_timeout),
        ..TxLimits::default()
    };
    let mut tx = Sqlite::begin(db, limits).await?;

    let mut migrator = Migrator::with_migrations(
        MIGRATIONS
            .iter()
            .map(|(version, description, sql)| {
                Migration::new(
                    *version,
                    (*description).into(),
                    MigrationType::Simple,
                    sql.into_sql_str(),
                    false,
                )
            })
            .collect(),
    );
    migrator.dangerous_set_table_name(TABLE);
    // The transaction has the file's write lock.
    migrator.set_locking(false);
    // A newer release may have migrated while this one is being rolled out or back.
    migrator.set_ignore_missing(true);
    // `run` asks for an `Acquire` that a borrowed transaction can't be in a `Send` future.
    migrator
        .run_direct(None, &mut *tx.tx, false)
        .await
        .map_err(describe)?;

    tx.commit().await
}

fn describe(error: MigrateError) -> EventStoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            EventStoreError::Database(error)
        }
        other => EventStoreError::Migration(Box::new(other)),
    }
}

/// Puts the file into WAL mode, and refuses settings under which a guarantee would not hold.
async fn prepare_file(db: &Db<Sqlite>, lock_timeout: Duration) -> Result<()> {
    let _turn = super::turn(db, lock_timeout).await?;
    let mut conn = db.pool.acquire().await?;
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous")
        .fetch_one(&mut *conn)
        .await?;
    if synchronous < FULL && !db.shared.volatile {
        return Err(EventStoreError::Unsupported {
            what: format!(
                "the pool's connections have PRAGMA synchronous = {synchronous}, and a commit would \
                 not survive a loss of power: set it to FULL (2), or open the store with \
                 `mire::open`"
            ),
        });
    }
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
