//! Leases, checkpoints, parked events and wake-ups on PostgreSQL.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::postgres::{PgListener, PgRow};
use sqlx::{AssertSqlSafe, PgConnection, Postgres, Row};
use uuid::Uuid;

use crate::backend::coordination::{
    Advance, Coordination, Heard, HeldLease, Listener, NewParked, ParkedState, ParkedStream,
    RawLease, RawParked, Renewal, Side, Topic, Worker,
};
use crate::backend::{Db, Result, WriteTx};
use crate::error::EventStoreError;

const EVENTS_CHANNEL: &str = "mire_events";
const SUBSCRIPTIONS_CHANNEL: &str = "mire_subscriptions";

/// How long a side connection may take to come up before its caller hears of it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// For how long a side connection that is not in use stays open.
const SIDE_IDLE: Duration = Duration::from_secs(60);

impl Coordination for Postgres {
    /// One for a handler's transaction, and one to read the next page meanwhile.
    const MIN_POOL_CONNECTIONS: u32 = 2;

    const TELLS: bool = true;

    const ONE_WRITER: bool = false;

    type Listener = PgWakeListener;

    fn side(db: &Db<Self>, side: Side) -> Db<Self> {
        let theirs = db.pool.connect_options();
        let name = match theirs.get_application_name() {
            Some(name) => format!("{name} ({})", side.name()),
            None => side.name().to_owned(),
        };
        // Acquiring may have to wait for a lock, and must not hold up another acquisition.
        let connections = if side == Side::Lease { 4 } else { 1 };
        // The user's hooks stay: one of them may set the search path.
        let options = db.pool.options().clone();
        let pool = options
            .max_connections(connections)
            .min_connections(0)
            .max_lifetime(None)
            .idle_timeout(SIDE_IDLE)
            .acquire_timeout(CONNECT_TIMEOUT)
            .test_before_acquire(false)
            .connect_lazy_with(theirs.as_ref().clone().application_name(&name));
        db.through(pool)
    }

    async fn is_migrated(conn: &mut PgConnection) -> Result<bool> {
        Ok(sqlx::query_scalar(include_str!("queries/is_migrated.sql"))
            .fetch_one(conn)
            .await?)
    }

    async fn take_lease(
        conn: &mut PgConnection,
        subscription_id: &str,
        worker: &Worker,
    ) -> Result<Option<i64>> {
        Ok(sqlx::query_scalar(include_str!("queries/take_lease.sql"))
            .bind(subscription_id)
            .bind(&worker.worker_id)
            .bind(worker.instance)
            .bind(worker.ttl.as_secs_f64())
            .fetch_optional(conn)
            .await?)
    }

    async fn begin_leading(
        db: &Db<Self>,
        subscription_id: &str,
        lock: Option<Duration>,
    ) -> Result<WriteTx<Self>> {
        // All in one round trip, which takes no parameters; hex needs no quoting.
        let id: String = subscription_id
            .bytes()
            .map(|b| format!("{b:02x}"))
            .collect();
        let mut statement = include_str!("queries/begin_leading.sql").replace("$1", &id);
        if let Some(lock) = lock {
            statement.push_str(&super::limit("lock_timeout", lock));
        }
        let tx = db.pool.begin_with(AssertSqlSafe(statement)).await?;
        Ok(WriteTx { tx, turn: () })
    }

    async fn end_leading(conn: &mut PgConnection, subscription_id: &str) -> Result<u64> {
        let ended: i64 = sqlx::query_scalar(include_str!("queries/end_leading.sql"))
            .bind(subscription_id)
            .fetch_one(conn)
            .await?;
        Ok(ended.unsigned_abs())
    }

    async fn stamp_checkpoint(
        conn: &mut PgConnection,
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
        conn: &mut PgConnection,
        instance: Uuid,
        ttl: Duration,
        leases: &[HeldLease],
    ) -> Result<Vec<Renewal>> {
        let (ids, tokens): (Vec<&str>, Vec<i64>) = leases
            .iter()
            .map(|lease| (lease.subscription_id.as_str(), lease.fence_token))
            .unzip();
        let rows: Vec<(bool, bool)> = sqlx::query_as(include_str!("queries/renew_leases.sql"))
            .bind(instance)
            .bind(ttl.as_secs_f64())
            .bind(ids)
            .bind(tokens)
            .fetch_all(conn)
            .await?;
        Ok(rows
            .into_iter()
            .map(|(renewed, lost)| match (renewed, lost) {
                (true, _) => Renewal::Renewed,
                (false, true) => Renewal::Lost,
                (false, false) => Renewal::NotNow,
            })
            .collect())
    }

    async fn release_lease(
        conn: &mut PgConnection,
        instance: Uuid,
        lease: &HeldLease,
    ) -> Result<bool> {
        let done = sqlx::query(include_str!("queries/release_lease.sql"))
            .bind(&lease.subscription_id)
            .bind(instance)
            .bind(lease.fence_token)
            .execute(conn)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    async fn revoke_lease(conn: &mut PgConnection, subscription_id: &str) -> Result<Option<i64>> {
        Ok(sqlx::query_scalar(include_str!("queries/revoke_lease.sql"))
            .bind(subscription_id)
            .fetch_optional(conn)
            .await?)
    }

    async fn lease(conn: &mut PgConnection, subscription_id: &str) -> Result<Option<RawLease>> {
        let row = sqlx::query(include_str!("queries/lease.sql"))
            .bind(subscription_id)
            .fetch_optional(conn)
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(RawLease {
            worker_id: row.try_get(0)?,
            fence_token: row.try_get(1)?,
            leased_until: row.try_get(2)?,
            heartbeat_at: row.try_get(3)?,
            remaining: Duration::try_from_secs_f64(row.try_get(4)?).unwrap_or(Duration::MAX),
        }))
    }

    async fn advance_checkpoint(conn: &mut PgConnection, advance: Advance<'_>) -> Result<bool> {
        let done = sqlx::query(include_str!("queries/advance_checkpoint.sql"))
            .bind(advance.subscription_id)
            .bind(advance.fence_token)
            .bind(advance.from)
            .bind(advance.to)
            .execute(conn)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    async fn checkpoint(conn: &mut PgConnection, subscription_id: &str) -> Result<Option<i64>> {
        Ok(sqlx::query_scalar(include_str!("queries/checkpoint.sql"))
            .bind(subscription_id)
            .fetch_optional(conn)
            .await?)
    }

    async fn checkpoints(conn: &mut PgConnection) -> Result<Vec<(String, i64)>> {
        Ok(sqlx::query_as(include_str!("queries/checkpoints.sql"))
            .fetch_all(conn)
            .await?)
    }

    async fn lock_checkpoint(
        conn: &mut PgConnection,
        subscription_id: &str,
    ) -> Result<Option<i64>> {
        Ok(
            sqlx::query_scalar(include_str!("queries/lock_checkpoint.sql"))
                .bind(subscription_id)
                .fetch_optional(conn)
                .await?,
        )
    }

    async fn reset_checkpoint(
        conn: &mut PgConnection,
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
        conn: &mut PgConnection,
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
            .bind(parked_at)
            .execute(conn)
            .await?;
        Ok(())
    }

    async fn park_behind(
        conn: &mut PgConnection,
        subscription_id: &str,
        events: &[NewParked],
    ) -> Result<u64> {
        let positions: Vec<i64> = events.iter().map(|event| event.global_position).collect();
        let streams: Vec<&str> = events.iter().map(|event| &*event.stream_id).collect();
        let versions: Vec<i64> = events.iter().map(|event| event.stream_version).collect();
        let names: Vec<&str> = events.iter().map(|event| &*event.event_type).collect();
        let done = sqlx::query(include_str!("queries/park_behind.sql"))
            .bind(subscription_id)
            .bind(positions)
            .bind(streams)
            .bind(versions)
            .bind(names)
            .execute(conn)
            .await?;
        Ok(done.rows_affected())
    }

    async fn parked_streams(
        conn: &mut PgConnection,
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
        conn: &mut PgConnection,
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
        conn: &mut PgConnection,
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
        conn: &mut PgConnection,
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
        conn: &mut PgConnection,
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

    async fn tell(conn: &mut PgConnection, topic: Topic, text: &str) -> Result<()> {
        let statement = match topic {
            Topic::Events => include_str!("queries/tell_events.sql"),
            Topic::Subscription => include_str!("queries/tell_subscription.sql"),
        };
        sqlx::query(statement).bind(text).execute(conn).await?;
        Ok(())
    }

    async fn listen(db: &Db<Self>) -> Result<Option<PgWakeListener>> {
        let side = Self::side(db, Side::Listener);
        let mut listener = PgListener::connect_with(&side.pool).await?;
        listener
            .listen_all([EVENTS_CHANNEL, SUBSCRIPTIONS_CHANNEL])
            .await?;
        Ok(Some(PgWakeListener(listener)))
    }
}

fn parked(row: &PgRow) -> Result<RawParked> {
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
        parked_at: row.try_get(7)?,
    })
}

/// A connection that listens.
#[derive(Debug)]
pub struct PgWakeListener(PgListener);

impl Listener for PgWakeListener {
    async fn next(&mut self) -> Result<Heard> {
        let Some(notification) = self.0.try_recv().await? else {
            return Ok(Heard::Gap);
        };
        let topic = if notification.channel() == EVENTS_CHANNEL {
            Topic::Events
        } else {
            Topic::Subscription
        };
        Ok(Heard::Told(topic, notification.payload().to_owned()))
    }
}
