//! How a leader delivers a page: in one piece, and down to single events where one fails.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::Connection;
use tokio::time::timeout;

use crate::backend::coordination::{NewParked, ParkedState};
use crate::backend::{Backend, Result as StoreResult};
use crate::error::EventStoreError;
use crate::lease::LeaderTx;
use crate::projection::leader::{End, Leader, PAUSE_MAX};
use crate::projection::member::Handler;
use crate::projection::settings::{FailurePolicy, RunnerError};
use crate::projection::{Batch, Failure};
use crate::subscription::{EventPage, PageEvent};

/// A handler that takes events one by one commits after this time at the latest.
const SLICE: Duration = Duration::from_millis(200);

impl<'m, DB: Backend> Leader<'m, DB> {
    /// Delivers a page, down to single events where one fails.
    pub(super) async fn page(&mut self, page: &Arc<EventPage>) -> Result<(), End> {
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
}

impl Failure {
    /// Of a failure that is the database's.
    pub(super) fn into_end(self) -> End {
        self.source
            .downcast::<EventStoreError>()
            .map_or_else(End::Failed, End::Database)
    }
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

pub(super) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no text")
}
