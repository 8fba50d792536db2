//! Writing to the log: one statement for any number of streams and events.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Row};

use crate::backend::{AppendMode, AppendOutcome, NewAppend, Result};
use crate::error::EventStoreError;
use crate::stream::{ExpectedVersion, StreamName};

/// Appends within whatever transaction the connection is in; without one, the statement is its own.
pub(super) async fn append(
    conn: &mut PgConnection,
    appends: &[NewAppend],
    mode: AppendMode,
) -> Result<Vec<AppendOutcome>> {
    let mut streams = Vec::with_capacity(appends.len());
    let mut categories = Vec::with_capacity(appends.len());
    let mut expected = Vec::with_capacity(appends.len());
    let mut counts = Vec::with_capacity(appends.len());
    let mut keys = Vec::with_capacity(appends.len());
    let events: usize = appends.iter().map(|append| append.events.len()).sum();
    let mut owners = Vec::with_capacity(events);
    let mut types = Vec::with_capacity(events);
    let mut schemas = Vec::with_capacity(events);
    let mut data = Vec::with_capacity(events);
    let mut metadata = Vec::with_capacity(events);

    for (ordinal, append) in (1_i32..).zip(appends) {
        streams.push(append.stream.as_str());
        categories.push(append.stream.category());
        expected.push(match append.expected {
            ExpectedVersion::Any => -1,
            ExpectedVersion::NoStream => 0,
            ExpectedVersion::Exact(version) => version,
        });
        counts.push(count(append)?);
        keys.push(append.idempotency_key.as_deref());
        for event in &append.events {
            owners.push(ordinal);
            types.push(event.event_type);
            schemas.push(event.schema_version);
            data.push(event.data.as_str());
            metadata.push(event.metadata.as_deref());
        }
    }

    let rows = sqlx::query(include_str!("queries/append.sql"))
        .bind(streams)
        .bind(categories)
        .bind(expected)
        .bind(counts)
        .bind(keys)
        .bind(owners)
        .bind(types)
        .bind(schemas)
        .bind(data)
        .bind(metadata)
        .bind(mode != AppendMode::EachOrBusy)
        .bind(mode == AppendMode::Atomic)
        .fetch_all(conn)
        .await?;

    rows.iter()
        .map(|row| {
            let version: i64 = row.try_get(1)?;
            Ok(match row.try_get::<&str, _>(0)? {
                "written" => AppendOutcome::Written {
                    version,
                    positions: row.try_get(2)?,
                    created_at: row.try_get::<DateTime<Utc>, _>(3)?,
                },
                "repeated" => AppendOutcome::Repeated {
                    version,
                    position: row.try_get::<Vec<i64>, _>(2)?.first().copied().unwrap_or(0),
                },
                "conflict" => AppendOutcome::Conflict { actual: version },
                "busy" => AppendOutcome::Busy,
                _ => AppendOutcome::Abandoned,
            })
        })
        .collect()
}

fn count(append: &NewAppend) -> Result<i32> {
    i32::try_from(append.events.len()).map_err(|_| EventStoreError::InvalidArgument {
        name: "the number of events in one append",
        value: append.events.len().to_string(),
        mend: "append them in several parts",
    })
}

pub(super) async fn lock_stream(conn: &mut PgConnection, stream_id: &str) -> Result<Option<i64>> {
    Ok(sqlx::query_scalar(include_str!("queries/lock_stream.sql"))
        .bind(stream_id)
        .fetch_optional(conn)
        .await?)
}

pub(super) async fn claim_stream(conn: &mut PgConnection, stream: &StreamName) -> Result<i64> {
    if let Some(version) = lock_stream(conn, stream.as_str()).await? {
        return Ok(version);
    }
    sqlx::query(include_str!("queries/create_stream.sql"))
        .bind(stream.as_str())
        .bind(stream.category())
        .execute(&mut *conn)
        .await?;
    Ok(lock_stream(conn, stream.as_str()).await?.unwrap_or(0))
}
