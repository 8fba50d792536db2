//! One subscription of a runner: it follows, and leads while it has the lease.
//!
//! A future that is dropped rolls its transaction back, so leadership ends by dropping whatever is
//! under way: see [`Member::lead`].

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::backend::Backend;
use crate::error::told;
use crate::lease::{Attempt, Lease, Leases};
use crate::projection::leader::{BATCH_SIZE, End, Leader, PAUSE_MAX, PAUSE_MIN};
use crate::projection::settings::{Settings, Subscription};
use crate::projection::{PageHandler, TransactionalPageHandler};
use crate::store::EventStore;

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
    pub(super) fn categories(&self) -> Vec<String> {
        match self {
            Self::Plain(handler) => handler.categories(),
            Self::Transactional(handler) => handler.categories(),
        }
    }

    pub(super) fn batch_size(&self) -> i64 {
        match self {
            Self::Plain(_) => BATCH_SIZE,
            Self::Transactional(handler) => handler.batch_size(),
        }
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
        let mut leader = Leader::new(self, &lease, position);
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
