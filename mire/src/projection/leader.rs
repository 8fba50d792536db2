//! One subscription of a runner: following, leading, and delivering pages while it leads.
//!
//! A future that is dropped rolls its transaction back, so leadership ends by dropping whatever is
//! under way: see [`Member::lead`].

use std::any::Any;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::Connection;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::backend::coordination::{Advance, NewParked, ParkedState};
use crate::backend::{Backend, Result as StoreResult, TxLimits};
use crate::error::{DbErrorKind, EventStoreError, told};
use crate::lease::{Attempt, LeaderTx, Lease, Leases};
use crate::projection::settings::{FailurePolicy, RunnerError, Settings, Subscription};
use crate::projection::{Batch, Failure, PageHandler, TransactionalPageHandler};
use crate::store::EventStore;
use crate::subscription::cursor::Cursor;
use crate::subscription::feed::Feed;
use crate::subscription::{EventPage, PageEvent};

/// How many events are read at once, unless the runner or the handler says otherwise. What a page
/// costs is mostly round trips, so a long one is worth its memory: tables on PostgreSQL folded 500
/// events a page at 38,000 a second, 1,000 at 63,000, 2,000 at 93,000, 5,000 at 131,000. Handlers that
/// take one event at a time need not come to its end before they commit, see [`SLICE`].
pub(super) const BATCH_SIZE: i64 = 4000;

/// A handler that takes events one by one commits after this time at the latest.
const SLICE: Duration = Duration::from_millis(200);

/// How often, at most, a checkpoint is written for which nothing was handled.
const IDLE_CHECKPOINT: Duration = Duration::from_secs(1);

/// The first pause after the database failed, and the longest.
pub(super) const PAUSE_MIN: Duration = Duration::from_millis(50);
pub(super) const PAUSE_MAX: Duration = Duration::from_secs(5);

/// The longest pause between two attempts of an event.
const BACKOFF_MAX: Duration = Duration::from_secs(30);

pub(crate) enum Handler<DB: Backend> {
    Plain(Arc<dyn PageHandler>),
    Transactional(Arc<dyn TransactionalPageHandler<DB>>),
}

impl<DB: Backend> Clone for Handler<DB> {
    fn clone(&self) -> Self {
        match self {
            Self::Plain(handler) => Self::Plain(Arc::clone(handler)),
            Self::Transactional(handler) => Self::Transactional(Arc::clone(handler)),
        }
    }
}

impl<DB: Backend> Handler<DB> {
    fn categories(&self) -> Vec<String> {
        match self {
            Self::Plain(handler) => handler.categories(),
            Self::Transactional(handler) => handler.categories(),
        }
    }

    fn batch_size(&self) -> i64 {
        match self {
            Self::Plain(_) => BATCH_SIZE,
            Self::Transactional(handler) => handler.batch_size(),
        }
    }
}

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

/// One subscription of one runner.
pub(super) struct Member<DB: Backend> {
    pub(super) store: EventStore<DB>,
    pub(super) settings: Settings,
    pub(super) subscription: Subscription,
    pub(super) handler: Handler<DB>,
    pub(super) leases: Arc<Leases<DB>>,
    pub(super) stop: CancellationToken,
}

impl<DB: Backend> Member<DB> {
    pub(super) fn id(&self) -> &str {
        &self.subscription.id
    }

    /// Follows and leads until it is cancelled or a handler failed for good.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let mut changed = self.store.wake().watch_subscription_changed();
        let mut pause = PAUSE_MIN;
        while !self.stop.is_cancelled() {
            changed.borrow_and_update();
            let attempt = tokio::select! {
                () = self.stop.cancelled() => break,
                attempt = self.leases.acquire(self.id()) => attempt,
            };
            let wait = match attempt {
                Ok(Attempt::Acquired { lease, position }) => {
                    pause = PAUSE_MIN;
                    if let Some(answer) = self.lead(lease, position).await {
                        return answer;
                    }
                    continue;
                }
                Ok(Attempt::Taken { remaining }) => {
                    let until_expiry = remaining + Duration::from_millis(5);
                    let recheck = self.settings.lease_recheck_interval;
                    if remaining.is_zero() {
                        recheck.min(PAUSE_MIN)
                    } else {
                        recheck.min(until_expiry)
                    }
                }
                Err(error) => {
                    tracing::warn!(
                        subscription_id = self.id(),
                        error = %told(&error),
                        "can't ask for the lease"
                    );
                    pause = (pause * 2).min(PAUSE_MAX);
                    pause.min(self.settings.lease_recheck_interval)
                }
            };
            tokio::select! {
                () = self.stop.cancelled() => break,
                () = sleep(wait) => {}
                _ = changed.changed() => {}
            }
        }
        Ok(())
    }

    /// Leads until the lease is lost (`None`), or for the last time.
    async fn lead(&self, lease: Lease, position: i64) -> Option<anyhow::Result<()>> {
        let worker_id = &self.settings.worker_id;
        let fence_token = lease.fence_token();
        tracing::info!(subscription_id = self.id(), %worker_id, fence_token, position, "leading");
        let mut leader = Leader {
            member: self,
            lease: &lease,
            position,
            handled: position,
            written_at: Instant::now() - IDLE_CHECKPOINT,
            parked: HashMap::new(),
            attempts: (0, 0),
            caught_up: CaughtUp::new(&self.handler),
            hindered: true,
        };
        let grace = async {
            self.stop.cancelled().await;
            sleep(self.settings.shutdown_grace).await;
        };
        let end = tokio::select! {
            biased;
            () = lease.lost() => End::Lost,
            () = grace => End::Cancelled,
            end = leader.run() => end,
        };
        if let End::Failed(error) = &end {
            leader.note(Some(&told(error.as_ref()))).await;
        }
        let lost = matches!(end, End::Lost);
        let answer = match end {
            End::Lost | End::Fenced => {
                tracing::warn!(subscription_id = self.id(), %worker_id, fence_token, "lost the lease");
                None
            }
            End::Cancelled => Some(Ok(())),
            End::Failed(error) => Some(Err(error)),
            End::Database(error) => Some(Err(error.into())),
        };
        // A lease that was lost by its deadline runs out by itself. One that was fenced may still
        // be this worker's by name, when the checkpoint was not where it was taken to be.
        if !lost && let Err(error) = self.leases.release(lease).await {
            tracing::warn!(
                subscription_id = self.id(),
                error = %told(&error),
                "the lease expires by itself"
            );
        }
        self.store.wake().subscription_changed();
        answer
    }
}

/// What a leader knows.
pub(super) struct Leader<'m, DB: Backend> {
    pub(super) member: &'m Member<DB>,
    lease: &'m Lease,
    /// Where the stored checkpoint is.
    pub(super) position: i64,
    /// Up to where all is done; at or above the stored checkpoint.
    handled: i64,
    written_at: Instant,
    /// Streams that are held up, and whether another try was asked for.
    pub(super) parked: HashMap<String, bool>,
    /// The event at the front that failed, and how often.
    pub(super) attempts: (i64, u32),
    caught_up: CaughtUp,
    /// Whether something is noted that hinders it, or may be, by the leader before.
    hindered: bool,
}

/// Whether all is done, and when the handler wants to hear of it.
struct CaughtUp {
    is: bool,
    /// Never, when the handler does not mind.
    tell_at: Option<Instant>,
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
    async fn run(&mut self) -> End {
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
            if let Ok(Some(position)) = self.member.store.checkpoint(self.member.id()).await {
                self.position = position;
                self.handled = position;
            }
        }
    }

    /// Has a table that is gone made again, and answers whether that went well; notes what stands in
    /// the way. A handler that makes it anew moves the checkpoint under a new fence token, so this
    /// leader ends, and the next one begins at the start.
    async fn mend(&mut self, error: &EventStoreError) -> bool {
        let Handler::Transactional(handler) = &self.member.handler else {
            return false;
        };
        let of_table = matches!(error, EventStoreError::TableMismatch { .. });
        let prepared = if of_table || DB::is_missing_table(error) {
            let prepare = async {
                let mut tx = DB::begin(self.member.store.db(), TxLimits::default()).await?;
                handler.prepare(&mut tx.tx).await?;
                tx.commit().await?;
                anyhow::Ok(())
            };
            prepare.await.map_err(|error| told(error.as_ref()))
        } else if error.db_kind() == Some(DbErrorKind::Connection) {
            // It passes, or there is nobody to tell.
            return false;
        } else {
            Err(told(error))
        };
        match prepared {
            Ok(()) => true,
            Err(hindrance) => {
                self.note(Some(&hindrance)).await;
                false
            }
        }
    }

    /// Notes why it can't go on, for other processes to see, or that it does. That is a help, and no
    /// more: it waits for a moment only, and a failure is said and passed over.
    async fn note(&mut self, hindrance: Option<&str>) {
        let Handler::Transactional(handler) = &self.member.handler else {
            return;
        };
        if !handler.minds_catching_up() {
            return;
        }
        let note = async {
            let mut tx = DB::begin(self.member.store.db(), TxLimits::default()).await?;
            handler.hindered(hindrance, &mut tx.tx).await?;
            tx.commit().await?;
            anyhow::Ok(())
        };
        let noted = timeout(PAUSE_MAX, note).await;
        match noted.map_err(anyhow::Error::from).flatten() {
            Ok(()) => self.hindered = hindrance.is_some(),
            Err(error) => tracing::warn!(
                subscription_id = self.member.id(),
                error = %told(error.as_ref()),
                hindrance,
                "can't note what hinders a subscription"
            ),
        }
    }

    async fn deliver(&mut self) -> Result<std::convert::Infallible, End> {
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
            let due = self.caught_up.due();
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

    /// Has the handler do what it does when it has caught up, under the fence.
    async fn tell_caught_up(&mut self) -> Result<(), End> {
        let Handler::Transactional(handler) = &self.member.handler else {
            return Ok(());
        };
        let to = self.handled;
        let mut tx = self.begin().await?;
        let hindered = self.hindered;
        let conn = tx.conn();
        let tell = async move {
            if hindered {
                // It is the handler's now to say what hinders it.
                handler.hindered(None, &mut *conn).await?;
            }
            handler.caught_up(to, conn).await
        };
        let told = AssertUnwindSafe(tell).catch_unwind();
        let told = told.await.unwrap_or_else(|panic| {
            let text = panic_text(panic.as_ref());
            Err(anyhow::anyhow!("the handler panicked: {text}"))
        });
        let again = match told {
            Ok(again) => {
                self.hindered = false;
                self.advance(&mut tx, to).await?;
                self.commit(tx, to).await?;
                again
            }
            Err(error) => {
                tracing::warn!(
                    subscription_id = self.member.id(),
                    error = format!("{error:#}"),
                    "what a handler does when it has caught up failed; trying again",
                );
                timeout(PAUSE_MAX, tx.rollback()).await.unwrap_or(Ok(()))?;
                let mended = match error.downcast::<EventStoreError>() {
                    Ok(error) => self.mend(&error).await,
                    Err(_) => false,
                };
                Some(if mended { PAUSE_MIN } else { PAUSE_MAX })
            }
        };
        self.caught_up.tell_at = again.map(|pause| Instant::now() + pause);
        Ok(())
    }

    /// Delivers a page, down to single events where one fails.
    async fn page(&mut self, page: &Arc<EventPage>) -> Result<(), End> {
        let all = page.len();
        let (mut start, mut limit, mut suspect) = (0, all, all);
        while start < all {
            if self.member.stop.is_cancelled() {
                self.flush().await?;
                return Err(End::Cancelled);
            }
            let (done, failure) = self.window(page, start, limit).await?;
            start = done;
            let Some(failure) = failure else {
                if start >= limit {
                    limit = if start >= suspect { all } else { suspect };
                    suspect = suspect.max(limit);
                }
                continue;
            };
            suspect = limit;
            match failure.index {
                Some(at) if at > start => {
                    // What can't be decoded was not delivered.
                    if !failure.permanent {
                        self.count_attempt(page, at);
                    }
                    limit = at;
                }
                Some(_) => limit = start + 1,
                None if limit - start > 1 => {
                    limit = start + (limit - start) / 2;
                    continue;
                }
                None => {}
            }
            if limit == start + 1 && failure.index.is_none_or(|at| at == start) {
                self.failed(page, start, failure).await?;
                if self.handled >= position(page, start) {
                    start += 1;
                    limit = all;
                    suspect = all;
                }
            }
        }
        self.handled = self.handled.max(page.up_to());
        Ok(())
    }

    fn count_attempt(&mut self, page: &EventPage, index: usize) -> u32 {
        let position = position(page, index);
        if self.attempts.0 != position {
            self.attempts = (position, 0);
        }
        self.attempts.1 += 1;
        self.attempts.1
    }

    /// Delivers the events from `start` to `limit`, or the first of them, and answers the place up
    /// to which all is done, and what failed there or behind it.
    async fn window(
        &mut self,
        page: &Arc<EventPage>,
        start: usize,
        limit: usize,
    ) -> Result<(usize, Option<Failure>), End> {
        let is_parked = |index: &usize| {
            page.event(*index)
                .is_some_and(|event| self.parked.contains_key(event.stream_id()))
        };
        let (behind, indexes): (Vec<usize>, Vec<usize>) =
            (start..limit).partition(|index| is_parked(index));
        let batch = Batch::new(page, indexes.clone(), SLICE, &self.member.stop);
        let mut tx = match &self.member.handler {
            Handler::Transactional(_) => Some(self.begin().await?),
            Handler::Plain(_) => None,
        };
        let mut failed = None;
        if !batch.is_empty()
            && let Err(mut failure) = self.call(&batch, tx.as_mut()).await?
        {
            if let Some(tx) = tx.take() {
                // A connection that is gone is the database's failure, not the event's.
                match timeout(PAUSE_MAX, tx.give_up()).await {
                    Ok(rolled_back) => rolled_back?,
                    Err(_) => tracing::warn!("a handler's transaction is slow to roll back"),
                }
            }
            if failure.of_database {
                return Err(failure.into_end());
            }
            failure.index = failure.index.or(batch.current());
            failed = Some(failure);
        }
        let taken = batch.taken();
        let done = match (&self.member.handler, &failed) {
            (_, None) if taken >= indexes.len() => limit,
            (_, None) => indexes[taken],
            // A plain handler that takes events one by one is done with those before.
            (Handler::Plain(_), Some(_)) => batch.current().unwrap_or(start),
            (Handler::Transactional(_), Some(_)) => start,
        };
        if done == start {
            // One that takes nothing would be called for ever.
            let nothing = || anyhow::anyhow!("the handler took none of the events it was given");
            return Ok((start, failed.or_else(|| Some(nothing().into()))));
        }
        let before = |index: &usize| *index < done;
        let behind = behind.into_iter().filter(before).collect();
        if self.settle(page, tx, behind, done).await? {
            Ok((done, failed))
        } else {
            Ok((start, None))
        }
    }

    /// Moves on to before the place `done`. Events of parked streams are parked with this, those
    /// at `behind`; `false` when one of these streams was let go meanwhile, so that its events have
    /// to be delivered after all.
    async fn settle(
        &mut self,
        page: &EventPage,
        tx: Option<LeaderTx<'m, DB>>,
        behind: Vec<usize>,
        done: usize,
    ) -> Result<bool, End> {
        let to = if done == page.len() {
            page.up_to()
        } else {
            position(page, done - 1)
        };
        if tx.is_none() && behind.is_empty() {
            self.handled = self.handled.max(to);
            return Ok(true);
        }
        let behind: Vec<NewParked> = behind
            .into_iter()
            .filter_map(|index| page.event(index))
            .map(|event| aside(&event, 0, None))
            .collect();
        let mut tx = match tx {
            Some(tx) => tx,
            None => self.begin().await?,
        };
        self.advance(&mut tx, to).await?;
        if !behind.is_empty() {
            let count = DB::park_behind(tx.conn(), self.member.id(), &behind).await?;
            if count != behind.len() as u64 {
                tx.rollback().await?;
                self.load_parked().await?;
                return Ok(false);
            }
        }
        self.commit(tx, to).await?;
        Ok(true)
    }

    /// Calls the handler. Where there is one writer and it fails, what it wrote is rolled back
    /// within the transaction.
    pub(super) async fn call(
        &self,
        batch: &Batch,
        tx: Option<&mut LeaderTx<'_, DB>>,
    ) -> StoreResult<Result<(), Failure>> {
        match (&self.member.handler, tx) {
            (Handler::Plain(handler), _) => Ok(self.guard(batch, handler.handle(batch)).await),
            (Handler::Transactional(_), None) => Ok(Ok(())),
            (Handler::Transactional(handler), Some(tx)) if DB::ONE_WRITER => {
                let mut part = tx.conn().begin().await?;
                let answer = self.guard(batch, handler.handle(batch, &mut part)).await;
                match answer {
                    Ok(()) => part.commit().await?,
                    Err(_) => part.rollback().await?,
                }
                Ok(answer)
            }
            (Handler::Transactional(handler), Some(tx)) => {
                Ok(self.guard(batch, handler.handle(batch, tx.conn())).await)
            }
        }
    }

    /// Waits for a handler; a panic and a time-out are failures.
    async fn guard(
        &self,
        batch: &Batch,
        call: BoxFuture<'_, Result<(), Failure>>,
    ) -> Result<(), Failure> {
        let mut call = std::pin::pin!(AssertUnwindSafe(call).catch_unwind());
        let answer = match self.member.subscription.handler_timeout {
            None => call.await,
            Some(limit) => loop {
                let taken = batch.taken();
                match timeout(limit, &mut call).await {
                    Ok(answer) => break answer,
                    // Another event by now: its time starts anew.
                    Err(_) if batch.taken() > taken => {}
                    Err(_) => {
                        let error = anyhow::anyhow!("the handler took longer than {limit:?}");
                        return Err(Failure {
                            index: batch.current(),
                            ..Failure::from(error)
                        });
                    }
                }
            },
        };
        answer.unwrap_or_else(|panic| {
            let text = panic_text(panic.as_ref());
            Err(Failure::from(anyhow::anyhow!(
                "the handler panicked: {text}"
            )))
        })
    }

    /// An event that stands alone has failed once more: wait, or let the policy decide.
    async fn failed(
        &mut self,
        page: &Arc<EventPage>,
        index: usize,
        failure: Failure,
    ) -> Result<(), End> {
        let Some(event) = page.event(index) else {
            return Ok(());
        };
        let attempts = self.count_attempt(page, index);
        let subscription = &self.member.subscription;
        let limit = subscription
            .max_attempts
            .unwrap_or(self.member.settings.max_attempts);
        let error = format!("{:#}", failure.source);
        tracing::warn!(
            subscription_id = self.member.id(),
            position = event.global_position(),
            stream_id = event.stream_id(),
            event_type = event.event_type(),
            attempts,
            error,
            "an event was not handled",
        );
        if attempts < limit && !failure.permanent {
            self.back_off(attempts).await;
            return Ok(());
        }
        let state = match subscription.policy {
            FailurePolicy::Stop => {
                self.flush().await?;
                return Err(End::Failed(
                    RunnerError::Stopped {
                        subscription_id: self.member.id().to_owned(),
                        position: event.global_position(),
                        stream_id: event.stream_id().to_owned(),
                        event_type: event.event_type().to_owned(),
                        attempts,
                        source: failure.source,
                    }
                    .into(),
                ));
            }
            FailurePolicy::Park => ParkedState::Parked,
            FailurePolicy::Skip => ParkedState::Skipped,
        };
        let mut tx = self.begin().await?;
        let to = event.global_position();
        self.advance(&mut tx, to).await?;
        let parked = aside(&event, attempts, Some(error));
        DB::put_aside(tx.conn(), self.member.id(), &parked, state, None).await?;
        self.commit(tx, to).await?;
        if state == ParkedState::Parked {
            self.parked.insert(event.stream_id().to_owned(), false);
        }
        Ok(())
    }

    pub(super) async fn back_off(&self, attempts: u32) {
        let pause = pause_after(attempts, self.member.settings.retry_backoff);
        tokio::select! {
            () = sleep(pause) => {}
            () = self.member.stop.cancelled() => {}
        }
    }

    pub(super) async fn begin(&self) -> StoreResult<LeaderTx<'m, DB>> {
        self.member.leases.begin(self.lease).await
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
        if self.hindered {
            self.note(None).await;
        }
        Ok(())
    }

    /// Writes the checkpoint, if it is behind what was handled.
    async fn flush(&mut self) -> Result<(), End> {
        if self.handled > self.position {
            let to = self.handled;
            let mut tx = self.begin().await?;
            self.advance(&mut tx, to).await?;
            self.commit(tx, to).await?;
        }
        Ok(())
    }
}

impl Failure {
    /// Of a failure that is the database's.
    pub(super) fn into_end(self) -> End {
        self.source
            .downcast::<EventStoreError>()
            .map_or_else(End::Failed, End::Database)
    }
}

/// Doubled with every failure.
fn pause_after(attempts: u32, backoff: Duration) -> Duration {
    let doubled = 2_u32.saturating_pow(attempts.saturating_sub(1).min(20));
    backoff.saturating_mul(doubled).min(BACKOFF_MAX)
}

fn position(page: &EventPage, index: usize) -> i64 {
    page.event(index)
        .map_or(page.up_to(), |event| event.global_position())
}

/// The most bytes of an error's text that are kept with a parked event.
const MAX_ERROR_BYTES: usize = 4096;

pub(super) fn aside(event: &PageEvent<'_>, attempts: u32, error: Option<String>) -> NewParked {
    NewParked {
        global_position: event.global_position(),
        stream_id: event.stream_id().to_owned(),
        stream_version: event.stream_version(),
        event_type: event.event_type().to_owned(),
        attempts: i32::try_from(attempts).unwrap_or(i32::MAX),
        error: error.map(|mut error| {
            error.truncate(error.floor_char_boundary(MAX_ERROR_BYTES));
            // PostgreSQL has no place for it.
            error.replace('\0', "\u{fffd}")
        }),
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no text")
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
