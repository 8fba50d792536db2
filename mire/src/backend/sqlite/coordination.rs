//! Leases, checkpoints, parked events and wake-ups on SQLite. Whoever writes here has the write lock, so
//! nothing needs a lock of its own.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, Sqlite, SqliteConnection};
use uuid::Uuid;

use super::append::time;
use crate::backend::coordination::{
    Advance, Coordination, Heard, HeldLease, Listener, NewParked, ParkedState, ParkedStream,
    RawLease, RawParked, Renewal, Side, Topic, Worker,
};
use crate::backend::{Db, EventLog, Result, TxLimits, WriteTx};
use crate::error::EventStoreError;

impl Coordination for Sqlite {
    /// One for a handler's transaction, and one to read the next page meanwhile.
    const MIN_POOL_CONNECTIONS: u32 = 2;

    const TELLS: bool = false;

    const ONE_WRITER: bool = true;

    type Listener = Silence;

    fn side(db: &Db<Self>, _side: Side) -> Db<Self> {
        // There is no network to lose, and the turn to write is what everybody waits for.
        db.clone()
    }

    async fn is_migrated(conn: &mut SqliteConnection) -> Result<bool> {
        Ok(sqlx::query_scalar(include_str!("queries/is_migrated.sql"))
            .fetch_one(conn)
            .await?)
    }

    async fn take_lease(
        conn: &mut SqliteConnection,
        subscription_id: &str,
        worker: &Worker,
    ) -> Result<Option<i64>> {
        Ok(sqlx::query_scalar(include_str!("queries/take_lease.sql"))
            .bind(subscription_id)
            .bind(&worker.worker_id)
            .bind(worker.instance.to_string())
            .bind(micros(worker.ttl))
            .fetch_optional(conn)
            .await?)
    }

    async fn begin_leading(
        db: &Db<Self>,
        _subscription_id: &str,
        _lock: Option<Duration>,
    ) -> Result<WriteTx<Self>> {
        Self::begin(db, TxLimits::default()).await
    }

    async fn end_leading(_conn: &mut SqliteConnection, _subscription_id: &str) -> Result<u64> {
        // Whoever asks has the right to write, so nobody else has a transaction open.
        Ok(0)
    }

    async fn stamp_checkpoint(
        conn: &mut SqliteConnection,
        subscription_id: &str,
        fence_token: i64,
    ) -> Result<i64> {
        Ok(
            sqlx::query_scalar(include_str!("queries/stamp_checkpoint.sql"))
                .bind(subscription_id)
                .bind(fence_token)
                .fetch_one(conn)
                .await?,
        )
    }

    async fn renew_leases(
        conn: &mut SqliteConnection,
        instance: Uuid,
        ttl: Duration,
        leases: &[HeldLease],
    ) -> Result<Vec<Renewal>> {
        let instance = instance.to_string();
        let held: Vec<Value> = leases
            .iter()
            .map(|lease| json!([lease.subscription_id, lease.fence_token]))
            .collect();
        let held = Value::from(held).to_string();
        let renewed: Vec<String> = sqlx::query_scalar(include_str!("queries/renew_leases.sql"))
            .bind(&instance)
            .bind(micros(ttl))
            .bind(&held)
            .fetch_all(&mut *conn)
            .await?;
        let lost: Vec<String> = sqlx::query_scalar(include_str!("queries/lost_leases.sql"))
            .bind(&instance)
            .bind(&held)
            .fetch_all(conn)
            .await?;
        Ok(leases
            .iter()
            .map(|lease| {
                if renewed.contains(&lease.subscription_id) {
                    Renewal::Renewed
                } else if lost.contains(&lease.subscription_id) {
                    Renewal::Lost
                } else {
                    Renewal::NotNow
                }
            })
            .collect())
    }

    async fn release_lease(
        conn: &mut SqliteConnection,
        instance: Uuid,
        lease: &HeldLease,
    ) -> Result<bool> {
        let done = sqlx::query(include_str!("queries/release_lease.sql"))
            .bind(&lease.subscription_id)
            .bind(instance.to_string())
            .bind(lease.fence_token)
            .execute(conn)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    async fn revoke_lease(
        conn: &mut SqliteConnection,
        subscription_id: &str,
    ) -> Result<Option<i64>> {
        Ok(sqlx::query_scalar(include_str!("queries/revoke_lease.sql"))
            .bind(subscription_id)
            .fetch_optional(conn)
            .await?)
    }

    async fn lease(conn: &mut SqliteConnection, subscription_id: &str) -> Result<Option<RawLease>> {
        let row = sqlx::query(include_str!("queries/lease.sql"))
            .bind(subscription_id)
            .fetch_optional(conn)
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(RawLease {
            worker_id: row.try_get(0)?,
            fence_token: row.try_get(1)?,
            leased_until: time(row.try_get(2)?)?,
            heartbeat_at: time(row.try_get(3)?)?,
            remaining: Duration::from_micros(row.try_get::<i64, _>(4)?.max(0).unsigned_abs()),
        }))
    }

    async fn advance_checkpoint(conn: &mut SqliteConnection, advance: Advance<'_>) -> Result<bool> {
        let done = sqlx::query(include_str!("queries/advance_checkpoint.sql"))
            .bind(advance.subscription_id)
            .bind(advance.fence_token)
            .bind(advance.from)
            .bind(advance.to)
            .execute(conn)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    async fn checkpoint(conn: &mut SqliteConnection, subscription_id: &str) -> Result<Option<i64>> {
        Ok(sqlx::query_scalar(include_str!("queries/checkpoint.sql"))
            .bind(subscription_id)
            .fetch_optional(conn)
            .await?)
    }

    async fn checkpoints(conn: &mut SqliteConnection) -> Result<Vec<(String, i64)>> {
        Ok(sqlx::query_as(include_str!("queries/checkpoints.sql"))
            .fetch_all(conn)
            .await?)
    }

    async fn lock_checkpoint(
        conn: &mut SqliteConnection,
        subscription_id: &str,
    ) -> Result<Option<i64>> {
        // The transaction has locked everything already.
        Self::checkpoint(conn, subscription_id).await
    }

    async fn reset_checkpoint(
        conn: &mut SqliteConnection,
        subscription_id: &str,
        position: i64,
        fence_token: i64,
    ) -> Result<()> {
        sqlx::query(include_str!("queries/reset_checkpoint.sql"))
            .bind(subscription_id)
            .bind(position)
            .bind(fence_token)
            .execute(conn)
            .await?;
        Ok(())
    }

    async fn put_aside(
        conn: &mut SqliteConnection,
        subscription_id: &str,
        event: &NewParked,
        state: ParkedState,
        parked_at: Option<DateTime<Utc>>,
    ) -> Result<()> {
        sqlx::query(include_str!("queries/put_aside.sql"))
            .bind(subscription_id)
            .bind(event.global_position)
            .bind(&event.stream_id)
            .bind(event.stream_version)
            .bind(&event.event_type)
            .bind(state.as_str())
            .bind(event.attempts)
            .bind(&event.error)
            .bind(parked_at.map(|at| at.timestamp_micros()))
            .execute(conn)
            .await?;
        Ok(())
    }

    async fn park_behind(
        conn: &mut SqliteConnection,
        subscription_id: &str,
        events: &[NewParked],
    ) -> Result<u64> {
        let events: Vec<Value> = events
            .iter()
            .map(|event| {
                json!([
                    event.global_position,
                    event.stream_id,
                    event.stream_version,
                    event.event_type,
                ])
            })
            .collect();
        let done = sqlx::query(include_str!("queries/park_behind.sql"))
            .bind(subscription_id)
            .bind(Value::from(events).to_string())
            .execute(conn)
            .await?;
        Ok(done.rows_affected())
    }

    async fn parked_streams(
        conn: &mut SqliteConnection,
        subscription_id: &str,
    ) -> Result<Vec<ParkedStream>> {
        let rows: Vec<(String, bool)> = sqlx::query_as(include_str!("queries/parked_streams.sql"))
            .bind(subscription_id)
            .fetch_all(conn)
            .await?;
        Ok(rows
            .into_iter()
            .map(|(stream_id, retry)| ParkedStream { stream_id, retry })
            .collect())
    }

    async fn parked_events(
        conn: &mut SqliteConnection,
        subscription_id: &str,
        stream_id: Option<&str>,
        after: i64,
        limit: i64,
    ) -> Result<Vec<RawParked>> {
        let statement = match stream_id {
            Some(_) => include_str!("queries/parked_events_of_stream.sql"),
            None => include_str!("queries/parked_events.sql"),
        };
        let mut query = sqlx::query(statement)
            .bind(subscription_id)
            .bind(after)
            .bind(limit);
        if let Some(stream_id) = stream_id {
            query = query.bind(stream_id);
        }
        let rows = query.fetch_all(conn).await?;
        rows.iter().map(parked).collect()
    }

    async fn mark_parked(
        conn: &mut SqliteConnection,
        subscription_id: &str,
        stream_id: &str,
        state: ParkedState,
    ) -> Result<u64> {
        let done = sqlx::query(include_str!("queries/mark_parked.sql"))
            .bind(subscription_id)
            .bind(stream_id)
            .bind(state.as_str())
            .execute(conn)
            .await?;
        Ok(done.rows_affected())
    }

    async fn forget_parked(
        conn: &mut SqliteConnection,
        subscription_id: &str,
        global_position: i64,
    ) -> Result<bool> {
        let done = sqlx::query(include_str!("queries/forget_parked.sql"))
            .bind(subscription_id)
            .bind(global_position)
            .execute(conn)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    async fn forget_parked_after(
        conn: &mut SqliteConnection,
        subscription_id: &str,
        position: i64,
    ) -> Result<u64> {
        let done = sqlx::query(include_str!("queries/forget_parked_after.sql"))
            .bind(subscription_id)
            .bind(position)
            .execute(conn)
            .await?;
        Ok(done.rows_affected())
    }

    async fn tell(_conn: &mut SqliteConnection, _topic: Topic, _text: &str) -> Result<()> {
        Ok(())
    }

    async fn listen(_db: &Db<Self>) -> Result<Option<Silence>> {
        Ok(None)
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4)
}

fn parked(row: &SqliteRow) -> Result<RawParked> {
    let state: String = row.try_get(4)?;
    let state = ParkedState::parse(&state).ok_or_else(|| EventStoreError::Unsupported {
        what: format!(
            "a row of mire_parked has the state `{state}`, which this version of mire doesn't \
             know; run the version that wrote it"
        ),
    })?;
    Ok(RawParked {
        event: NewParked {
            global_position: row.try_get(0)?,
            stream_id: row.try_get(1)?,
            stream_version: row.try_get(2)?,
            event_type: row.try_get(3)?,
            attempts: row.try_get(5)?,
            error: row.try_get(6)?,
        },
        state,
        parked_at: time(row.try_get(7)?)?,
    })
}

/// No process tells another one anything.
#[derive(Debug)]
pub enum Silence {}

impl Listener for Silence {
    async fn next(&mut self) -> Result<Heard> {
        match *self {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{EventLog, TxLimits};

    async fn db() -> Db<Sqlite> {
        let db = Sqlite::connect("sqlite::memory:").await.unwrap();
        Sqlite::migrate(&db, Duration::from_secs(5)).await.unwrap();
        db
    }

    fn worker(ttl: u64) -> Worker {
        Worker {
            worker_id: "w".to_owned(),
            instance: Uuid::new_v4(),
            ttl: Duration::from_millis(ttl),
        }
    }

    fn held(fence_token: i64) -> HeldLease {
        HeldLease {
            subscription_id: "s".to_owned(),
            fence_token,
        }
    }

    #[tokio::test]
    async fn a_lease_is_taken_once_and_its_token_grows() {
        let db = db().await;
        let mut tx = Sqlite::begin(&db, TxLimits::default()).await.unwrap();
        let conn = &mut *tx.tx;
        assert!(Sqlite::is_migrated(conn).await.unwrap());
        let (one, two) = (worker(100), worker(60_000));
        let (first, second) = ([held(1)], [held(2)]);
        assert_eq!(Sqlite::take_lease(conn, "s", &one).await.unwrap(), Some(1));
        assert_eq!(Sqlite::take_lease(conn, "s", &two).await.unwrap(), None);
        tokio::time::sleep(Duration::from_millis(120)).await;
        // It has expired, and nobody has taken it.
        let late = Sqlite::renew_leases(conn, one.instance, one.ttl, &first);
        assert_eq!(late.await.unwrap(), [Renewal::Renewed]);
        assert_eq!(Sqlite::take_lease(conn, "s", &two).await.unwrap(), None);
        tokio::time::sleep(Duration::from_millis(120)).await;
        assert_eq!(Sqlite::take_lease(conn, "s", &two).await.unwrap(), Some(2));
        let lost = Sqlite::renew_leases(conn, one.instance, one.ttl, &first);
        assert_eq!(lost.await.unwrap(), [Renewal::Lost]);
        let mine = Sqlite::renew_leases(conn, two.instance, two.ttl, &second);
        assert_eq!(mine.await.unwrap(), [Renewal::Renewed]);
        let seen = Sqlite::lease(conn, "s").await.unwrap().unwrap();
        assert_eq!(seen.fence_token, 2);
        assert!(seen.remaining > Duration::from_secs(50), "{seen:?}");
        assert!(
            !Sqlite::release_lease(conn, one.instance, &held(1))
                .await
                .unwrap()
        );
        assert!(
            Sqlite::release_lease(conn, two.instance, &held(2))
                .await
                .unwrap()
        );
        assert_eq!(Sqlite::take_lease(conn, "s", &one).await.unwrap(), Some(3));
    }

    #[tokio::test]
    async fn a_checkpoint_moves_for_its_token_only() {
        let db = db().await;
        let mut tx = Sqlite::begin(&db, TxLimits::default()).await.unwrap();
        let conn = &mut *tx.tx;
        assert_eq!(Sqlite::stamp_checkpoint(conn, "s", 1).await.unwrap(), 0);
        let advance = |fence_token, from, to| Advance {
            subscription_id: "s",
            fence_token,
            from,
            to,
        };
        assert!(
            Sqlite::advance_checkpoint(conn, advance(1, 0, 7))
                .await
                .unwrap()
        );
        assert_eq!(Sqlite::stamp_checkpoint(conn, "s", 2).await.unwrap(), 7);
        for refused in [advance(1, 7, 8), advance(2, 0, 8), advance(2, 7, 6)] {
            assert!(!Sqlite::advance_checkpoint(conn, refused).await.unwrap());
        }
        Sqlite::reset_checkpoint(conn, "s", 3, 5).await.unwrap();
        assert_eq!(Sqlite::checkpoint(conn, "s").await.unwrap(), Some(3));
    }

    #[tokio::test]
    async fn events_are_parked_behind_a_parked_one_only() {
        let db = db().await;
        let mut tx = Sqlite::begin(&db, TxLimits::default()).await.unwrap();
        let conn = &mut *tx.tx;
        let event = |global_position, stream: &str| NewParked {
            global_position,
            stream_id: stream.to_owned(),
            stream_version: global_position,
            event_type: "t".to_owned(),
            attempts: 3,
            error: Some("no".to_owned()),
        };
        Sqlite::put_aside(conn, "s", &event(1, "a-1"), ParkedState::Parked, None)
            .await
            .unwrap();
        let behind = [event(2, "a-1"), event(3, "a-2")];
        assert_eq!(Sqlite::park_behind(conn, "s", &behind).await.unwrap(), 1);
        Sqlite::mark_parked(conn, "s", "a-1", ParkedState::Retry)
            .await
            .unwrap();
        let streams = Sqlite::parked_streams(conn, "s").await.unwrap();
        assert_eq!(
            streams,
            [ParkedStream {
                stream_id: "a-1".to_owned(),
                retry: true
            }]
        );
        let parked = Sqlite::parked_events(conn, "s", Some("a-1"), 0, 10)
            .await
            .unwrap();
        let seen: Vec<_> = parked
            .iter()
            .map(|p| (p.event.global_position, p.event.attempts))
            .collect();
        assert_eq!(seen, [(1, 3), (2, 0)]);
        assert!(Sqlite::forget_parked(conn, "s", 1).await.unwrap());
        assert_eq!(Sqlite::forget_parked_after(conn, "s", 1).await.unwrap(), 1);
    }
}
