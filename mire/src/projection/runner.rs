//! The runner: its subscriptions, each in a task of its own, under one worker.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::backend::coordination::Worker;
use crate::backend::{Backend, TxLimits};
use crate::error::EventStoreError;
use crate::lease::Leases;
use crate::projection::adapter::{Plain, Transactional, TransactionalBatch};
use crate::projection::leader::{PAUSE_MAX, PAUSE_MIN};
use crate::projection::member::{Handler, Member};
use crate::projection::settings::{RunnerError, Settings, Subscription};
use crate::projection::{
    ActingProjection, EventHandler, PageHandler, TransactionalBatchEventHandler,
    TransactionalEventHandler, TransactionalPageHandler,
};
use crate::store::EventStore;

/// Runs subscriptions, of which it leads some and follows others.
///
/// ```no_run
/// # use tokio_util::sync::CancellationToken;
/// # async fn example<H: mire::EventHandler>(store: mire::EventStore, handler: H) -> anyhow::Result<()> {
/// let runner = mire::ProjectionRunner::builder(store)
///     .worker_id("replica-a")
///     .subscribe("welcome-mail", handler)
///     .build();
/// runner.run(CancellationToken::new()).await
/// # }
/// ```
#[must_use = "a runner does nothing until it is run"]
pub struct ProjectionRunner<DB: Backend> {
    inner: Arc<Inner<DB>>,
}

struct Inner<DB: Backend> {
    store: EventStore<DB>,
    settings: Settings,
    subscriptions: Vec<(Subscription, Handler<DB>)>,
}

impl<DB: Backend> fmt::Debug for ProjectionRunner<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProjectionRunner")
            .field("settings", &self.inner.settings)
            .finish_non_exhaustive()
    }
}

impl<DB: Backend> ProjectionRunner<DB> {
    /// A runner on this store, without subscriptions yet.
    pub fn builder(store: EventStore<DB>) -> ProjectionRunnerBuilder<DB> {
        ProjectionRunnerBuilder {
            store,
            settings: Settings {
                worker_id: format!("worker-{}", Uuid::new_v4().simple()),
                poll_interval: Duration::from_secs(1),
                batch_size: None,
                max_attempts: 5,
                retry_backoff: Duration::from_millis(100),
                lease_ttl: Duration::from_secs(30),
                heartbeat_interval: None,
                lease_recheck_interval: Duration::from_secs(5),
                shutdown_grace: Duration::from_secs(10),
                drop_tables_after: Duration::from_secs(24 * 60 * 60),
                take_over_after: Duration::from_secs(60),
            },
            subscriptions: Vec::new(),
        }
    }

    /// The name that a lease shows while this runner leads: the one it was given, or a unique one.
    pub fn worker_id(&self) -> &str {
        &self.inner.settings.worker_id
    }

    /// Runs until it is cancelled, then lets running handlers finish for at most the shutdown grace
    /// and gives its leases back, so that other replicas take over at once.
    ///
    /// # Errors
    ///
    /// Before anything starts: a [`RunnerError`] for settings that can't work, and what a
    /// handler's `prepare` answers. Later: [`RunnerError::Stopped`], and
    /// [`OrderingViolation`](crate::EventStoreError::OrderingViolation). One subscription that
    /// stops ends the whole runner, in good order. A database that is away is waited for, also at
    /// the start.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops everything at once, without releasing: leases expire after their
    /// ttl.
    pub fn run(
        &self,
        cancel: CancellationToken,
    ) -> impl Future<Output = anyhow::Result<()>> + Send + 'static + use<DB> {
        let inner = Arc::clone(&self.inner);
        async move { inner.run(cancel).await }
    }
}

impl<DB: Backend> Inner<DB> {
    async fn run(self: Arc<Self>, cancel: CancellationToken) -> anyhow::Result<()> {
        let subscriptions = self
            .subscriptions
            .iter()
            .map(|(subscription, _)| subscription);
        self.settings.check(&self.store, subscriptions)?;
        let ready = cancel.run_until_cancelled(self.make_ready()).await;
        match ready {
            Some(ready) => ready?,
            None => return Ok(()),
        }

        let worker = Worker {
            worker_id: self.settings.worker_id.clone(),
            instance: Uuid::new_v4(),
            ttl: self.settings.lease_ttl,
        };
        let leases = Arc::new(Leases::new(
            self.store.db(),
            worker,
            self.settings.heartbeat(),
        ));
        // All tasks end with this future, however it ends.
        let mut upkeep = JoinSet::new();
        let keeper = Arc::clone(&leases);
        upkeep.spawn(async move { keeper.keep().await });
        let wake = Arc::clone(self.store.wake());
        upkeep.spawn(async move { wake.listen().await });

        let stop = cancel.child_token();
        let mut members = JoinSet::new();
        for (subscription, handler) in &self.subscriptions {
            let member = Member {
                store: self.store.clone(),
                settings: self.settings.clone(),
                subscription: subscription.clone(),
                handler: handler.clone(),
                leases: Arc::clone(&leases),
                stop: stop.clone(),
            };
            members.spawn(member.run());
        }
        let mut answer = Ok(());
        while let Some(ended) = members.join_next().await {
            let ended = ended.context("a subscription's task broke down").flatten();
            if let Err(error) = ended {
                stop.cancel();
                if answer.is_ok() {
                    answer = Err(error);
                } else {
                    let error = format!("{error:#}");
                    tracing::error!(error, "a further subscription stopped");
                }
            }
        }
        answer
    }

    /// Looks for the schema and prepares the handlers. A database that is away is waited for, as it
    /// is later on.
    async fn make_ready(&self) -> anyhow::Result<()> {
        let mut pause = PAUSE_MIN;
        loop {
            let attempt = async {
                let migrated = DB::is_migrated(&mut *self.store.pool().acquire().await?).await?;
                if !migrated {
                    return Err(RunnerError::NotMigrated.into());
                }
                self.prepare().await
            };
            match attempt.await {
                Err(error) if may_pass(&error) => {
                    let worker_id = &self.settings.worker_id;
                    let error = format!("{error:#}");
                    tracing::warn!(%worker_id, error, "the database is away, or something is locked; waiting for it");
                }
                ready => return ready,
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn prepare(&self) -> anyhow::Result<()> {
        for (subscription, handler) in &self.subscriptions {
            if subscription.declared.is_none() {
                self.check_name(&subscription.id).await?;
            }
            let Handler::Transactional(handler) = handler else {
                continue;
            };
            let mut tx = DB::begin(self.store.db(), TxLimits::of(self.store.db())).await?;
            handler
                .prepare(&mut tx.tx)
                .await
                .map_err(|error| self.named(error))
                .with_context(|| format!("subscription `{}` can't start", subscription.id))?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Refuses the name of a table's subscription for one without a table.
    async fn check_name(&self, subscription_id: &str) -> anyhow::Result<()> {
        let mut conn = self.store.pool().acquire().await?;
        let versions = DB::table_versions(&mut conn, subscription_id).await?;
        if versions.iter().any(|it| it.dropped_at.is_none()) {
            return Err(RunnerError::NameOfTable {
                subscription_id: subscription_id.to_owned(),
            }
            .into());
        }
        Ok(())
    }

    /// Names the file that can't be written to, where that is what a handler met.
    fn named(&self, error: anyhow::Error) -> anyhow::Error {
        match error.downcast::<EventStoreError>() {
            Ok(error) => DB::named(self.store.db(), error).into(),
            Err(error) => error,
        }
    }
}

/// Whether the database may answer another time: it was out of reach, or somebody held a lock.
fn may_pass(error: &anyhow::Error) -> bool {
    let mut sources = error.chain();
    sources.any(|error| {
        let ours = error.downcast_ref::<EventStoreError>();
        let driver = error.downcast_ref::<sqlx::Error>();
        ours.is_some_and(EventStoreError::is_retryable)
            || driver.is_some_and(crate::error::may_pass)
    })
}

/// Puts a [`ProjectionRunner`] together. Settings are checked when it runs.
#[must_use]
pub struct ProjectionRunnerBuilder<DB: Backend> {
    store: EventStore<DB>,
    settings: Settings,
    subscriptions: Vec<(Subscription, MakeHandler<DB>)>,
}

/// Makes a handler of the settings, which are complete only when the runner is built.
type MakeHandler<DB> = Box<dyn FnOnce(&Settings) -> Handler<DB> + Send>;

impl<DB: Backend> fmt::Debug for ProjectionRunnerBuilder<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProjectionRunnerBuilder")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl<DB: Backend> ProjectionRunnerBuilder<DB> {
    /// The name that a lease shows. Default: a unique one.
    pub fn worker_id(mut self, worker_id: impl Into<String>) -> Self {
        self.settings.worker_id = worker_id.into();
        self
    }

    /// How often to look for events when nothing wakes the runner. Default: 1 second.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.settings.poll_interval = interval;
        self
    }

    /// The most events that are read, and committed, at once. Default: 4,000, and 1,000 for handlers
    /// that are given a batch in one piece. Those that take one event at a time commit after 200 ms
    /// at the latest.
    pub fn batch_size(mut self, events: i64) -> Self {
        self.settings.batch_size = Some(events);
        self
    }

    /// How often an event is tried before the failure policy decides. Default: 5.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.settings.max_attempts = attempts;
        self
    }

    /// The pause after the first failed attempt; it doubles with each further one, up to 30
    /// seconds. Default: 100 ms.
    pub fn retry_backoff(mut self, pause: Duration) -> Self {
        self.settings.retry_backoff = pause;
        self
    }

    /// How long a lease lasts without a heartbeat; at most 365 days. Default: 30 seconds.
    pub fn lease_ttl(mut self, ttl: Duration) -> Self {
        self.settings.lease_ttl = ttl;
        self
    }

    /// How often leases are extended. Default: a third of the ttl, and at least 100 ms.
    pub fn heartbeat_interval(mut self, interval: Duration) -> Self {
        self.settings.heartbeat_interval = Some(interval);
        self
    }

    /// How often a follower looks whether the lease is free. Default: 5 seconds.
    pub fn lease_recheck_interval(mut self, interval: Duration) -> Self {
        self.settings.lease_recheck_interval = interval;
        self
    }

    /// How long a handler may go on after the runner was cancelled. Default: 10 seconds.
    pub fn shutdown_grace(mut self, grace: Duration) -> Self {
        self.settings.shutdown_grace = grace;
        self
    }

    /// For how long a version of a projection's table that doesn't serve must have been without a
    /// leader until its table is dropped. Default: 24 hours.
    pub fn drop_tables_after(mut self, grace: Duration) -> Self {
        self.settings.drop_tables_after = grace;
        self
    }

    /// For how long the version of a projection's table that serves must have been without a leader
    /// until an older one, whose code was rolled back, takes its place. A newer one takes it as
    /// soon as it has caught up. Default: 1 minute.
    pub fn take_over_after(mut self, absence: Duration) -> Self {
        self.settings.take_over_after = absence;
        self
    }

    /// Adds a plain handler: at least once.
    pub fn subscribe(self, id: impl Into<Subscription>, handler: impl EventHandler) -> Self {
        self.subscribe_pages(id, Plain(handler))
    }

    /// Adds a transactional handler: exactly once.
    pub fn subscribe_transactional(
        self,
        id: impl Into<Subscription>,
        handler: impl TransactionalEventHandler<DB>,
    ) -> Self {
        self.subscribe_pages_transactional(id, Transactional(handler))
    }

    /// Adds a transactional handler of whole batches: exactly once.
    pub fn subscribe_transactional_batch(
        self,
        id: impl Into<Subscription>,
        handler: impl TransactionalBatchEventHandler<DB>,
    ) -> Self {
        self.subscribe_pages_transactional(id, TransactionalBatch(handler))
    }

    /// Adds a projection that acts, as `projection!` declares it, under the name that it has there:
    /// exactly once when its functions take a connection, else at least once.
    ///
    /// With settings of its own it is added by [`subscribe_pages`](Self::subscribe_pages) or
    /// [`subscribe_pages_transactional`](Self::subscribe_pages_transactional), since it is such a
    /// handler.
    pub fn subscribe_projection<P: ActingProjection<DB>>(self, projection: P) -> Self {
        projection.subscribe(self)
    }

    /// Adds a handler of undecoded events: at least once.
    pub fn subscribe_pages(self, id: impl Into<Subscription>, handler: impl PageHandler) -> Self {
        self.subscribe_later(id.into(), |_| Handler::Plain(Arc::new(handler)))
    }

    /// Adds a transactional handler of undecoded events: exactly once.
    pub fn subscribe_pages_transactional(
        self,
        id: impl Into<Subscription>,
        handler: impl TransactionalPageHandler<DB>,
    ) -> Self {
        self.subscribe_later(id.into(), |_| Handler::Transactional(Arc::new(handler)))
    }

    /// Adds a handler that is made of the settings.
    pub(crate) fn subscribe_later(
        mut self,
        subscription: Subscription,
        handler: impl FnOnce(&Settings) -> Handler<DB> + Send + 'static,
    ) -> Self {
        self.subscriptions.push((subscription, Box::new(handler)));
        self
    }

    /// [`build`](Self::build), and [`run`](ProjectionRunner::run).
    ///
    /// # Errors
    ///
    /// As [`ProjectionRunner::run`].
    ///
    /// # Cancel safety
    ///
    /// As [`ProjectionRunner::run`].
    pub fn run(
        self,
        cancel: CancellationToken,
    ) -> impl Future<Output = anyhow::Result<()>> + Send + 'static + use<DB> {
        self.build().run(cancel)
    }

    /// The runner.
    pub fn build(self) -> ProjectionRunner<DB> {
        let made = self.subscriptions.into_iter();
        let subscriptions = made
            .map(|(subscription, make)| (subscription, make(&self.settings)))
            .collect();
        ProjectionRunner {
            inner: Arc::new(Inner {
                store: self.store,
                settings: self.settings,
                subscriptions,
            }),
        }
    }
}

/// A runner of several declared projections, of which the compiler knows that no two have the same
/// subscription. One that acts is followed by `=` and its value.
///
/// ```no_run
/// # #[derive(serde::Serialize, serde::Deserialize, mire::EventData)]
/// # #[mire(entity = "account")]
/// # pub enum AccountEvent { Opened { owner: String } }
/// mire::projection!(
///     #[projection(subscription = "welcome-mail", reads(AccountEvent))]
///     pub struct WelcomeMail {
///         sender: String,
///     }
///
///     #[on(AccountEvent::Opened)]
///     async fn welcome(&self, owner: &str) {
///         println!("{}: welcome, {owner}", self.sender);
///     }
/// );
///
/// mire::projection!(
///     #[projection(subscription = "owners", reads(AccountEvent))]
///     pub struct Owner {
///         #[key]
///         account: String,
///         owner: String,
///     }
///
///     #[on(AccountEvent::Opened)]
///     fn opened(&mut self, owner: &str) {
///         self.owner = owner.to_owned();
///     }
/// );
///
/// # async fn example<DB: mire::Backend>(store: mire::EventStore<DB>) -> anyhow::Result<()> {
/// let mail = WelcomeMail {
///     sender: "bank@example.org".to_owned(),
/// };
/// let runner = mire::runner!(&store, Owner, WelcomeMail = mail).build();
/// runner.run(Default::default()).await
/// # }
/// ```
///
/// It answers a [`ProjectionRunnerBuilder`]; handlers written by hand, and projections that are
/// generic over the backend, can be added to it. What the compiler can't see there, the runner says
/// when it starts: [`RunnerError::DuplicateSubscription`](crate::RunnerError::DuplicateSubscription).
#[macro_export]
macro_rules! runner {
    ($($content:tt)*) => {
        $crate::__private::runner!($crate; $($content)*)
    };
}
