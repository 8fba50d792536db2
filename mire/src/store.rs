//! The event store: the one handle through which a service writes and reads its log.

mod append;
mod cache;
mod copy;
mod execute;
mod fold;
mod group_commit;
mod options;
mod read;
mod ready_tables;
mod snapshots;
mod tails;
mod transaction;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::Pool;

use crate::aggregate::{Aggregate, AggregateId, AggregateRoot, stream_name};
use crate::backend::{Backend, Db};
use crate::error::EventStoreError;
use crate::wake::Wake;

pub use append::{Append, Appended};
pub use copy::{Copied, Copy, CopyPhase, CopyProgress, copy};
pub use execute::{Executed, Repository};
pub use options::StoreOptions;
pub use transaction::{CommittedEvents, TransactionScope};

use cache::Cache;
use execute::Turns;
use group_commit::GroupCommit;
use ready_tables::ReadyTables;
use tails::TailReader;

/// How long [`EventStore::migrate`] waits for another process that is migrating.
const MIGRATION_LOCK_TIMEOUT: Duration = Duration::from_secs(60);

/// An append-only store of events, on a pool of database connections.
///
/// Clones are cheap and share everything: keep one for each database and clone it where it is
/// needed. Saves of all clones are committed in groups, and aggregates that were loaded before are
/// cached, so that a load reads only what is new. Neither needs any setting; see [`StoreOptions`]
/// for the bounds.
///
/// ```no_run
/// # async fn example() -> anyhow::Result<()> {
/// let pool = sqlx::PgPool::connect("postgres://localhost/bank").await?;
/// let store = mire::EventStore::new(pool);
/// store.migrate().await?;
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "postgres")]
pub struct EventStore<DB: Backend = sqlx::Postgres> {
    inner: Arc<Inner<DB>>,
}

/// An append-only store of events, on a pool of database connections.
#[cfg(not(feature = "postgres"))]
pub struct EventStore<DB: Backend> {
    inner: Arc<Inner<DB>>,
}

struct Inner<DB: Backend> {
    db: Db<DB>,
    options: StoreOptions,
    commits: GroupCommit<DB>,
    tails: TailReader<DB>,
    cache: Cache,
    turns: Turns,
    ready_tables: ReadyTables,
    wake: Arc<Wake<DB>>,
}

impl<DB: Backend> EventStore<DB> {
    /// A store on this pool, with the default [`StoreOptions`]. Touches no database yet.
    pub fn new(pool: Pool<DB>) -> Self {
        Self::with_options(pool, StoreOptions::default())
    }

    /// A store on this pool. Touches no database yet.
    pub fn with_options(pool: Pool<DB>, options: StoreOptions) -> Self {
        Self::on(Db::new(pool), options)
    }

    /// Opens the store that a URL names, and brings its schema to this release's version: ready to
    /// use. See [`mire::open`](crate::open).
    ///
    /// # Errors
    ///
    /// As [`mire::open`](crate::open).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves at most an empty database file behind.
    pub async fn open(url: &str) -> Result<Self, EventStoreError> {
        let store = Self::on(DB::connect(url).await?, StoreOptions::default());
        store.migrate().await?;
        Ok(store)
    }

    fn on(mut db: Db<DB>, options: StoreOptions) -> Self {
        db.lock_timeout = options.lock_timeout;
        let wake = Wake::new(db.clone());
        Self {
            inner: Arc::new(Inner {
                commits: GroupCommit::new(db.clone(), Arc::clone(&wake), &options),
                tails: TailReader::new(db.clone()),
                cache: Cache::new(&options),
                turns: Turns::default(),
                ready_tables: ReadyTables::default(),
                wake,
                options,
                db,
            }),
        }
    }

    /// The pool that the store was made on.
    pub fn pool(&self) -> &Pool<DB> {
        &self.inner.db.pool
    }

    /// Brings the schema to this release's version, waiting up to a minute for another process that
    /// is at it. All tables are prefixed `mire_`, and the bookkeeping is apart from the user's own
    /// migrations.
    ///
    /// Safe to call from any number of processes at once, at every start.
    ///
    /// Where nothing is to be done, PostgreSQL is only read, so another role may own the schema. One that
    /// runs a service needs SELECT, INSERT, UPDATE and DELETE on its tables, and USAGE, SELECT and UPDATE
    /// on its sequences; with projections that keep tables, also CREATE on the schema.
    ///
    /// # Errors
    ///
    /// [`EventStoreError::Database`] when the lock or a table could not be had in time (see
    /// [`EventStoreError::is_retryable`]) or a statement failed; [`EventStoreError::Migration`] when
    /// a migration that was applied differs from this release's;
    /// [`EventStoreError::Unsupported`] when the schema was altered in a way that breaks a
    /// guarantee, or when it is to be changed by a role that may not. The schema is as it was before,
    /// then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future rolls everything back.
    pub async fn migrate(&self) -> Result<(), EventStoreError> {
        self.migrate_with_lock_timeout(MIGRATION_LOCK_TIMEOUT).await
    }

    /// [`migrate`](Self::migrate), waiting at most `lock_timeout` for each lock.
    ///
    /// # Errors
    ///
    /// As [`migrate`](Self::migrate).
    ///
    /// # Cancel safety
    ///
    /// As [`migrate`](Self::migrate).
    pub async fn migrate_with_lock_timeout(
        &self,
        lock_timeout: Duration,
    ) -> Result<(), EventStoreError> {
        DB::migrate(&self.inner.db, lock_timeout).await
    }

    /// Loads an aggregate: folds its stream, or what is new in it since the last load; `None` when
    /// it has no events.
    ///
    /// The answer is as fresh as the database was during the call. Streams are read in pages, so
    /// that memory does not grow with their length. An aggregate with
    /// [snapshots](Aggregate::snapshots) that isn't cached is looked up there first, for a round trip.
    ///
    /// # Errors
    ///
    /// [`EventStoreError::Deserialization`] for an event that this code can't read,
    /// [`EventStoreError::StreamCorruption`] for a stream with a hole,
    /// [`EventStoreError::InvalidStreamName`] for an id that can't name a stream, and
    /// [`EventStoreError::Database`].
    ///
    /// # Cancel safety
    ///
    /// It changes nothing, so it can be dropped at any time.
    pub fn load<A: Aggregate>(
        &self,
        id: impl AggregateId<A>,
    ) -> BoxFuture<'_, Result<Option<AggregateRoot<A>>, EventStoreError>> {
        let stream = stream_name::<A>(&id);
        Box::pin(async move {
            let stream = stream?;
            let folded = self.fold_cached::<A>(stream.as_str()).await?;
            Ok(folded.map(|folded| folded.into_root(stream.into_string())))
        })
    }

    /// [`load`](Self::load), with a new aggregate where there are no events.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    ///
    /// # Cancel safety
    ///
    /// It changes nothing, so it can be dropped at any time.
    pub fn load_or_default<A: Aggregate>(
        &self,
        id: impl AggregateId<A>,
    ) -> BoxFuture<'_, Result<AggregateRoot<A>, EventStoreError>> {
        let stream = stream_name::<A>(&id);
        Box::pin(async move {
            let stream = stream?;
            let folded = self.fold_cached::<A>(stream.as_str()).await?;
            Ok(folded.unwrap_or_default().into_root(stream.into_string()))
        })
    }

    /// Whether an aggregate has any events.
    ///
    /// # Errors
    ///
    /// [`EventStoreError::InvalidStreamName`] and [`EventStoreError::Database`].
    ///
    /// # Cancel safety
    ///
    /// It changes nothing, so it can be dropped at any time.
    pub fn stream_exists<A: Aggregate>(
        &self,
        id: impl AggregateId<A>,
    ) -> BoxFuture<'_, Result<bool, EventStoreError>> {
        let stream = stream_name::<A>(&id);
        Box::pin(async move {
            let stream = stream?;
            let mut conn = self.inner.db.pool.acquire().await?;
            let version = DB::stream_version(&mut conn, stream.as_str()).await?;
            Ok(version.is_some_and(|version| version > 0))
        })
    }

    /// The store's database, for the rest of the crate.
    pub(crate) fn db(&self) -> &Db<DB> {
        &self.inner.db
    }

    /// What look-ups remember of tables.
    pub(crate) fn ready_tables(&self) -> &ReadyTables {
        &self.inner.ready_tables
    }

    /// What wakes those who wait for events or checkpoints.
    pub(crate) fn wake(&self) -> &Arc<Wake<DB>> {
        &self.inner.wake
    }
}

impl<DB: Backend> Clone for EventStore<DB> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<DB: Backend> fmt::Debug for EventStore<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStore")
            .field("backend", &DB::NAME)
            .field("options", &self.inner.options)
            .finish_non_exhaustive()
    }
}
