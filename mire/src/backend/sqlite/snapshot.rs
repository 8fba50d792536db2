//! Snapshots.

use sqlx::{Row, SqliteConnection};

use crate::backend::{RawSnapshot, Result};

pub(super) async fn load(
    conn: &mut SqliteConnection,
    stream_id: &str,
) -> Result<Option<RawSnapshot>> {
    let row = sqlx::query(include_str!("queries/load_snapshot.sql"))
        .bind(stream_id)
        .fetch_optional(conn)
        .await?;
    row.map(|row| {
        let state = row.try_get::<String, _>(2)?.into_bytes();
        Ok(RawSnapshot {
            version: row.try_get(0)?,
            snapshot_version: row.try_get(1)?,
            state,
        })
    })
    .transpose()
}

pub(super) async fn save(
    conn: &mut SqliteConnection,
    stream_id: &str,
    version: i64,
    snapshot_version: i32,
    state: &str,
) -> Result<()> {
    sqlx::query(include_str!("queries/save_snapshot.sql"))
        .bind(stream_id)
        .bind(version)
        .bind(snapshot_version)
        .bind(state)
        .execute(conn)
        .await?;
    Ok(())
}
