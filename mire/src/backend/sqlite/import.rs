//! Taking over a log from another store.

use serde_json::{Value, json};
use sqlx::{Row, Sqlite, SqliteConnection};

use super::append::time;
use crate::backend::{Db, EventLog, ImportedEvent, Result, StoredKey, TxLimits};
use crate::error::EventStoreError;

pub(super) async fn head(conn: &mut SqliteConnection) -> Result<i64> {
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

pub(super) async fn import(db: &Db<Sqlite>, after: i64, events: &[ImportedEvent]) -> Result<()> {
    let streams: Vec<Value> = events
        .iter()
        .map(|event| {
            let stream = &event.stream;
            json!([stream.as_str(), stream.category(), event.stream_version])
        })
        .collect();
    let events: Vec<Value> = events
        .iter()
        .map(|event| {
            json!([
                event.global_position,
                event.stream.as_str(),
                event.stream.category(),
                event.stream_version,
                event.event_type,
                event.schema_version,
                event.data,
                event.metadata,
                event.created_at.timestamp_micros(),
            ])
        })
        .collect();
    let mut tx = Sqlite::begin(db, TxLimits::default()).await?;
    check_head(head(&mut tx.tx).await?, after)?;
    sqlx::query(include_str!("queries/import.sql"))
        .bind(Value::from(events).to_string())
        .execute(&mut *tx.tx)
        .await?;
    sqlx::query(include_str!("queries/import_streams.sql"))
        .bind(Value::from(streams).to_string())
        .execute(&mut *tx.tx)
        .await?;
    tx.commit().await
}

pub(super) async fn export_keys(
    conn: &mut SqliteConnection,
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
                created_at: time(row.try_get(4)?)?,
            })
        })
        .collect()
}

pub(super) async fn import_keys(db: &Db<Sqlite>, keys: &[StoredKey]) -> Result<()> {
    let keys: Vec<Value> = keys
        .iter()
        .map(|key| {
            let time = key.created_at.timestamp_micros();
            json!([key.stream_id, key.key, key.version, key.position, time])
        })
        .collect();
    let mut tx = Sqlite::begin(db, TxLimits::default()).await?;
    sqlx::query(include_str!("queries/import_keys.sql"))
        .bind(Value::from(keys).to_string())
        .execute(&mut *tx.tx)
        .await?;
    tx.commit().await
}
