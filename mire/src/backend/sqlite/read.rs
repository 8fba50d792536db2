//! Reading the log: rows go to a sink one by one, as the driver's own bytes.

use std::ops::ControlFlow;

use futures_util::TryStreamExt;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::append::time;

use crate::backend::{LogRead, RawEvent, Result, SafeHead, Sink, StreamRead, TailRead};
use crate::stream::ReadDirection;

pub(super) async fn stream_version(
    conn: &mut SqliteConnection,
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
    conn: &mut SqliteConnection,
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
        .bind(read.limit)
        .fetch(conn);
    let mut head = None;
    while let Some(row) = rows.try_next().await? {
        head = Some(row.try_get::<i64, _>(0)?);
        let Some(stream_version) = row.try_get::<Option<i64>, _>(1)? else {
            break;
        };
        let event = RawEvent {
            metadata: optional_bytes(&row, 6)?,
            created_at: Some(time(row.try_get(7)?)?),
            ..folding_columns(&row, 2, read.stream_id, stream_version)?
        };
        if sink(event)?.is_break() {
            break;
        }
    }
    Ok(head)
}

pub(super) async fn fold_stream(
    conn: &mut SqliteConnection,
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
        head = Some(row.try_get::<i64, _>(0)?);
        let Some(stream_version) = row.try_get::<Option<i64>, _>(1)? else {
            break;
        };
        let event = folding_columns(&row, 2, &tail.stream_id, stream_version)?;
        if sink(event)?.is_break() {
            break;
        }
    }
    Ok(head)
}

pub(super) async fn fold_streams(
    conn: &mut SqliteConnection,
    tails: &[TailRead],
    limit: i64,
    sink: &mut (dyn FnMut(usize, RawEvent<'_>) -> Result<()> + Send),
) -> Result<Vec<Option<i64>>> {
    let streams: Vec<Value> = tails
        .iter()
        .map(|tail| json!([tail.stream_id, tail.after_version]))
        .collect();
    let mut rows = sqlx::query(include_str!("queries/fold_streams.sql"))
        .bind(Value::from(streams).to_string())
        .bind(limit)
        .fetch(conn);
    let mut heads = vec![None; tails.len()];
    while let Some(row) = rows.try_next().await? {
        let index = usize::try_from(row.try_get::<i64, _>(0)?).unwrap_or(usize::MAX);
        if index >= tails.len() {
            continue;
        }
        heads[index] = Some(row.try_get::<i64, _>(1)?);
        if let Some(stream_version) = row.try_get::<Option<i64>, _>(2)? {
            let stream_id = &tails[index].stream_id;
            sink(index, folding_columns(&row, 3, stream_id, stream_version)?)?;
        }
    }
    Ok(heads)
}

pub(super) async fn first_orphan(
    conn: &mut SqliteConnection,
    events: &[(&str, i64)],
) -> Result<Option<(usize, i64)>> {
    let found: Option<(i64, i64)> = sqlx::query_as(include_str!("queries/first_orphan.sql"))
        .bind(json!(events).to_string())
        .fetch_optional(conn)
        .await?;
    Ok(found.and_then(|(ordinal, last)| Some((usize::try_from(ordinal - 1).ok()?, last))))
}

pub(super) async fn safe_head(conn: &mut SqliteConnection) -> Result<SafeHead> {
    let position = sqlx::query_scalar(include_str!("queries/safe_head.sql"))
        .fetch_one(conn)
        .await?;
    Ok(SafeHead {
        position,
        allocated: position,
        held_by: None,
    })
}

pub(super) async fn read_log(
    conn: &mut SqliteConnection,
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
        categories => query.bind(json!(categories).to_string()),
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
            created_at: Some(time(row.try_get(7)?)?),
        };
        if let ControlFlow::Break(()) = sink(event)? {
            break;
        }
    }
    Ok(())
}

/// Position, name, schema version and payload, which stand side by side from column `first` on.
fn folding_columns<'a>(
    row: &'a SqliteRow,
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

fn schema_version(row: &SqliteRow, column: usize) -> Result<u32> {
    // Written from a u32 that fits; anything else can't be read by any decoder.
    Ok(u32::try_from(row.try_get::<i32, _>(column)?).unwrap_or(u32::MAX))
}

fn bytes(row: &SqliteRow, column: usize) -> Result<&[u8]> {
    Ok(row.try_get::<&str, _>(column)?.as_bytes())
}

fn optional_bytes(row: &SqliteRow, column: usize) -> Result<Option<&[u8]>> {
    Ok(row.try_get::<Option<&str>, _>(column)?.map(str::as_bytes))
}
