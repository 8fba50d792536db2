//! Writing to the log: one statement for any number of streams and events.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Postgres, Row};

use crate::backend::{AppendMode, AppendOutcome, Db, NewAppend, Result};
use crate::error::EventStoreError;
use crate::stream::{ExpectedVersion, StreamName};

/// How long a batch waits for a stream that somebody is just creating, or for a table that somebody
/// has locked, before it is refused. Two batches of two processes can meet at a new stream, so it
/// should outlast a commit.
const MOMENT: Duration = Duration::from_millis(100);

/// Appends in a transaction of its own.
pub(super) async fn append_alone(
    db: &Db<Postgres>,
    appends: &[NewAppend],
    mode: AppendMode,
) -> Result<Vec<AppendOutcome>> {
    let wait = match mode {
        AppendMode::EachOrBusy => MOMENT.min(db.lock_timeout),
        AppendMode::EachWaiting | AppendMode::Atomic => db.lock_timeout,
    };
    let mut conn = db.take().await?;
    let outcomes = append(&mut conn, appends, mode, Some(wait)).await?;
    db.keep(conn);
    Ok(outcomes)
}

/// Appends within whatever transaction the connection is in; without one, the statement is its own.
/// Waits for a lock for so long, or else for as long as the transaction says.
pub(super) async fn append(
    conn: &mut PgConnection,
    appends: &[NewAppend],
    mode: AppendMode,
    wait: Option<Duration>,
) -> Result<Vec<AppendOutcome>> {
    // The streams in the order of their names, which is that of their locks; the events as given,
    // which is the order of their positions.
    let mut sorted: Vec<usize> = (0..appends.len()).collect();
    sorted.sort_unstable_by_key(|index| appends[*index].stream.as_str());
    let mut ordinals = vec![0_i32; appends.len()];
    let mut streams = Vec::with_capacity(appends.len());
    let mut categories = Vec::with_capacity(appends.len());
    let mut expected = Vec::with_capacity(appends.len());
    let mut counts = Vec::with_capacity(appends.len());
    let mut keys = Vec::with_capacity(appends.len());
    for (ordinal, index) in (1_i32..).zip(&sorted) {
        let append = &appends[*index];
        ordinals[*index] = ordinal;
        streams.push(append.stream.as_str());
        categories.push(append.stream.category());
        expected.push(match append.expected {
            ExpectedVersion::Any => -1,
            ExpectedVersion::NoStream => 0,
            ExpectedVersion::Exact(version) => version,
        });
        counts.push(count(append)?);
        keys.push(append.idempotency_key.as_deref());
    }

    let events: usize = appends.iter().map(|append| append.events.len()).sum();
    let mut owners = Vec::with_capacity(events);
    let mut numbers = Vec::with_capacity(events);
    let mut types = Vec::with_capacity(events);
    let mut schemas = Vec::with_capacity(events);
    let mut data = Vec::with_capacity(events);
    let mut metadata = Vec::with_capacity(events);
    for (ordinal, append) in ordinals.iter().zip(appends) {
        for (number, event) in (1_i32..).zip(&append.events) {
            owners.push(*ordinal);
            numbers.push(number);
            types.push(event.event_type);
            schemas.push(event.schema_version);
            data.push(event.data.as_str());
            metadata.push(event.metadata.as_deref());
        }
    }
    let keys = keys.iter().any(Option::is_some).then_some(keys);

    let row = sqlx::query(include_str!("queries/append.sql"))
        .bind(streams)
        .bind(categories)
        .bind(expected)
        .bind(counts)
        .bind(keys)
        .bind(owners)
        .bind(numbers)
        .bind(types)
        .bind(schemas)
        .bind(data)
        .bind(metadata)
        .bind(mode != AppendMode::EachOrBusy)
        .bind(mode == AppendMode::Atomic)
        .bind(wait.map(|wait| i32::try_from(wait.as_millis().max(1)).unwrap_or(i32::MAX)))
        .fetch_one(conn)
        .await?;

    let outcomes: Vec<String> = row.try_get(0)?;
    let versions: Vec<i64> = row.try_get(1)?;
    let repeated: Option<Vec<Option<i64>>> = row.try_get(2)?;
    let positions: Option<Vec<Option<i64>>> = row.try_get(3)?;
    let created_at: DateTime<Utc> = row.try_get(4)?;

    let mut positions = positions.unwrap_or_default().into_iter();
    let answers = ordinals.iter().zip(appends).map(|(ordinal, append)| {
        let at = ordinal.unsigned_abs() as usize - 1;
        let version = versions.get(at).copied().unwrap_or(0);
        let positions: Vec<i64> = positions
            .by_ref()
            .take(append.events.len())
            .flatten()
            .collect();
        match outcomes.get(at).map_or("", String::as_str) {
            "written" => AppendOutcome::Written {
                version: version + append.events.len() as i64,
                positions,
                created_at,
            },
            "repeated" => AppendOutcome::Repeated {
                version,
                position: repeated
                    .as_ref()
                    .and_then(|repeated| repeated.get(at).copied().flatten())
                    .unwrap_or(0),
            },
            "conflict" => AppendOutcome::Conflict { actual: version },
            "busy" => AppendOutcome::Busy,
            _ => AppendOutcome::Abandoned,
        }
    });
    Ok(answers.collect())
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
