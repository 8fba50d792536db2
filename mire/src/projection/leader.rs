//! What a leader does: it reads page after page, has them [delivered](super::delivery), and writes how
//! far it is.

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use crate::backend::coordination::Advance;
use crate::backend::{Backend, Result as StoreResult};
use crate::error::{EventStoreError, told};
use crate::lease::{LeaderTx, Lease};
use crate::projection::member::{Handler, Member};
use crate::subscription::cursor::Cursor;
use crate::subscription::feed::Feed;

/// How many events are read at once, unless the runner or the handler says otherwise. What a page
/// costs is mostly round trips, so a long one is worth its memory: tables on PostgreSQL folded 500
/// events a page at 38,000 a second, 1,000 at 63,000, 2,000 at 93,000, 5,000 at 131,000. Handlers that
/// take one event at a time need not come to its end before they commit, see
/// [`SLICE`](super::delivery::SLICE).
pub(super) const BATCH_SIZE: i64 = 4000;

/// How often, at most, a checkpoint is written for which nothing was handled.
const IDLE_CHECKPOINT: Duration = Duration::from_secs(1);

/// The first pause after the database failed, and the longest.
pub(super) const PAUSE_MIN: Duration = Duration::from_millis(50);
pub(super) const PAUSE_MAX: Duration = Duration::from_secs(5);

/// The longest pause between two attempts of an event.
const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// Why delivering ended.
pub(super) enum End {
    /// The runner was cancelled.
    Cancelled,
    /// This worker may no longer take itself for the leader.
    Lost,
    /// The fence refused: another worker leads, or the checkpoint was reset.
    Fenced,
    /// The database failed; go on from the stored checkpoint.
    Database(EventStoreError),
    /// For good.
    Failed(anyhow::Error),
}

impl From<EventStoreError> for End {
    fn from(error: EventStoreError) -> Self {
        Self::Database(error)
    }
}

/// What a leader knows.
pub(super) struct Leader<'m, DB: Backend> {
    pub(super) member: &'m Member<DB>,
    lease: &'m Lease,
    /// Where the stored checkpoint is.
    pub(super) position: i64,
    /// Up to where all is done; at or above the stored checkpoint.
    pub(super) handled: i64,
    written_at: Instant,
    /// Streams that are held up, and whether another try was asked for.
    pub(super) parked: HashMap<String, bool>,
    /// The event at the front that failed, and how often.
    pub(super) attempts: (i64, u32),
    pub(super) caught_up: CaughtUp,
    /// Whether something is noted that hinders it, or may be, by the leader before.
    pub(super) hindered: bool,
    /// When that may be taken back. Not at each commit, where it could not be done.
    pub(super) take_back_at: Instant,
}

/// Whether all is done, and when the handler wants to hear of it.
pub(super) struct CaughtUp {
    is: bool,
    /// Never, when the handler does not mind.
    pub(super) tell_at: Option<Instant>,
}

impl CaughtUp {
    fn new<DB: Backend>(handler: &Handler<DB>) -> Self {
        let minds = match handler {
            Handler::Plain(_) => false,
            Handler::Transactional(handler) => handler.minds_catching_up(),
        };
        Self {
            is: false,
            tell_at: minds.then(Instant::now),
        }
    }

    /// When to tell it next; `None` for not before the next page.
    fn due(&self) -> Option<Instant> {
        self.tell_at.filter(|_| self.is)
    }
}

impl<'m, DB: Backend> Leader<'m, DB> {
    pub(super) fn new(member: &'m Member<DB>, lease: &'m Lease, position: i64) -> Self {
        Self {
            member,
            lease,
            position,
            handled: position,
            written_at: Instant::now() - IDLE_CHECKPOINT,
            parked: HashMap::new(),
            attempts: (0, 0),
            caught_up: CaughtUp::new(&member.handler),
            hindered: true,
            take_back_at: Instant::now(),
        }
    }

    pub(super) async fn run(&mut self) -> End {
        let mut pause = PAUSE_MIN;
        loop {
            let before = self.position;
            let end = match self.deliver().await {
                Err(end) => end,
                Ok(never) => match never {},
            };
            let End::Database(error) = end else {
                return end;
            };
            tracing::warn!(
                subscription_id = self.member.id(),
                error = %told(&error),
                "the database failed; going on from the checkpoint"
            );
            self.mend(&error).await;
            if self.position > before {
                pause = PAUSE_MIN;
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = self.member.stop.cancelled() => return End::Cancelled,
            }
            pause = (pause * 2).min(PAUSE_MAX);
            // A commit whose answer was lost may have gone through.
            if let Ok(Some(position)) = self.checkpoint().await {
                self.position = position;
                self.handled = position;
            }
        }
    }

    /// Its own checkpoint: what takes a name of a user's may mean the one of a table.
    async fn checkpoint(&self) -> StoreResult<Option<i64>> {
        let mut conn = self.member.store.pool().acquire().await?;
        let all = DB::checkpoints(&mut conn).await?;
        let own = all.into_iter().find(|(id, _)| id == self.member.id());
        Ok(own.map(|(_, position)| position))
    }

    async fn deliver(&mut self) -> Result<Infallible, End> {
        let member = self.member;
        let store = &member.store;
        self.load_parked().await?;
        self.caught_up.is = false;
        let cursor = Cursor::new(
            member.id(),
            member.handler.categories(),
            member
                .settings
                .batch_size
                .unwrap_or_else(|| member.handler.batch_size()),
            self.position,
        );
        let mut feed = Feed::start(
            store.db().clone(),
            cursor,
            store.wake().watch_appended(),
            member.settings.poll_interval,
        );
        let mut changed = store.wake().watch_subscription_changed();
        let mut trouble = feed.watch_trouble();
        loop {
            if !self.parked.is_empty() {
                self.load_parked().await?;
                self.retry_parked().await?;
            }
            let idle = if self.handled > self.position {
                IDLE_CHECKPOINT
            } else {
                member.settings.poll_interval
            };
            // Whether it has caught up is unknown while the log can't be read.
            let due = self.caught_up.due().filter(|_| trouble.borrow().is_none());
            let tell = async {
                match due {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let page = tokio::select! {
                biased;
                () = member.stop.cancelled() => {
                    self.flush().await?;
                    return Err(End::Cancelled);
                }
                page = feed.next() => page.map_err(|error| match error {
                    error @ EventStoreError::OrderingViolation { .. } => End::Failed(error.into()),
                    error => End::Database(error),
                })?,
                _ = changed.changed() => continue,
                Ok(()) = trouble.changed() => {
                    let trouble = trouble.borrow_and_update().clone();
                    self.note(trouble.as_deref()).await;
                    continue;
                }
                () = tell => {
                    self.tell_caught_up().await?;
                    continue;
                }
                () = sleep(idle) => {
                    self.flush().await?;
                    continue;
                }
            };
            self.page(&page).await?;
            self.caught_up.is = page.up_to() == page.head();
            // Not left to the select above: under load there always is a further page.
            if self.caught_up.due().is_some_and(|at| at <= Instant::now()) {
                self.tell_caught_up().await?;
            }
            if self.handled > self.position
                && ((!page.is_empty() && !feed.ready())
                    || self.written_at.elapsed() >= IDLE_CHECKPOINT)
            {
                self.flush().await?;
            }
        }
    }

    pub(super) async fn back_off(&self, attempts: u32) {
        let pause = pause_after(attempts, self.member.settings.retry_backoff);
        tokio::select! {
            () = sleep(pause) => {}
            () = self.member.stop.cancelled() => {}
        }
    }

    /// Opens a transaction. A handler's own has no time limit; what keeps a table is mire's alone, and
    /// says what it waits for instead of waiting on.
    pub(super) async fn begin(&self) -> StoreResult<LeaderTx<'m, DB>> {
        let of_table = self.member.subscription.declared.is_some();
        let lock = of_table.then_some(self.member.store.db().lock_timeout);
        self.member.leases.begin(self.lease, lock).await
    }

    /// Moves the checkpoint within a transaction; the row is locked from here on.
    pub(super) async fn advance(&self, tx: &mut LeaderTx<'_, DB>, to: i64) -> Result<(), End> {
        let advance = Advance {
            subscription_id: self.member.id(),
            fence_token: self.lease.fence_token(),
            from: self.position,
            to,
        };
        if DB::advance_checkpoint(tx.conn(), advance).await? {
            Ok(())
        } else {
            Err(End::Fenced)
        }
    }

    pub(super) async fn commit(&mut self, tx: LeaderTx<'_, DB>, to: i64) -> Result<(), End> {
        tx.commit().await?;
        self.position = to;
        self.handled = self.handled.max(to);
        self.written_at = Instant::now();
        self.member.store.wake().checkpointed();
        if self.hindered && self.take_back_at <= Instant::now() {
            self.note(None).await;
        }
        Ok(())
    }

    /// Writes the checkpoint, if it is behind what was handled.
    pub(super) async fn flush(&mut self) -> Result<(), End> {
        if self.handled > self.position {
            let to = self.handled;
            let mut tx = self.begin().await?;
            self.advance(&mut tx, to).await?;
            self.commit(tx, to).await?;
        }
        Ok(())
    }
}

/// Doubled with every failure.
fn pause_after(attempts: u32, backoff: Duration) -> Duration {
    let doubled = 2_u32.saturating_pow(attempts.saturating_sub(1).min(20));
    backoff.saturating_mul(doubled).min(BACKOFF_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound() {
        let pauses = |backoff| [1, 2, 3, 12, 100, u32::MAX].map(|n| pause_after(n, backoff));
        let ms = Duration::from_millis;
        let (longest, few) = (BACKOFF_MAX, ms(10));
        assert_eq!(
            pauses(few),
            [few, ms(20), ms(40), ms(20_480), longest, longest]
        );
        assert_eq!(pauses(Duration::MAX), [BACKOFF_MAX; 6]);
    }
}
