//! Events that were put aside: what an operator can do, and how the leader takes them up again.
//!
//! Whoever changes what is parked holds the checkpoint's row meanwhile, as the leader does when it
//! parks an event behind another. So no event can be parked behind one that is just let go.

use std::ops::ControlFlow;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::backend::coordination::Topic;
use crate::backend::{Backend, Result, StreamRead, TxLimits, WriteTx};
use crate::error::EventStoreError;
use crate::projection::Batch;
use crate::projection::delivery::aside;
use crate::projection::leader::{End, Leader};
use crate::store::EventStore;
use crate::stream::ReadDirection;
use crate::subscription::EventPage;
use crate::subscription::progress::resolved;

pub use crate::backend::coordination::ParkedState;

/// An event that a subscription has put aside.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParkedEvent {
    /// Its position in the log.
    pub global_position: i64,
    /// Its stream.
    pub stream_id: String,
    /// Its version in the stream.
    pub stream_version: i64,
    /// Its stored name.
    pub event_type: String,
    /// What it is there for.
    pub state: ParkedState,
    /// How often it was delivered; 0 when it only stands behind another one of its stream.
    pub attempts: i32,
    /// What the handler said last.
    pub error: Option<String>,
    /// Since when.
    pub parked_at: DateTime<Utc>,
}

const LIMITS: TxLimits = TxLimits {
    idle: Some(Duration::from_secs(30)),
    lock: Some(Duration::from_secs(30)),
};

impl<DB: Backend> EventStore<DB> {
    /// Events that a subscription has parked or skipped, in the order of the log, from behind
    /// `after` (0 for the start), at most `limit`.
    ///
    /// # Errors
    ///
    /// [`EventStoreError::Database`](EventStoreError::Database).
    ///
    /// # Cancel safety
    ///
    /// A read; dropping it has no effect.
    pub async fn parked(
        &self,
        subscription_id: &str,
        after: i64,
        limit: i64,
    ) -> Result<Vec<ParkedEvent>> {
        let mut conn = self.pool().acquire().await?;
        let subscription_id = &*resolved::<DB>(&mut conn, subscription_id).await?;
        let rows = DB::parked_events(&mut conn, subscription_id, None, after, limit).await?;
        Ok(rows
            .into_iter()
            .map(|row| ParkedEvent {
                global_position: row.event.global_position,
                stream_id: row.event.stream_id,
                stream_version: row.event.stream_version,
                event_type: row.event.event_type,
                state: row.state,
                attempts: row.event.attempts,
                error: row.event.error,
                parked_at: row.parked_at,
            })
            .collect())
    }

    /// Has the leader deliver the parked events of a stream again, in order and before any later
    /// one, and answers how many they are. One that fails again stays, with those behind it.
    ///
    /// # Errors
    ///
    /// [`EventStoreError::Database`](EventStoreError::Database).
    ///
    /// # Cancel safety
    ///
    /// Dropped early, nothing has happened; dropped while it commits, it may have.
    pub async fn retry_parked(&self, subscription_id: &str, stream_id: &str) -> Result<u64> {
        let (mut tx, id) = self.hold(subscription_id).await?;
        let state = ParkedState::Retry;
        let count = DB::mark_parked(&mut tx.tx, &id, stream_id, state).await?;
        self.let_go(&id, tx).await?;
        Ok(count)
    }

    /// Gives an event up: it is not delivered any more. Those parked behind it stay until
    /// [`retry_parked`](Self::retry_parked). For a skipped one, its record is deleted. Says whether
    /// there was such an event.
    ///
    /// # Errors
    ///
    /// [`EventStoreError::Database`](EventStoreError::Database).
    ///
    /// # Cancel safety
    ///
    /// Dropped early, nothing has happened; dropped while it commits, it may have.
    pub async fn drop_parked(&self, subscription_id: &str, global_position: i64) -> Result<bool> {
        let (mut tx, id) = self.hold(subscription_id).await?;
        let dropped = DB::forget_parked(&mut tx.tx, &id, global_position).await?;
        self.let_go(&id, tx).await?;
        Ok(dropped)
    }

    async fn hold(&self, subscription_id: &str) -> Result<(WriteTx<DB>, String)> {
        let mut tx = DB::begin(self.db(), LIMITS).await?;
        let id = resolved::<DB>(&mut tx.tx, subscription_id).await?;
        DB::lock_checkpoint(&mut tx.tx, &id).await?;
        Ok((tx, id))
    }

    async fn let_go(&self, subscription_id: &str, mut tx: WriteTx<DB>) -> Result<()> {
        DB::tell(&mut tx.tx, Topic::Subscription, subscription_id).await?;
        tx.commit().await?;
        self.wake().subscription_changed();
        Ok(())
    }
}

/// How many parked events of a stream are taken up at once.
const CHUNK: i64 = 100;

impl<DB: Backend> Leader<'_, DB> {
    /// Looks which streams are held up.
    pub(super) async fn load_parked(&mut self) -> Result<()> {
        let mut conn = self.member.store.pool().acquire().await?;
        let streams = DB::parked_streams(&mut conn, self.member.id()).await?;
        self.parked = streams
            .into_iter()
            .map(|stream| (stream.stream_id, stream.retry))
            .collect();
        Ok(())
    }

    /// Delivers what was asked for again, one event a transaction.
    pub(super) async fn retry_parked(&mut self) -> std::result::Result<(), End> {
        let asked: Vec<String> = self
            .parked
            .iter()
            .filter(|(_, retry)| **retry)
            .map(|(stream_id, _)| stream_id.clone())
            .collect();
        for stream_id in asked {
            while self.retry_some(&stream_id).await? {}
        }
        Ok(())
    }

    /// Whether there may be more of this stream to deliver.
    async fn retry_some(&mut self, stream_id: &str) -> std::result::Result<bool, End> {
        let id = self.member.id().to_owned();
        let parked = {
            let mut conn = self
                .member
                .store
                .pool()
                .acquire()
                .await
                .map_err(EventStoreError::from)?;
            DB::parked_events(&mut conn, &id, Some(stream_id), 0, CHUNK).await?
        };
        if parked.is_empty() {
            self.parked.remove(stream_id);
            return Ok(false);
        }
        for row in parked {
            if self.member.stop.is_cancelled() {
                return Ok(false);
            }
            let mut page = EventPage::new();
            {
                let mut conn = self
                    .member
                    .store
                    .pool()
                    .acquire()
                    .await
                    .map_err(EventStoreError::from)?;
                let read = StreamRead {
                    stream_id,
                    direction: ReadDirection::Forward,
                    from_version: row.event.stream_version,
                    limit: 1,
                };
                DB::read_stream(&mut conn, read, &mut |event| {
                    page.push(&event);
                    Ok(ControlFlow::Continue(()))
                })
                .await?;
            }
            let page = page.finish(row.event.global_position, row.event.global_position);
            let batch = Batch::new(&page, vec![0], Duration::ZERO, &self.member.stop);
            let mut tx = self.begin().await?;
            let attempts = u32::try_from(row.event.attempts).unwrap_or(0) + 1;
            if let Err(failure) = self.call(&batch, Some(&mut tx)).await? {
                tx.give_up().await?;
                if failure.of_database {
                    return Err(failure.into_end());
                }
                let Some(event) = page.event(0) else {
                    return Ok(false);
                };
                let failed = aside(&event, attempts, Some(format!("{:#}", failure.source)));
                let mut tx = self.begin().await?;
                self.advance(&mut tx, self.position).await?;
                let state = ParkedState::Parked;
                DB::mark_parked(tx.conn(), &id, stream_id, state).await?;
                DB::put_aside(tx.conn(), &id, &failed, state, None).await?;
                self.commit(tx, self.position).await?;
                self.parked.insert(stream_id.to_owned(), false);
                return Ok(false);
            }
            self.advance(&mut tx, self.position).await?;
            DB::forget_parked(tx.conn(), &id, row.event.global_position).await?;
            self.commit(tx, self.position).await?;
        }
        Ok(true)
    }
}
