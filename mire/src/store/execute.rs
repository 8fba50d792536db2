//! Load, decide, save, and decide again when someone else was faster.
//!
//! # How a conflict is kept rare
//!
//! Callers of one process that contend for a stream take turns, in order, so they never race each
//! other. Against other processes: the first decision is made on the cached state, without asking
//! the database, and the version check of the append catches a stale one; then the tail is read and
//! the decision made again, at most [`StoreOptions::max_attempts`](super::StoreOptions::max_attempts)
//! times. A refusal that was decided on a cached state is never given back unverified: the tail is
//! read first.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use serde_json::Value;

use super::EventStore;
use super::fold::Folded;
use crate::aggregate::{Aggregate, AggregateId, Names, stream_name};
use crate::backend::Backend;
use crate::command::{Answers, Command, CommandError};
use crate::error::EventStoreError;
use crate::event::EventMetadata;
use crate::stream::{ExpectedVersion, StreamName};

/// Who may decide on a stream now: one caller of this process at a time, in order of arrival.
#[derive(Default)]
pub(super) struct Turns {
    streams: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl Turns {
    async fn take(&self, stream_id: &str) -> Turn<'_> {
        let lock = {
            let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(streams.entry(stream_id.to_owned()).or_default())
        };
        let waiting = Waiting {
            turns: self,
            stream_id: stream_id.to_owned(),
        };
        let guard = lock.lock_owned().await;
        Turn {
            _guard: guard,
            _waiting: waiting,
        }
    }
}

/// Fields are dropped in order: first the lock is given on, then the entry is cleaned up.
struct Turn<'a> {
    _guard: tokio::sync::OwnedMutexGuard<()>,
    _waiting: Waiting<'a>,
}

/// Removes the stream's entry when nobody holds or waits for it any more.
struct Waiting<'a> {
    turns: &'a Turns,
    stream_id: String,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut streams = self
            .turns
            .streams
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = streams.get(&self.stream_id)
            && Arc::strong_count(lock) == 1
        {
            streams.remove(&self.stream_id);
        }
    }
}

impl<DB: Backend> EventStore<DB> {
    /// Loads an aggregate, lets `decide` answer events or refuse, and saves them. When the stream
    /// has moved on meanwhile, it loads what is new and decides again, a bounded number of times.
    ///
    /// ```no_run
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize, mire::EventData)]
    /// # #[mire(entity = "account")]
    /// # enum AccountEvent { Withdrawn { amount: i64 } }
    /// # #[derive(Default)]
    /// # struct Account { balance: i64 }
    /// # impl mire::Aggregate for Account {
    /// #     type Event = AccountEvent;
    /// #     type Id = String;
    /// #     fn stream_category() -> &'static str { "account" }
    /// #     fn apply(&mut self, event: &AccountEvent) {
    /// #         let AccountEvent::Withdrawn { amount } = event;
    /// #         self.balance -= amount;
    /// #     }
    /// # }
    /// # async fn example(store: mire::EventStore) -> anyhow::Result<()> {
    /// store
    ///     .execute("ann", |account: &Account| {
    ///         if account.balance < 30 {
    ///             anyhow::bail!("overdrawn");
    ///         }
    ///         Ok(AccountEvent::Withdrawn { amount: 30 })
    ///     })
    ///     .await
    ///     .map_err(|error| anyhow::anyhow!("{error}"))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// `decide` names the aggregate by its parameter. It answers events, or a `Result` of events and a
    /// refusal; see [`Decision`](crate::Decision) for the forms. It may be called several times, with
    /// newer states; it should only decide. Snapshots are used and left as by [`load`](Self::load) and
    /// [`save`](Self::save).
    ///
    /// # Errors
    ///
    /// [`CommandError::Rejected`] with what `decide` answered, on a state that was verified to be
    /// the stream's; [`CommandError::Store`] for all that [`load`](Self::load) and
    /// [`save`](Self::save) can say, among them the conflict when the attempts are used up.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the events may or may not be written.
    pub fn execute<'a, A, I, F, D, R>(
        &'a self,
        id: I,
        decide: F,
    ) -> BoxFuture<'a, Result<Executed, CommandError<R>>>
    where
        A: Aggregate,
        I: Names<A>,
        F: FnMut(&A) -> D + Answers<A, D, R, Event = A::Event> + Send + 'a,
    {
        self.execute_with(id, EventMetadata::default(), decide)
    }

    /// [`execute`](Self::execute), with metadata for each event.
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute).
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the events may or may not be written.
    pub fn execute_with<'a, A, I, F, D, R>(
        &'a self,
        id: I,
        metadata: EventMetadata,
        decide: F,
    ) -> BoxFuture<'a, Result<Executed, CommandError<R>>>
    where
        A: Aggregate,
        I: Names<A>,
        F: FnMut(&A) -> D + Answers<A, D, R, Event = A::Event> + Send + 'a,
    {
        let stream = id.stream_name();
        Box::pin(async move { self.decide_and_write(stream?, metadata, decide).await })
    }

    async fn decide_and_write<A, F, D, R>(
        &self,
        stream: StreamName,
        metadata: EventMetadata,
        mut decide: F,
    ) -> Result<Executed, CommandError<R>>
    where
        A: Aggregate,
        F: FnMut(&A) -> D + Answers<A, D, R, Event = A::Event> + Send,
    {
        let metadata = Value::from(metadata);
        let _turn = self.inner.turns.take(stream.as_str()).await;

        let mut attempts = self.inner.options.max_attempts;
        let cached = self.inner.cache.lend::<A>(stream.as_str());
        let mut verified = cached.is_none();
        let mut folded = match cached {
            Some(folded) => folded,
            None => self.stored_newest(&stream).await?,
        };
        loop {
            let events = match F::into_result(decide(&folded.state)) {
                Ok(events) if verified || !events.is_empty() => Some(events),
                Err(refusal) if verified => {
                    self.give_back(&stream, folded);
                    return Err(CommandError::Rejected(refusal));
                }
                _ => None,
            };
            let Some(events) = events else {
                folded = self.newest(&stream, folded).await?;
                verified = true;
                continue;
            };
            attempts -= 1;
            match self
                .write_decided(&stream, &mut folded, &metadata, &events)
                .await
            {
                Err(error) if error.is_conflict() && attempts > 0 => {
                    folded = self.newest(&stream, folded).await?;
                    verified = true;
                }
                outcome => {
                    self.give_back(&stream, folded);
                    return Ok(outcome?);
                }
            }
        }
    }

    /// Saves what was decided on a state, and brings the state up to it.
    async fn write_decided<A: Aggregate>(
        &self,
        stream: &StreamName,
        folded: &mut Folded<A>,
        metadata: &Value,
        events: &[A::Event],
    ) -> Result<Executed, EventStoreError> {
        if events.is_empty() {
            return Ok(Executed {
                version: folded.version,
                position: None,
            });
        }
        let expected = ExpectedVersion::after(folded.version);
        let append = self.events_append(stream.clone(), expected, metadata, events)?;
        let bytes: usize = append.events.iter().map(|event| event.data.len()).sum();
        let appended = self.commit_one(append).await?;
        for event in events {
            folded.state.apply(event);
        }
        let before = std::mem::replace(&mut folded.version, appended.version);
        folded.bytes += bytes;
        self.leave_snapshot(stream, before, folded).await;
        Ok(Executed {
            version: appended.version,
            position: Some(appended.position),
        })
    }

    async fn newest<A: Aggregate>(
        &self,
        stream: &StreamName,
        folded: Folded<A>,
    ) -> Result<Folded<A>, EventStoreError> {
        let newest = self.fold_fresh(stream.as_str(), folded).await?;
        Ok(newest.unwrap_or_default())
    }

    /// The newest state of a stream that isn't cached.
    async fn stored_newest<A: Aggregate>(
        &self,
        stream: &StreamName,
    ) -> Result<Folded<A>, EventStoreError> {
        let snapshots = A::snapshots();
        let start = self.start(stream.as_str(), snapshots.as_ref()).await?;
        self.newest(stream, start).await
    }

    fn give_back<A: Aggregate>(&self, stream: &StreamName, folded: Folded<A>) {
        if folded.version > 0 {
            self.inner.cache.give_back(stream.as_str(), folded);
        }
    }

    /// Sends commands to one kind of aggregate.
    pub fn repository<A: Aggregate>(&self) -> Repository<A, DB> {
        Repository {
            store: self.clone(),
            aggregate: PhantomData,
        }
    }
}

/// What [`EventStore::execute`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Executed {
    /// The stream's version afterwards.
    pub version: i64,
    /// The position of the last event: what to wait for. `None` when the
    /// decision answered no events.
    pub position: Option<i64>,
}

/// The commands of one kind of aggregate. See [`EventStore::repository`].
#[cfg(feature = "postgres")]
#[derive(Debug)]
pub struct Repository<A, DB: Backend = sqlx::Postgres> {
    store: EventStore<DB>,
    aggregate: PhantomData<fn() -> A>,
}

/// The commands of one kind of aggregate. See [`EventStore::repository`].
#[cfg(not(feature = "postgres"))]
#[derive(Debug)]
pub struct Repository<A, DB: Backend> {
    store: EventStore<DB>,
    aggregate: PhantomData<fn() -> A>,
}

impl<A, DB: Backend> Clone for Repository<A, DB> {
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
            aggregate: PhantomData,
        }
    }
}

impl<A: Aggregate, DB: Backend> Repository<A, DB> {
    /// Loads the aggregate, lets the command decide, and saves what it answers.
    ///
    /// Callers of one process that send to the same aggregate take turns. A command is decided
    /// once; [`EventStore::execute`] is the form that decides again after a conflict with another
    /// process.
    ///
    /// # Errors
    ///
    /// As [`EventStore::execute`].
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the events may or may not be written.
    pub fn send<'a, C: Command<Aggregate = A> + Send + 'a>(
        &'a self,
        id: impl AggregateId<A>,
        command: C,
    ) -> BoxFuture<'a, Result<Executed, CommandError<C::Error>>> {
        let stream = stream_name::<A>(&id);
        Box::pin(async move { self.decide_and_write(stream?, command).await })
    }

    async fn decide_and_write<C: Command<Aggregate = A> + Send>(
        &self,
        stream: StreamName,
        command: C,
    ) -> Result<Executed, CommandError<C::Error>> {
        let store = &self.store;
        let _turn = store.inner.turns.take(stream.as_str()).await;
        let cached = store.inner.cache.lend::<A>(stream.as_str());
        let mut folded = match cached {
            Some(folded) => store.newest(&stream, folded).await?,
            None => store.stored_newest(&stream).await?,
        };
        let events: Vec<A::Event> = match command.handle(&folded.state) {
            Ok(events) => events.into_iter().collect(),
            Err(refusal) => {
                store.give_back(&stream, folded);
                return Err(CommandError::Rejected(refusal));
            }
        };
        let executed = store
            .write_decided(&stream, &mut folded, &Value::Null, &events)
            .await;
        store.give_back(&stream, folded);
        Ok(executed?)
    }
}
