//! Reading the log: rows go to a sink one by one, as the driver's own bytes.

use std::ops::ControlFlow;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use crate::backend::{HeldBy, LogRead, RawEvent, Result, SafeHead, Sink, StreamRead, TailRead};
use crate::error::EventStoreError;
use crate::stream::ReadDirection;

pub(super) async fn stream_version(
    conn: &mut PgConnection,
    stream_id: &str,
) -> Result<Option<i64>> {
    Ok(
        sqlx::query_scalar(include_str!("queries/stream_version.sql"))
            .bind(stream_id)
            .fetch_optional(conn)
            .await?,
    )
}

pub(super) async fn read_stream(
    conn: &mut PgConnection,
    read: StreamRead<'_>,
    sink: &mut Sink<'_>,
) -> Result<Option<i64>> {
    let statement = match read.direction {
        ReadDirection::Forward => include_str!("queries/read_stream_forward.sql"),
        ReadDirection::Backward => include_str!("queries/read_stream_backward.sql"),
    };
    let mut rows = sqlx::query(statement)
        .bind(read.stream_id)
        .bind(read.from_version)
        // Added to a version; no stream is longer.
        .bind(read.limit.min(i64::MAX / 4))
        .fetch(conn);
    let mut head = None;
    while let Some(row) = rows.try_next().await? {
        head = Some(row.try_get::<i64, _>(0)?);
        let Some(stream_version) = row.try_get::<Option<i64>, _>(1)? else {
            break;
        };
        let event = RawEvent {
            metadata: optional_bytes(&row, 6)?,
            created_at: Some(row.try_get::<DateTime<Utc>, _>(7)?),
            ..folding_columns(&row, 2, read.stream_id, stream_version)?
        };
        if sink(event)?.is_break() {
            break;
        }
    }
    Ok(head)
}

pub(super) async fn fold_stream(
    conn: &mut PgConnection,
    tail: &TailRead,
    limit: i64,
    sink: &mut Sink<'_>,
) -> Result<Option<i64>> {
    let mut rows = sqlx::query(include_str!("queries/fold_stream.sql"))
        .bind(&tail.stream_id)
        .bind(tail.after_version)
        .bind(limit)
        .fetch(conn);
    let mut head = None;
    while let Some(row) = rows.try_next().await? {
        let Some(stream_version) = row.try_get::<Option<i64>, _>(1)? else {
            head = Some(row.try_get::<i64, _>(0)?);
            continue;
        };
        let event = folding_columns(&row, 2, &tail.stream_id, stream_version)?;
        if sink(event)?.is_break() {
            break;
        }
    }
    Ok(head)
}

pub(super) async fn fold_streams(
    conn: &mut PgConnection,
    tails: &[TailRead],
    limit: i64,
    sink: &mut (dyn FnMut(usize, RawEvent<'_>) -> Result<()> + Send),
) -> Result<Vec<Option<i64>>> {
    let streams: Vec<&str> = tails.iter().map(|tail| tail.stream_id.as_str()).collect();
    let after: Vec<i64> = tails.iter().map(|tail| tail.after_version).collect();
    let mut rows = sqlx::query(include_str!("queries/fold_streams.sql"))
        .bind(streams)
        .bind(after)
        .bind(limit)
        .fetch(conn);
    let mut heads = vec![None; tails.len()];
    while let Some(row) = rows.try_next().await? {
        let ordinal = usize::try_from(row.try_get::<i64, _>(0)?).unwrap_or(0);
        let Some(index) = ordinal.checked_sub(1).filter(|index| *index < tails.len()) else {
            continue;
        };
        heads[index] = Some(row.try_get::<i64, _>(1)?);
        if let Some(stream_version) = row.try_get::<Option<i64>, _>(2)? {
            let stream_id = &tails[index].stream_id;
            sink(index, folding_columns(&row, 3, stream_id, stream_version)?)?;
        }
    }
    Ok(heads)
}

pub(super) async fn first_orphan(
    conn: &mut PgConnection,
    events: &[(&str, i64)],
) -> Result<Option<(usize, i64)>> {
    let (streams, versions): (Vec<&str>, Vec<i64>) = events.iter().copied().unzip();
    let found: Option<(i64, i64)> = sqlx::query_as(include_str!("queries/first_orphan.sql"))
        .bind(streams)
        .bind(versions)
        .fetch_optional(conn)
        .await?;
    Ok(found.and_then(|(ordinal, last)| Some((usize::try_from(ordinal - 1).ok()?, last))))
}

pub(super) async fn safe_head(conn: &mut PgConnection) -> Result<SafeHead> {
    let row = sqlx::query(include_str!("queries/safe_head.sql"))
        .fetch_one(conn)
        .await?;
    let held_by = row.try_get::<Option<i32>, _>(2)?.map(|process_id| {
        let age = row.try_get::<Option<i64>, _>(3).ok().flatten().unwrap_or(0);
        HeldBy {
            process_id,
            age: Duration::from_millis(age.unsigned_abs()),
            query: row
                .try_get::<Option<String>, _>(4)
                .ok()
                .flatten()
                .unwrap_or_default(),
        }
    });
    Ok(SafeHead {
        position: row.try_get(0)?,
        allocated: row.try_get(1)?,
        held_by,
    })
}

pub(super) async fn read_log(
    conn: &mut PgConnection,
    read: LogRead<'_>,
    sink: &mut Sink<'_>,
) -> Result<()> {
    let query = match read.categories {
        [] => sqlx::query(include_str!("queries/read_log.sql")),
        [_] => sqlx::query(include_str!("queries/read_category.sql")),
        _ => sqlx::query(include_str!("queries/read_categories.sql")),
    };
    let query = query.bind(read.after).bind(read.up_to).bind(read.limit);
    let query = match read.categories {
        [] => query,
        [category] => query.bind(category),
        categories => query.bind(categories),
    };
    let mut rows = query.fetch(conn);
    while let Some(row) = rows.try_next().await? {
        let event = RawEvent {
            global_position: row.try_get(0)?,
            stream_id: row.try_get(1)?,
            stream_version: row.try_get(2)?,
            event_type: row.try_get(3)?,
            schema_version: schema_version(&row, 4)?,
            data: bytes(&row, 5)?,
            metadata: optional_bytes(&row, 6)?,
            created_at: Some(row.try_get::<DateTime<Utc>, _>(7)?),
        };
        if let ControlFlow::Break(()) = sink(event)? {
            break;
        }
    }
    Ok(())
}

/// Position, name, schema version and payload, which stand side by side from column `first` on.
fn folding_columns<'a>(
    row: &'a PgRow,
    first: usize,
    stream_id: &'a str,
    stream_version: i64,
) -> Result<RawEvent<'a>> {
    Ok(RawEvent {
        global_position: row.try_get(first)?,
        stream_id,
        stream_version,
        event_type: row.try_get(first + 1)?,
        schema_version: schema_version(row, first + 2)?,
        data: bytes(row, first + 3)?,
        metadata: None,
        created_at: None,
    })
}

fn schema_version(row: &PgRow, column: usize) -> Result<u32> {
    // Written from a u32 that fits; anything else can't be read by any decoder.
    Ok(u32::try_from(row.try_get::<i32, _>(column)?).unwrap_or(u32::MAX))
}

fn bytes(row: &PgRow, column: usize) -> Result<&[u8]> {
    optional_bytes(row, column).map(Option::unwrap_or_default)
}

/// The bytes of a `json` column: its binary form is the text itself.
fn optional_bytes(row: &PgRow, column: usize) -> Result<Option<&[u8]>> {
    let value = row.try_get_raw(column)?;
    if sqlx::ValueRef::is_null(&value) {
        return Ok(None);
    }
    value
        .as_bytes()
        .map(Some)
        .map_err(|error| EventStoreError::Database(sqlx::Error::Decode(error)))
}
