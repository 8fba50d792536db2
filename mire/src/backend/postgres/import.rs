//! Taking over a log from another store.

use sqlx::{PgConnection, Postgres, Row};

use crate::backend::{Db, EventLog, ImportedEvent, Result, StoredKey, TxLimits};
use crate::error::EventStoreError;

pub(super) async fn head(conn: &mut PgConnection) -> Result<i64> {
    Ok(sqlx::query_scalar(include_str!("queries/import_head.sql"))
        .fetch_one(conn)
        .await?)
}

/// Someone else has appended to the target.
fn check_head(head: i64, after: i64) -> Result<()> {
    if head == after {
        return Ok(());
    }
    Err(EventStoreError::CopyMismatch {
        global_position: head,
        what: "someone else appended to the target",
    })
}

pub(super) async fn import(db: &Db<Postgres>, after: i64, events: &[ImportedEvent]) -> Result<()> {
    let Some(last) = events.last() else {
        return Ok(());
    };
    let positions: Vec<_> = events.iter().map(|event| event.global_position).collect();
    let streams: Vec<_> = events.iter().map(|event| event.stream.as_str()).collect();
    let categories: Vec<_> = events.iter().map(|event| event.stream.category()).collect();
    let versions: Vec<_> = events.iter().map(|event| event.stream_version).collect();
    let types: Vec<_> = events
        .iter()
        .map(|event| event.event_type.as_str())
        .collect();
    let schemas: Vec<_> = events.iter().map(|event| event.schema_version).collect();
    let data: Vec<_> = events.iter().map(|event| event.data.as_str()).collect();
    let metadata: Vec<_> = events
        .iter()
        .map(|event| event.metadata.as_deref())
        .collect();
    let times: Vec<_> = events.iter().map(|event| event.created_at).collect();

    let limits = TxLimits {
        lock: Some(db.lock_timeout),
        ..TxLimits::default()
    };
    let mut tx = Postgres::begin(db, limits).await?;
    sqlx::query(include_str!("queries/lock_log.sql"))
        .execute(&mut *tx.tx)
        .await?;
    check_head(head(&mut tx.tx).await?, after)?;
    sqlx::query(include_str!("queries/import.sql"))
        .bind(positions)
        .bind(&streams)
        .bind(&categories)
        .bind(&versions)
        .bind(types)
        .bind(schemas)
        .bind(data)
        .bind(metadata)
        .bind(times)
        .execute(&mut *tx.tx)
        .await?;
    sqlx::query(include_str!("queries/import_streams.sql"))
        .bind(streams)
        .bind(categories)
        .bind(versions)
        .execute(&mut *tx.tx)
        .await?;
    tx.commit().await?;
    // When this is lost, an append meets positions that are taken, and fails; the next copy mends
    // it.
    sqlx::query(include_str!("queries/move_position.sql"))
        .bind(last.global_position)
        .execute(&db.pool)
        .await?;
    Ok(())
}

pub(super) async fn export_keys(
    conn: &mut PgConnection,
    after: (&str, &str),
    up_to: i64,
    limit: i64,
) -> Result<Vec<StoredKey>> {
    let rows = sqlx::query(include_str!("queries/export_keys.sql"))
        .bind(after.0)
        .bind(after.1)
        .bind(up_to)
        .bind(limit)
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(StoredKey {
                stream_id: row.try_get(0)?,
                key: row.try_get(1)?,
                version: row.try_get(2)?,
                position: row.try_get(3)?,
                created_at: row.try_get(4)?,
            })
        })
        .collect()
}

pub(super) async fn import_keys(db: &Db<Postgres>, keys: &[StoredKey]) -> Result<()> {
    let streams: Vec<_> = keys.iter().map(|key| key.stream_id.as_str()).collect();
    let names: Vec<_> = keys.iter().map(|key| key.key.as_str()).collect();
    let versions: Vec<_> = keys.iter().map(|key| key.version).collect();
    let positions: Vec<_> = keys.iter().map(|key| key.position).collect();
    let times: Vec<_> = keys.iter().map(|key| key.created_at).collect();
    sqlx::query(include_str!("queries/import_keys.sql"))
        .bind(streams)
        .bind(names)
        .bind(versions)
        .bind(positions)
        .bind(times)
        .execute(&db.pool)
        .await?;
    Ok(())
}
