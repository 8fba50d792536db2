//! Bringing the schema up to date.
//!
//! The bookkeeping is sqlx's, in the table `mire_migrations`, so that it never meets the user's own
//! `_sqlx_migrations`. All of it happens in one transaction under one transaction-level advisory
//! lock: many processes may call it at once, one of them works, the others find it done; and a
//! process that dies in the middle leaves nothing behind, neither half a schema nor a lock.

use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{Postgres, SqlSafeStr};

use crate::backend::{Db, EventLog, Result, TxLimits};
use crate::error::EventStoreError;

const TABLE: &str = "mire_migrations";

/// Every migration, in order. They are never edited once released, only followed.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (
        1,
        "event log",
        include_str!("../../../migrations/postgres/0001_event_log.sql"),
    ),
    (
        2,
        "subscriptions",
        include_str!("../../../migrations/postgres/0002_subscriptions.sql"),
    ),
    (
        3,
        "tables",
        include_str!("../../../migrations/postgres/0003_tables.sql"),
    ),
];

pub(super) async fn migrate(db: &Db<Postgres>, lock_timeout: Duration) -> Result<()> {
    let limits = TxLimits {
        lock: Some(lock_timeout),
        ..TxLimits::default()
    };
    let mut tx = Postgres::begin(db, limits).await?.tx;
    // The schema is part of the key: two stores in two schemas of one database don't wait for each
    // other.
    sqlx::query(
        "SELECT pg_advisory_xact_lock(hashtextextended('mire_migrations ' || current_schema(), 0))",
    )
    .execute(&mut *tx)
    .await?;

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
    // The lock above is ours; sqlx's own is a session's, which outlives a lost connection.
    migrator.set_locking(false);
    // A newer release may have migrated while this one is being rolled out or back.
    migrator.set_ignore_missing(true);
    // `run` asks for an `Acquire` that a borrowed transaction can't be in a `Send` future.
    migrator
        .run_direct(None, &mut *tx, false)
        .await
        .map_err(describe)?;

    check_sequence(&mut tx).await?;
    tx.commit().await?;
    Ok(())
}

fn describe(error: MigrateError) -> EventStoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            EventStoreError::Database(error)
        }
        other => EventStoreError::Migration(Box::new(other)),
    }
}

/// A sequence that hands out values ahead of time would break the order that readers rely on.
async fn check_sequence(conn: &mut sqlx::PgConnection) -> Result<()> {
    let cache: i64 = sqlx::query_scalar(
        "SELECT seqcache FROM pg_sequence WHERE seqrelid = 'mire_position'::regclass",
    )
    .fetch_one(conn)
    .await?;
    if cache == 1 {
        return Ok(());
    }
    Err(EventStoreError::Unsupported {
        what: format!(
            "the sequence mire_position has CACHE {cache}, and global order needs CACHE 1: run \
             `ALTER SEQUENCE mire_position CACHE 1`"
        ),
    })
}
