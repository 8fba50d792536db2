//! Writing to the log, in a transaction that has the write lock: what is there is read once, the
//! verdict falls in Rust, and the events are written in sets.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::{Row, SqliteConnection};

use crate::backend::{AppendMode, AppendOutcome, NewAppend, Result};
use crate::error::{DbErrorKind, EventStoreError};
use crate::stream::ExpectedVersion;

/// A statement ends before it carries more bytes of events than this, or it carries one event.
const MAX_STATEMENT_BYTES: usize = 4 * 1024 * 1024;

/// [`append`] in a transaction that may not have begun to write yet. It does so before it reads:
/// one that reads first could not go on if somebody wrote in between.
pub(super) async fn append_in_tx(
    conn: &mut SqliteConnection,
    appends: &[NewAppend],
    mode: AppendMode,
) -> Result<Vec<AppendOutcome>> {
    let begun = sqlx::query(include_str!("queries/begin_to_write.sql"))
        .execute(&mut *conn)
        .await
        .map_err(EventStoreError::from);
    match begun {
        Err(error) if error.db_kind() == Some(DbErrorKind::LockTimeout) => match error {
            EventStoreError::Database(error) => Err(EventStoreError::DeferredTransaction(error)),
            error => Err(error),
        },
        Err(error) => Err(error),
        Ok(_) => append(conn, appends, mode).await,
    }
}

pub(super) async fn append(
    conn: &mut SqliteConnection,
    appends: &[NewAppend],
    mode: AppendMode,
) -> Result<Vec<AppendOutcome>> {
    let targets: Vec<Value> = appends
        .iter()
        .map(|append| json!([append.stream.as_str(), append.idempotency_key]))
        .collect();
    let rows = sqlx::query(include_str!("queries/append_targets.sql"))
        .bind(Value::from(targets).to_string())
        .fetch_all(&mut *conn)
        .await?;

    let mut position = 0;
    let mut now = 0;
    let mut streams = Vec::new();
    let mut keys = Vec::new();
    let mut verdicts = Vec::with_capacity(appends.len());
    for (append, row) in appends.iter().zip(&rows) {
        let actual: i64 = row.try_get(0)?;
        if verdicts.is_empty() {
            position = row.try_get(3)?;
            now = row.try_get(4)?;
        }
        verdicts.push(match row.try_get::<Option<i64>, _>(1)? {
            Some(version) => AppendOutcome::Repeated {
                version,
                position: row.try_get(2)?,
            },
            None if !expects(append.expected, actual) => AppendOutcome::Conflict { actual },
            None => AppendOutcome::Written {
                version: actual,
                positions: Vec::new(),
                created_at: time(now)?,
            },
        });
    }
    let failed = |verdict: &AppendOutcome| matches!(verdict, AppendOutcome::Conflict { .. });
    if mode == AppendMode::Atomic && verdicts.iter().any(failed) {
        for verdict in &mut verdicts {
            if matches!(verdict, AppendOutcome::Written { .. }) {
                *verdict = AppendOutcome::Abandoned;
            }
        }
        return Ok(verdicts);
    }

    let mut page = Vec::new();
    let mut bytes = 0;
    for (append, verdict) in appends.iter().zip(&mut verdicts) {
        let AppendOutcome::Written {
            version, positions, ..
        } = verdict
        else {
            continue;
        };
        let (stream, category) = (append.stream.as_str(), append.stream.category());
        for event in &append.events {
            let metadata = event.metadata.as_deref();
            let size = event.data.len() + metadata.map_or(0, str::len);
            if bytes > 0 && bytes + size > MAX_STATEMENT_BYTES {
                write_events(conn, &mut page, now).await?;
                bytes = 0;
            }
            position += 1;
            *version += 1;
            positions.push(position);
            bytes += size + 1;
            page.push(json!([
                position,
                stream,
                category,
                *version,
                event.event_type,
                event.schema_version,
                event.data,
                metadata,
            ]));
        }
        streams.push(json!([stream, category, *version]));
        if let Some(key) = &append.idempotency_key {
            keys.push(json!([stream, key, *version, position]));
        }
    }
    if streams.is_empty() {
        return Ok(verdicts);
    }
    write_events(conn, &mut page, now).await?;
    sqlx::query(include_str!("queries/move_streams.sql"))
        .bind(Value::from(streams).to_string())
        .bind(Value::from(keys).to_string())
        .bind(now)
        .execute(conn)
        .await?;
    Ok(verdicts)
}

fn expects(expected: ExpectedVersion, actual: i64) -> bool {
    match expected {
        ExpectedVersion::Any => true,
        ExpectedVersion::NoStream => actual == 0,
        ExpectedVersion::Exact(version) => actual == version,
    }
}

async fn write_events(conn: &mut SqliteConnection, page: &mut Vec<Value>, now: i64) -> Result<()> {
    sqlx::query(include_str!("queries/append.sql"))
        .bind(Value::from(std::mem::take(page)).to_string())
        .bind(now)
        .execute(conn)
        .await?;
    Ok(())
}

/// A stored time.
pub(super) fn time(micros: i64) -> Result<DateTime<Utc>> {
    DateTime::from_timestamp_micros(micros).ok_or_else(|| EventStoreError::Unsupported {
        what: format!("the stored time {micros} µs is beyond the calendar: correct that row"),
    })
}
