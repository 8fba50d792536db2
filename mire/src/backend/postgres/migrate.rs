//! Bringing the schema up to date.
//!
//! The bookkeeping is sqlx's, in the table `mire_migrations`, so that it never meets the user's own
//! `_sqlx_migrations`. All of it happens in one transaction under one transaction-level advisory
//! lock: many processes may call it at once, one of them works, the others find it done; and a
//! process that dies in the middle leaves nothing behind, neither half a schema nor a lock.

use std::time::Duration;

use sqlx::migrate::{Migrate, MigrateError, Migrator};
use sqlx::{PgConnection, Postgres};

use crate::backend::migrations::{Migrations, TABLE, are_applied, described, migrator};
use crate::backend::{Db, EventLog, Result, TxLimits};
use crate::error::EventStoreError;

const MIGRATIONS: Migrations = &[
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
    let migrator = migrator(MIGRATIONS);
    let mut conn = db.pool.acquire().await?;
    // A role that may not create anything opens a store whose schema is there.
    if is_current(&mut conn, &migrator).await? {
        return check_sequence(&mut conn).await;
    }
    drop(conn);
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

    // `run` asks for an `Acquire` that a borrowed transaction can't be in a `Send` future.
    migrator
        .run_direct(None, &mut *tx, false)
        .await
        .map_err(describe)?;

    check_sequence(&mut tx).await?;
    tx.commit().await?;
    Ok(())
}

/// Whether there is nothing to do.
async fn is_current(conn: &mut PgConnection, migrator: &Migrator) -> Result<bool> {
    // In the schema where it would be made, and in no other one of the search path.
    let exists: bool = sqlx::query_scalar(
        "SELECT to_regclass(quote_ident(current_schema()) || '.mire_migrations') IS NOT NULL",
    )
    .fetch_one(&mut *conn)
    .await?;
    if !exists {
        return Ok(false);
    }
    let applied = conn
        .list_applied_migrations(TABLE)
        .await
        .map_err(describe)?;
    Ok(are_applied(migrator, &applied))
}

/// Tells a role that may not what it needs.
fn describe(error: MigrateError) -> EventStoreError {
    match described(error) {
        EventStoreError::Database(error) => {
            not_allowed(&error).unwrap_or(EventStoreError::Database(error))
        }
        other => other,
    }
}

fn not_allowed(error: &sqlx::Error) -> Option<EventStoreError> {
    const INSUFFICIENT_PRIVILEGE: &str = "42501";
    let refused = error.as_database_error()?;
    (refused.code().as_deref() == Some(INSUFFICIENT_PRIVILEGE)).then(|| {
        EventStoreError::Unsupported {
            what: format!(
                "the schema is not up to date, and this role may not change it ({}): let one that may \
                 call `migrate`, and grant this one SELECT, INSERT, UPDATE and DELETE on its tables, \
                 and USAGE, SELECT and UPDATE on its sequences",
                refused.message()
            ),
        }
    })
}

/// A sequence that hands out values ahead of time would break the order that readers rely on.
async fn check_sequence(conn: &mut PgConnection) -> Result<()> {
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
