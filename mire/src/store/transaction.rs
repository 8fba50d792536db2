//! Transactions of the caller's: reads, saves and SQL that are committed together.
//!
//! A save in a scope locks its stream and checks the version at once, so a conflict shows where it
//! happens. The events themselves are written by [`commit`](TransactionScope::commit), in one
//! statement right before the commit: positions are drawn last, so that however long a scope stays
//! open, no subscription waits for it.

use std::fmt;

use chrono::Utc;
use futures_util::future::BoxFuture;
use sqlx::Transaction;

use super::EventStore;
use super::append::answers;
use super::fold::{Folded, InOrder, Reach, corruption, fold_tail};
use super::read::recorded;
use super::snapshots::stored;
use crate::aggregate::{Aggregate, AggregateId, AggregateRoot, stream_name};
use crate::backend::{
    AppendMode, AppendOutcome, Backend, NewAppend, NewEvent, RawEvent, TxLimits, WriteTx,
};
use crate::error::EventStoreError;
use crate::event::{Event, EventData, RecordedEvent};
use crate::snapshot::{Snapshot, Snapshots};
use crate::stream::{ExpectedVersion, StreamName};

/// A transaction over several streams and the caller's own SQL. See
/// [`EventStore::begin_transaction`].
///
/// Dropping it rolls everything back.
#[cfg(feature = "postgres")]
pub struct TransactionScope<'a, DB: Backend = sqlx::Postgres> {
    store: &'a EventStore<DB>,
    tx: WriteTx<DB>,
    staged: Vec<Staged>,
    due: Vec<Due<DB>>,
}

/// A transaction over several streams and the caller's own SQL. See
/// [`EventStore::begin_transaction`].
///
/// Dropping it rolls everything back.
#[cfg(not(feature = "postgres"))]
pub struct TransactionScope<'a, DB: Backend> {
    store: &'a EventStore<DB>,
    tx: WriteTx<DB>,
    staged: Vec<Staged>,
    due: Vec<Due<DB>>,
}

/// A snapshot that is to be left once the events are committed.
struct Due<DB: Backend> {
    stream_id: String,
    before: i64,
    leave: for<'a> fn(&'a EventStore<DB>, &'a str, i64) -> BoxFuture<'a, ()>,
}

/// Events that the commit will write to one stream, whose lock is held.
struct Staged {
    stream: StreamName,
    /// The stream's version in the database.
    base: i64,
    events: Vec<NewEvent>,
    /// How many of them the caller has taken already.
    taken: usize,
}

impl Staged {
    fn version(&self) -> i64 {
        self.base + self.events.len() as i64
    }
}

/// What a [`TransactionScope`] wrote.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CommittedEvents {
    /// The events, stream by stream, without those that were taken before.
    pub events: Vec<RecordedEvent>,
    /// The highest position that was written: what to wait for. `None` when
    /// nothing was written.
    pub position: Option<i64>,
}

impl CommittedEvents {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }
}

impl<DB: Backend> EventStore<DB> {
    /// Begins a transaction in which aggregates are loaded and saved, and the caller's own SQL runs
    /// through [`TransactionScope::tx`]. It holds a connection of the pool until it ends.
    ///
    /// # Errors
    ///
    /// [`EventStoreError::Database`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future rolls back.
    pub async fn begin_transaction(&self) -> Result<TransactionScope<'_, DB>, EventStoreError> {
        let limits = TxLimits {
            lock: Some(self.inner.options.lock_timeout),
            idle: None,
        };
        Ok(TransactionScope {
            store: self,
            tx: DB::begin(&self.inner.db, limits).await?,
            staged: Vec::new(),
            due: Vec::new(),
        })
    }
}

impl<DB: Backend> TransactionScope<'_, DB> {
    /// Loads an aggregate as this transaction sees it, with what was saved in the scope; `None`
    /// when it has no events.
    ///
    /// # Errors
    ///
    /// As [`EventStore::load`].
    ///
    /// # Cancel safety
    ///
    /// It changes nothing.
    pub fn load<A: Aggregate>(
        &mut self,
        id: impl AggregateId<A>,
    ) -> BoxFuture<'_, Result<Option<AggregateRoot<A>>, EventStoreError>> {
        let stream = stream_name::<A>(&id);
        Box::pin(async move {
            let stream = stream?;
            let folded = self.fold_stored(&stream, A::snapshots()).await?;
            Ok(folded.map(|folded| folded.into_root(stream.into_string())))
        })
    }

    /// [`load`](Self::load), and locks the stream until the transaction ends, so that nobody else
    /// can append to it: a later save in the scope can't conflict. A stream without events can't be
    /// locked.
    ///
    /// # Errors
    ///
    /// As [`EventStore::load`]; a [lock time-out](crate::DbErrorKind::LockTimeout) when another
    /// transaction holds it for too long.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the stream may be locked until the transaction ends.
    pub fn load_for_update<A: Aggregate>(
        &mut self,
        id: impl AggregateId<A>,
    ) -> BoxFuture<'_, Result<Option<AggregateRoot<A>>, EventStoreError>> {
        let stream = stream_name::<A>(&id);
        Box::pin(async move {
            let stream = stream?;
            let folded = self.fold_locked(&stream).await?;
            Ok(folded.map(|folded| folded.into_root(stream.into_string())))
        })
    }

    /// [`load`](Self::load), with a new aggregate where there are no events.
    ///
    /// # Errors
    ///
    /// As [`EventStore::load`].
    ///
    /// # Cancel safety
    ///
    /// It changes nothing.
    pub fn load_or_default<A: Aggregate>(
        &mut self,
        id: impl AggregateId<A>,
    ) -> BoxFuture<'_, Result<AggregateRoot<A>, EventStoreError>> {
        let stream = stream_name::<A>(&id);
        Box::pin(async move {
            let stream = stream?;
            let folded = self.fold_stored(&stream, A::snapshots()).await?;
            Ok(folded.unwrap_or_default().into_root(stream.into_string()))
        })
    }

    /// [`load_for_update`](Self::load_for_update), with a new aggregate where there are no events.
    ///
    /// # Errors
    ///
    /// As [`load_for_update`](Self::load_for_update).
    ///
    /// # Cancel safety
    ///
    /// As [`load_for_update`](Self::load_for_update).
    pub fn load_or_default_for_update<A: Aggregate>(
        &mut self,
        id: impl AggregateId<A>,
    ) -> BoxFuture<'_, Result<AggregateRoot<A>, EventStoreError>> {
        let stream = stream_name::<A>(&id);
        Box::pin(async move {
            let stream = stream?;
            let folded = self.fold_locked(&stream).await?;
            Ok(folded.unwrap_or_default().into_root(stream.into_string()))
        })
    }

    /// [`load`](Self::load), starting from the stored snapshot where there is one that fits.
    ///
    /// # Errors
    ///
    /// As [`EventStore::load`].
    ///
    /// # Cancel safety
    ///
    /// It changes nothing.
    pub fn load_snapshotted<A: Snapshot>(
        &mut self,
        id: impl AggregateId<A>,
    ) -> BoxFuture<'_, Result<Option<AggregateRoot<A>>, EventStoreError>> {
        let stream = stream_name::<A>(&id);
        Box::pin(async move {
            let stream = stream?;
            let folded = self.fold_stored(&stream, Some(Snapshots::of())).await?;
            Ok(folded.map(|folded| folded.into_root(stream.into_string())))
        })
    }

    /// Saves the aggregate's pending events as part of this transaction. They become durable with
    /// [`commit`](Self::commit); the stream is locked from now on.
    ///
    /// # Errors
    ///
    /// As [`EventStore::save`]. After a conflict the scope can be used on.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, nothing of it will be written, and the pending events stay in
    /// place. The stream may be locked until the transaction ends.
    pub async fn save<A: Aggregate>(
        &mut self,
        root: &mut AggregateRoot<A>,
    ) -> Result<(), EventStoreError> {
        if !root.has_pending() {
            return Ok(());
        }
        let append = self.store.pending_append(root)?;
        let version = self.stage(append).await?;
        let before = root.version;
        root.saved(version);
        if A::snapshots().is_some_and(|it| it.is_due(before, version)) {
            self.due.push(Due {
                stream_id: root.stream_id.clone(),
                before,
                leave: |store, stream_id, before| {
                    Box::pin(store.leave_snapshot_of::<A>(stream_id, before))
                },
            });
        }
        Ok(())
    }

    /// Appends events to a stream as part of this transaction, and answers the stream's version
    /// afterwards. They become durable, and get their positions, with [`commit`](Self::commit); the
    /// stream is locked from now on.
    ///
    /// # Errors
    ///
    /// As [`EventStore::append`]. After a conflict the scope can be used on.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, nothing of it will be written. The stream may be locked until
    /// the transaction ends.
    pub async fn append<E: EventData>(
        &mut self,
        stream_id: &str,
        category: &str,
        expected: ExpectedVersion,
        events: &[Event<E>],
    ) -> Result<i64, EventStoreError> {
        let append = self
            .store
            .append_of(stream_id, category, expected, events)?;
        self.stage(append).await
    }

    /// The database's own transaction, for the caller's SQL.
    pub fn tx(&mut self) -> &mut Transaction<'static, DB> {
        &mut self.tx.tx
    }

    /// Takes the events that were saved so far away from what [`commit`](Self::commit) will answer.
    /// They have no position yet (it is 0), and they happen only if the commit succeeds.
    pub fn take_committed_events(&mut self) -> Vec<RecordedEvent> {
        let now = Utc::now();
        let mut events = Vec::new();
        for staged in &mut self.staged {
            let (stream, base) = (&staged.stream, staged.base);
            let rest = staged.events.iter().enumerate().skip(staged.taken);
            events.extend(rest.filter_map(|(index, event)| {
                let raw = raw(stream, base, index, event, 0);
                let mut event = recorded(&raw).ok()?;
                event.created_at = now;
                Some(event)
            }));
            staged.taken = staged.events.len();
        }
        events
    }

    /// Writes all saved events and commits, with the caller's SQL, and answers the events with
    /// their positions. Once it returns, all of it is durable.
    ///
    /// # Errors
    ///
    /// [`EventStoreError::Database`]; everything is rolled back then, except that a connection that
    /// broke during the commit leaves it unknown.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, either all or nothing is committed.
    pub async fn commit(mut self) -> Result<CommittedEvents, EventStoreError> {
        if self.staged.is_empty() {
            self.tx.commit().await?;
            return Ok(CommittedEvents::default());
        }
        let (appends, taken): (Vec<NewAppend>, Vec<usize>) = std::mem::take(&mut self.staged)
            .into_iter()
            .map(|staged| {
                let append = NewAppend {
                    expected: ExpectedVersion::after(staged.base),
                    idempotency_key: None,
                    stream: staged.stream,
                    events: staged.events,
                };
                (append, staged.taken)
            })
            .unzip();
        let outcomes = DB::append_in_tx(&mut self.tx.tx, &appends, AppendMode::Atomic).await?;
        let answered = answers(&appends, outcomes.clone())?;
        self.tx.commit().await?;
        self.store.committed();
        for due in &self.due {
            (due.leave)(self.store, &due.stream_id, due.before).await;
        }

        let mut events = Vec::new();
        for ((append, taken), outcome) in appends.iter().zip(taken).zip(outcomes) {
            let AppendOutcome::Written {
                version,
                positions,
                created_at,
            } = outcome
            else {
                continue;
            };
            let base = version - append.events.len() as i64;
            let written = append.events.iter().zip(positions).enumerate().skip(taken);
            for (index, (event, position)) in written {
                let mut event = recorded(&raw(&append.stream, base, index, event, position))?;
                event.created_at = created_at;
                events.push(event);
            }
        }
        Ok(CommittedEvents {
            events,
            position: answered.iter().map(|appended| appended.position).max(),
        })
    }

    /// Gives everything up.
    ///
    /// # Errors
    ///
    /// [`EventStoreError::Database`]; the server rolls back when the connection is gone.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future rolls back, too.
    pub async fn rollback(self) -> Result<(), EventStoreError> {
        self.tx.rollback().await
    }

    /// Locks the stream, checks the version and keeps the events for the commit.
    async fn stage(&mut self, append: NewAppend) -> Result<i64, EventStoreError> {
        let known = self
            .staged
            .iter()
            .position(|staged| staged.stream == append.stream);
        let actual = match (known, append.expected) {
            (Some(index), _) => self.staged[index].version(),
            (None, ExpectedVersion::Exact(version)) if version > 0 => {
                let locked = DB::lock_stream(&mut self.tx.tx, append.stream.as_str()).await?;
                locked.unwrap_or(0)
            }
            (
                None,
                ExpectedVersion::NoStream | ExpectedVersion::Exact(_) | ExpectedVersion::Any,
            ) => DB::claim_stream(&mut self.tx.tx, &append.stream).await?,
        };
        let expected = match append.expected {
            ExpectedVersion::Any => actual,
            ExpectedVersion::NoStream => 0,
            ExpectedVersion::Exact(version) => version,
        };
        if expected != actual {
            return Err(EventStoreError::ConcurrencyConflict {
                stream_id: append.stream.into_string(),
                expected,
                actual,
            });
        }
        let index = known.unwrap_or_else(|| {
            self.staged.push(Staged {
                stream: append.stream,
                base: actual,
                events: Vec::new(),
                taken: 0,
            });
            self.staged.len() - 1
        });
        self.staged[index].events.extend(append.events);
        Ok(self.staged[index].version())
    }

    /// Folds a stream on the transaction's connection, then what is staged for it.
    async fn fold<A: Aggregate>(
        &mut self,
        stream: &StreamName,
        start: Folded<A>,
    ) -> Result<Option<Folded<A>>, EventStoreError> {
        let mut folded = start;
        let conn = &mut *self.tx.tx;
        let mut reach = fold_tail::<DB, A>(conn, stream.as_str(), &mut folded).await?;
        if let Reach::BeforeStart = reach {
            folded = Folded::default();
            reach = fold_tail::<DB, A>(conn, stream.as_str(), &mut folded).await?;
        }
        let staged = self.staged.iter().find(|staged| staged.stream == *stream);
        match (reach, staged) {
            (Reach::Head, None) => {}
            (_, None) => return Ok(None),
            (_, Some(staged)) => {
                for (index, event) in staged.events.iter().enumerate() {
                    let raw = raw(stream, staged.base, index, event, 0);
                    if let InOrder::No { found } = folded.take(raw)? {
                        let head = staged.version();
                        return Err(corruption(stream.as_str(), folded.version, found, head));
                    }
                }
            }
        }
        Ok(Some(folded))
    }

    async fn fold_locked<A: Aggregate>(
        &mut self,
        stream: &StreamName,
    ) -> Result<Option<Folded<A>>, EventStoreError> {
        DB::lock_stream(&mut self.tx.tx, stream.as_str()).await?;
        self.fold_stored(stream, A::snapshots()).await
    }

    /// [`fold`](Self::fold), starting from the stored snapshot where there is one that fits.
    async fn fold_stored<A: Aggregate>(
        &mut self,
        stream: &StreamName,
        snapshots: Option<Snapshots<A>>,
    ) -> Result<Option<Folded<A>>, EventStoreError> {
        let start = match snapshots {
            Some(snapshots) => {
                stored::<DB, A>(&mut self.tx.tx, stream.as_str(), &snapshots).await?
            }
            None => None,
        };
        self.fold(stream, start.unwrap_or_default()).await
    }
}

/// A staged event as it will stand in the log.
fn raw<'a>(
    stream: &'a StreamName,
    base: i64,
    index: usize,
    event: &'a NewEvent,
    position: i64,
) -> RawEvent<'a> {
    RawEvent {
        global_position: position,
        stream_id: stream.as_str(),
        stream_version: base + index as i64 + 1,
        event_type: event.event_type,
        schema_version: u32::try_from(event.schema_version).unwrap_or(u32::MAX),
        data: event.data.as_bytes(),
        metadata: event.metadata.as_deref().map(str::as_bytes),
        created_at: None,
    }
}

impl<DB: Backend> fmt::Debug for TransactionScope<'_, DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let streams: Vec<&str> = self.staged.iter().map(|s| s.stream.as_str()).collect();
        f.debug_struct("TransactionScope")
            .field("staged_streams", &streams)
            .finish_non_exhaustive()
    }
}
