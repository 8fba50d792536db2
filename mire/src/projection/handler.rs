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
    ///
    /// One for a single backend names its connection (`conn: &mut sqlx::PgConnection`). One for
    /// both is generic, and says what its SQL needs of a backend: that statements run on its
    /// connection, and that the types which it binds are known there. Both take `$1` for a
    /// parameter.
    ///
    /// ```
    /// use mire::{Aggregate, Backend, HandledEvent, TransactionalEventHandler};
    /// use sqlx::{Encode, Executor, IntoArguments, Type};
    ///
    /// /// Keeps where each stream's last event stands.
    /// struct LastPositions<A>(std::marker::PhantomData<fn() -> A>);
    ///
    /// impl<A: Aggregate, DB: Backend> TransactionalEventHandler<DB> for LastPositions<A>
    /// where
    ///     for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    ///     DB::Arguments: IntoArguments<DB>,
    ///     for<'q> i64: Encode<'q, DB> + Type<DB>,
    ///     for<'q> &'q str: Encode<'q, DB> + Type<DB>,
    /// {
    ///     type Aggregate = A;
    ///
    ///     async fn handle(
    ///         &self,
    ///         event: HandledEvent<A::Event>,
    ///         conn: &mut DB::Connection,
    ///     ) -> anyhow::Result<()> {
    ///         sqlx::query(
    ///             "INSERT INTO last_positions (stream, position) VALUES ($1, $2)
    ///              ON CONFLICT (stream) DO UPDATE SET position = excluded.position",
    ///         )
    ///         .bind(event.stream_id())
    ///         .bind(event.global_position())
    ///         .execute(conn)
    ///         .await?;
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # mire::aggregate!(
    /// #     /// A lamp.
    /// #     #[aggregate(category = "lamp")]
    /// #     pub struct Lamp { lit: bool }
    /// #     /// It was lit.
    /// #     #[event]
    /// #     fn switched(&mut self, lit: bool) { self.lit = lit; }
    /// # );
    /// # #[cfg(all(feature = "postgres", feature = "sqlite"))]
    /// # fn on_both(
    /// #     server: mire::EventStore<mire::Postgres>,
    /// #     embedded: mire::EventStore<mire::Sqlite>,
    /// # ) {
    /// let handler = || LastPositions::<Lamp>(std::marker::PhantomData);
    /// let runner = mire::ProjectionRunner::builder(server)
    ///     .subscribe_transactional("last-positions", handler())
    ///     .build();
    /// let the_same = mire::ProjectionRunner::builder(embedded)
    ///     .subscribe_transactional("last-positions", handler())
    ///     .build();
    /// # }
    /// # #[cfg(feature = "sqlite")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> anyhow::Result<()> {
    /// #     let store = mire::open::<mire::Sqlite>("sqlite::memory:").await?;
    /// #     sqlx::query("CREATE TABLE last_positions (stream text PRIMARY KEY, position bigint)")
    /// #         .execute(store.pool())
    /// #         .await?;
    /// #     let events = [true, false].map(|lit| mire::Event::new(LampEvent::Switched { lit }));
    /// #     store.append("lamp-1", "lamp", mire::ExpectedVersion::NoStream, &events).await?;
    /// #     let stop = tokio_util::sync::CancellationToken::new();
    /// #     let runner = mire::ProjectionRunner::builder(store.clone())
    /// #         .subscribe_transactional("s", LastPositions::<Lamp>(std::marker::PhantomData))
    /// #         .build();
    /// #     let running = tokio::spawn(runner.run(stop.clone()));
    /// #     store.wait_for("s", 2, std::time::Duration::from_secs(20)).await?;
    /// #     let position: i64 = sqlx::query_scalar("SELECT position FROM last_positions")
    /// #         .fetch_one(store.pool())
    /// #         .await?;
    /// #     assert_eq!(position, 2);
    /// #     stop.cancel();
    /// #     running.await?
    /// # }
    /// # #[cfg(not(feature = "sqlite"))]
    /// # fn main() {}
    /// ```
    pub trait TransactionalEventHandler<DB> {
        /// Whose events.
        type Aggregate: Aggregate;

        /// Handles one event. The transaction is the runner's; it must not be ended here. It may
        /// take longer than the lease lasts, but holds its locks meanwhile (on SQLite nobody else
        /// can write at all): do slow work that is not SQL in a plain handler.
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
        /// Default: 4,000.
        fn batch_size(&self) -> i64 {
            crate::projection::leader::BATCH_SIZE
        }

        /// Called before the runner starts, in a transaction of its own, on every replica: to create
        /// and check tables. A leader calls it again when the database says that a table is not
        /// there.
        ///
        /// Others may wait for what it locks, so on PostgreSQL the server ends the transaction when
        /// nothing was asked in it for 30 seconds, as of a process that was stopped; and no statement
        /// waits for a lock for longer than the store's
        /// [`lock_timeout`](crate::StoreOptions::lock_timeout). Either way it is called again.
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

        /// Called with why a leader stops or can't go on, and with `None` when it goes on; in a
        /// transaction of its own, which no checkpoint fences. Only where
        /// [`minds_catching_up`](Self::minds_catching_up) says yes.
        fn hindered<'a>(
            &'a self,
            hindrance: Option<&'a str>,
            conn: &'a mut DB::Connection,
        ) -> BoxFuture<'a, anyhow::Result<()>> {
            let _ = (hindrance, conn);
            Box::pin(std::future::ready(Ok(())))
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
