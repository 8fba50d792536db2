//! Projections that act: from what `projection!` writes for them to handlers of pages.
//!
//! A plain one handles event by event before the checkpoint moves: at least once. A transactional
//! one gets the connection of the checkpoint's transaction: exactly once for what it writes there.
//! Each event's future is boxed, so that one which isn't `Send` is reported on the function that
//! made it, and nowhere else.

use std::future::Future;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Map};

use crate::backend::Backend;
use crate::projection::reads::{Set, read_any};
use crate::projection::{
    Batch, Failure, PageHandler, ProjectionRunner, ProjectionRunnerBuilder,
    TransactionalPageHandler,
};
use crate::store::EventStore;
use crate::subscription::{EventInfo, PageEvent};

/// A projection that acts, and the databases that it runs on. `projection!` writes this; a handler
/// written by hand is added to a runner as what it is, and needs no such thing.
///
/// A transactional one that runs on both backends bounds what its SQL needs on its struct:
///
/// ```
/// use std::marker::PhantomData;
///
/// use mire::Backend;
/// use sqlx::{Encode, Executor, IntoArguments, Type};
///
/// mire::aggregate!(
///     #[aggregate(category = "card", id(CardId))]
///     struct Card {
///         spent: i64,
///     }
///
///     #[event]
///     fn charged(&mut self, amount: i64) {
///         self.spent += amount;
///     }
/// );
///
/// mire::projection!(
///     #[projection(subscription = "invoices", reads(CardEvent))]
///     struct Invoices<DB: Backend>(PhantomData<fn() -> DB>)
///     where
///         for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
///         DB::Arguments: IntoArguments<DB>,
///         for<'q> i64: Encode<'q, DB> + Type<DB>;
///
///     #[on(CardEvent::Charged)]
///     async fn charged(&self, amount: i64, tx: &mut DB::Connection) -> anyhow::Result<()> {
///         let insert = sqlx::query("INSERT INTO invoices (amount) VALUES ($1)");
///         insert.bind(amount).execute(tx).await?;
///         Ok(())
///     }
/// );
///
/// # #[cfg(all(feature = "postgres", feature = "sqlite"))]
/// fn runners(server: &mire::EventStore<mire::Postgres>, embedded: &mire::EventStore<mire::Sqlite>) {
///     let on_server = mire::runner!(server, Invoices<mire::Postgres> = Invoices(PhantomData)).build();
///     let in_file = mire::runner!(embedded, Invoices<mire::Sqlite> = Invoices(PhantomData)).build();
///     # drop((on_server, in_file));
/// }
/// # #[cfg(feature = "sqlite")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// #     let store = mire::open::<mire::Sqlite>("sqlite::memory:").await?;
/// #     let table = "CREATE TABLE invoices (amount bigint)";
/// #     sqlx::query(table).execute(store.pool()).await?;
/// #     let charged = [mire::Event::new(CardEvent::Charged { amount: 5 })];
/// #     let any = mire::ExpectedVersion::Any;
/// #     store.append_to(&Card::stream(&CardId::new())?, any, &charged).await?;
/// #     let stop = tokio_util::sync::CancellationToken::new();
/// #     let runner = mire::runner!(&store, Invoices<mire::Sqlite> = Invoices(PhantomData)).build();
/// #     let running = tokio::spawn(runner.run(stop.clone()));
/// #     let patience = std::time::Duration::from_secs(20);
/// #     Invoices::<mire::Sqlite>::wait_for(&store, 1, patience).await?;
/// #     let sum: i64 = sqlx::query_scalar("SELECT sum(amount) FROM invoices")
/// #         .fetch_one(store.pool())
/// #         .await?;
/// #     assert_eq!(sum, 5);
/// #     stop.cancel();
/// #     running.await?
/// # }
/// # #[cfg(not(feature = "sqlite"))]
/// # fn main() {}
/// ```
#[diagnostic::on_unimplemented(
    message = "the projection `{Self}` doesn't act on a store of `{DB}`",
    label = "not a projection for this store",
    note = "a transactional projection runs on the database of the connection that its functions take: `&mut sqlx::PgConnection` is for `mire::Postgres`, and `&mut sqlx::SqliteConnection` for `mire::Sqlite`",
    note = "a projection with a table is given by its type: `{Self}` alone in `runner!`, or `subscribe_table::<{Self}>()`"
)]
pub trait ActingProjection<DB: Backend>: Sized {
    /// The name of its subscription.
    const SUBSCRIPTION: &'static str;

    /// Adds it to a runner under that name.
    fn subscribe(self, builder: ProjectionRunnerBuilder<DB>) -> ProjectionRunnerBuilder<DB>;
}

/// Which events an acting projection reads.
pub trait Reads {
    /// A decoded event: an enum with a variant for each enum of events.
    type Event: Send + Sync + 'static;

    /// The enums of events.
    const SETS: &'static [Set<Self::Event>];
}

/// What a function does for an event, under way.
pub type Acting<'a> = BoxFuture<'a, anyhow::Result<()>>;

/// A batch, under way.
pub type Handling<'a> = BoxFuture<'a, Result<(), Failure>>;

/// Acts on an event, at least once.
pub trait Acts: Reads {
    /// Calls the function of the event.
    fn act<'a>(&'a self, event: &'a Self::Event, info: &'a EventInfo) -> Acting<'a>;
}

/// Acts on an event through the connection of the checkpoint's transaction.
pub trait ActsIn<DB: Backend>: Reads {
    /// Calls the function of the event.
    fn act<'a>(
        &'a self,
        event: &'a Self::Event,
        info: &'a EventInfo,
        connection: &'a mut DB::Connection,
    ) -> Acting<'a>;
}

/// What a projection that acts can hold.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be shared between threads, and a projection's functions run on any",
    label = "lacks `Send` or `Sync`",
    note = "hold an `Arc` for an `Rc`, a `Mutex` for a `RefCell`, an `AtomicI64` for a `Cell<i64>`, a `Box<dyn Trait + Send + Sync>` for a `Box<dyn Trait>`; in a type of your own, look for one of them"
)]
pub trait Held: Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Send + Sync + 'static> Held for T {}

/// Stops the compiler when a projection that acts can't hold a type.
pub const fn held<T: Held>() {}

/// As [`held`], of a field.
pub const fn held_field<T: Held>(_: &T) {}

/// A projection, to be added to a runner.
pub struct Added<DB: Backend, P>(pub ProjectionRunnerBuilder<DB>, pub P);

impl<DB: Backend, P: PageHandler> Added<DB, P> {
    /// Adds a plain one.
    pub fn subscribe_pages(self, subscription: &str) -> ProjectionRunnerBuilder<DB> {
        self.0.subscribe_pages(subscription, self.1)
    }
}

impl<DB: Backend, P: TransactionalPageHandler<DB>> Added<DB, P> {
    /// Adds a transactional one.
    pub fn subscribe_pages_transactional(self, subscription: &str) -> ProjectionRunnerBuilder<DB> {
        self.0.subscribe_pages_transactional(subscription, self.1)
    }
}

/// What is meant instead where a projection holds what it can't. That has been said by then, so this
/// is never run.
pub trait NotAdded<DB: Backend>: Sized {
    /// Nothing.
    fn subscribe_pages(self, _: &str) -> ProjectionRunnerBuilder<DB> {
        unreachable!("a projection that holds what is not `Held` does not build")
    }

    /// Nothing.
    fn subscribe_pages_transactional(self, subscription: &str) -> ProjectionRunnerBuilder<DB> {
        self.subscribe_pages(subscription)
    }
}

impl<DB: Backend, P> NotAdded<DB> for Added<DB, P> {}

/// What a function of an acting projection may return.
#[diagnostic::on_unimplemented(
    message = "a function that acts on an event can't return `{Self}`",
    label = "neither `()` nor a `Result<(), …>` of an error",
    note = "return `anyhow::Result<()>`: an error has the event delivered again",
    note = "an error of your own is one that implements `std::error::Error`, and can be sent between threads"
)]
pub trait Outcome {
    /// As a result.
    fn into_result(self) -> anyhow::Result<()>;
}

impl Outcome for () {
    fn into_result(self) -> anyhow::Result<()> {
        Ok(self)
    }
}

#[diagnostic::do_not_recommend]
impl<E: Into<anyhow::Error>> Outcome for Result<(), E> {
    fn into_result(self) -> anyhow::Result<()> {
        self.map_err(Into::into)
    }
}

/// What a function answers for an event, as a result. Apart from [`handled`], so that another answer is
/// reported where the function says it.
pub fn answered<O: Outcome, F: Future<Output = O>>(
    future: F,
) -> Map<F, fn(O) -> anyhow::Result<()>> {
    future.map(O::into_result)
}

/// What a function does for an event.
pub fn handled<'a>(future: impl Future<Output = anyhow::Result<()>> + Send + 'a) -> Acting<'a> {
    Box::pin(future)
}

/// Nothing, for an event that is ignored.
pub fn nothing<'a>() -> Acting<'a> {
    Box::pin(std::future::ready(Ok(())))
}

/// The categories of a projection, each once.
pub fn categories<P: Reads>() -> Vec<String> {
    let categories = P::SETS.iter().map(|set| set.category().to_owned());
    let mut categories: Vec<String> = categories.collect();
    categories.sort();
    categories.dedup();
    categories
}

/// The runner of a `runner!` whose store was forgotten. That has been said by then, so this is never
/// run.
pub fn no_runner() -> ProjectionRunnerBuilder<AnyDatabase> {
    unreachable!("`runner!` without a store does not build")
}

#[cfg(feature = "postgres")]
type AnyDatabase = sqlx::Postgres;
#[cfg(not(feature = "postgres"))]
type AnyDatabase = sqlx::Sqlite;

/// A database that the projection `P` runs on: [`ActingProjection`] the other way round. As a bound
/// of the store's database it is looked at once the store is known; the compiler would otherwise
/// take the database from the projection, and call a store of another one a mismatched type.
pub trait DatabaseOf<P>: Backend {
    /// A runner of one projection.
    fn runner(store: &EventStore<Self>, projection: P) -> ProjectionRunnerBuilder<Self>;
}

impl<DB: Backend, P: ActingProjection<DB>> DatabaseOf<P> for DB {
    fn runner(store: &EventStore<DB>, projection: P) -> ProjectionRunnerBuilder<DB> {
        ProjectionRunner::builder(store.clone()).subscribe_projection(projection)
    }
}

/// Hands the events of a batch to a projection, one by one.
pub fn act<'a, P: Acts + PageHandler>(projection: &'a P, batch: &'a Batch) -> Handling<'a> {
    Box::pin(async move {
        while let Some(event) = batch.next() {
            if let Some((event, info)) = decode::<P>(batch, &event)? {
                projection.act(&event, &info).await?;
            }
        }
        Ok(())
    })
}

/// [`act`], in the transaction of `connection`.
pub fn act_in<'a, DB: Backend, P: ActsIn<DB> + TransactionalPageHandler<DB>>(
    projection: &'a P,
    batch: &'a Batch,
    connection: &'a mut DB::Connection,
) -> Handling<'a> {
    Box::pin(async move {
        while let Some(event) = batch.next() {
            if let Some((event, info)) = decode::<P>(batch, &event)? {
                projection.act(&event, &info, &mut *connection).await?;
            }
        }
        Ok(())
    })
}

fn decode<P: Reads>(
    batch: &Batch,
    event: &PageEvent<'_>,
) -> Result<Option<(P::Event, EventInfo)>, Failure> {
    let decoded = read_any(event, P::SETS)
        .map_err(|source| Failure::at(event, event.undecodable(source)).permanent())?;
    Ok(decoded.zip(EventInfo::new(batch.page(), event.index())))
}
