//! The handlers that a subscription can have.

use std::future::Future;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use serde_json::Value;

use crate::aggregate::Aggregate;
use crate::backend::Backend;
use crate::projection::{Batch, Failure};
use crate::subscription::EventInfo;

/// An event on its way to a handler.
#[derive(Debug, Clone)]
pub struct HandledEvent<E> {
    /// The event.
    pub event: E,
    info: EventInfo,
}

impl<E> HandledEvent<E> {
    pub(crate) fn new(event: E, info: EventInfo) -> Self {
        Self { event, info }
    }

    /// Where it stands and what was stored beside it.
    pub fn info(&self) -> &EventInfo {
        &self.info
    }

    /// Its position in the log.
    pub fn global_position(&self) -> i64 {
        self.info.global_position()
    }

    /// Its stream, `{category}-{id}`.
    pub fn stream_id(&self) -> &str {
        self.info.stream_id()
    }

    /// Its version in the stream: 1, 2, 3 …
    pub fn stream_version(&self) -> i64 {
        self.info.stream_version()
    }

    /// Its stored name.
    pub fn event_type(&self) -> &str {
        self.info.event_type()
    }

    /// Its metadata; `null` when there is none. Parsed when it is first asked for.
    pub fn metadata(&self) -> &Value {
        self.info.metadata()
    }

    /// When it was written, by the database's clock.
    pub fn created_at(&self) -> DateTime<Utc> {
        self.info.created_at()
    }
}

/// Does something for each event of an aggregate, at least once.
///
/// After a failure or a failover, events may come again, in the same order within a stream: make
/// the effect idempotent, for example by the event's position.
pub trait EventHandler: Send + Sync + 'static {
    /// Whose events.
    type Aggregate: Aggregate;

    /// Handles one event. An error has it delivered again; see [`crate::FailurePolicy`].
    ///
    /// # Cancel safety
    ///
    /// The future is dropped when the lease is lost and when a shutdown's grace is over.
    fn handle(
        &self,
        event: HandledEvent<<Self::Aggregate as Aggregate>::Event>,
    ) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// Declares a trait twice, since the default backend exists with its feature only.
macro_rules! on_backend {
    ($($(#[$doc:meta])* pub trait $name:ident<DB> { $($body:tt)* })*) => {$(
        #[cfg(feature = "postgres")]
        $(#[$doc])*
        pub trait $name<DB: Backend = sqlx::Postgres>: Send + Sync + 'static { $($body)* }

        #[cfg(not(feature = "postgres"))]
        $(#[$doc])*
        pub trait $name<DB: Backend>: Send + Sync + 'static { $($body)* }
    )*};
}

on_backend! {
    /// Writes to the database for each event of an aggregate, exactly once: what it writes through
    /// `conn` is committed together with the checkpoint.
    pub trait TransactionalEventHandler<DB> {
        /// Whose events.
        type Aggregate: Aggregate;

        /// Handles one event. The transaction is the runner's; it must not be ended here. A
        /// transaction in which nothing happens for longer than the lease's ttl is ended by
        /// PostgreSQL, so that a host that vanished holds nobody up, and the event counts as
        /// failed: do slow work that is not SQL in a plain handler.
        ///
        /// # Cancel safety
        ///
        /// The future is dropped, and the transaction rolled back, when the lease is lost and when
        /// a shutdown's grace is over.
        fn handle(
            &self,
            event: HandledEvent<<Self::Aggregate as Aggregate>::Event>,
            conn: &mut DB::Connection,
        ) -> impl Future<Output = anyhow::Result<()>> + Send;
    }

    /// Writes to the database for many events at once, exactly once.
    pub trait TransactionalBatchEventHandler<DB> {
        /// Whose events.
        type Aggregate: Aggregate;

        /// Handles events in order, all or none. After an error they come again in smaller
        /// batches, until the failing one stands alone.
        ///
        /// # Cancel safety
        ///
        /// As [`TransactionalEventHandler::handle`].
        fn handle_batch(
            &self,
            events: Vec<HandledEvent<<Self::Aggregate as Aggregate>::Event>>,
            conn: &mut DB::Connection,
        ) -> impl Future<Output = anyhow::Result<()>> + Send;
    }

    /// Handles undecoded events of any aggregates in the transaction of the checkpoint: what all
    /// other transactional handlers are made of.
    pub trait TransactionalPageHandler<DB> {
        /// The categories to read; empty for all. Whole categories, so that the order of versions
        /// can be checked.
        fn categories(&self) -> Vec<String>;

        /// How many events it is given at once at most, unless the runner was told a number.
        /// Default: 1,000.
        fn batch_size(&self) -> i64 {
            crate::projection::leader::BATCH_SIZE
        }

        /// Called once before the runner starts, in a transaction of its own, on every replica: to
        /// create and check tables.
        fn prepare<'a>(&'a self, conn: &'a mut DB::Connection) -> BoxFuture<'a, anyhow::Result<()>> {
            let _ = conn;
            Box::pin(std::future::ready(Ok(())))
        }

        /// Called when all events up to `up_to`, the end of the log, are handled: by each leader
        /// once it has come so far, also when no event was for it. The transaction ends with the
        /// fenced checkpoint, so what it writes takes effect only if this still is the leader.
        ///
        /// Answers after which time to call it again, unless the subscription falls behind before;
        /// `None` for not at all. After an error it is called again within seconds.
        ///
        /// # Cancel safety
        ///
        /// As [`handle`](Self::handle).
        fn caught_up<'a>(
            &'a self,
            up_to: i64,
            conn: &'a mut DB::Connection,
        ) -> BoxFuture<'a, anyhow::Result<Option<Duration>>> {
            let _ = (up_to, conn);
            Box::pin(std::future::ready(Ok(None)))
        }

        /// Whether [`caught_up`](Self::caught_up) does anything. Default: no.
        fn minds_catching_up(&self) -> bool {
            false
        }

        /// Handles the events that it takes from the batch.
        ///
        /// # Cancel safety
        ///
        /// The future is dropped, and the transaction rolled back, when the lease is lost and when
        /// a shutdown's grace is over.
        fn handle<'a>(
            &'a self,
            batch: &'a Batch,
            conn: &'a mut DB::Connection,
        ) -> BoxFuture<'a, Result<(), Failure>>;
    }
}

/// Handles undecoded events of any aggregates, at least once.
pub trait PageHandler: Send + Sync + 'static {
    /// The categories to read; empty for all.
    fn categories(&self) -> Vec<String>;

    /// Handles the events that it takes from the batch.
    fn handle<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<(), Failure>>;
}
