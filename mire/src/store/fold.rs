//! Folding: from a stream's events to a state, page by page, in constant memory.

use std::ops::ControlFlow;

use super::EventStore;
use crate::aggregate::{Aggregate, AggregateRoot};
use crate::backend::{Backend, RawEvent, TailRead};
use crate::error::EventStoreError;
use crate::event::{EventData, StoredEvent};
use crate::snapshot::Snapshots;

/// Events that are asked for in one page of a stream.
const PAGE: i64 = 4000;

/// A state that is being folded, and how far it is.
pub(super) struct Folded<A> {
    pub(super) state: A,
    pub(super) version: i64,
    /// The bytes of the payloads that went into it: a measure of what it costs to fold again.
    pub(super) bytes: usize,
}

impl<A: Aggregate> Default for Folded<A> {
    fn default() -> Self {
        Self {
            state: A::default(),
            version: 0,
            bytes: 0,
        }
    }
}

impl<A: Aggregate> Folded<A> {
    pub(super) fn into_root(self, stream_id: String) -> AggregateRoot<A> {
        AggregateRoot::at(stream_id, self.state, self.version)
    }

    /// Takes the next event; answers whether it was the next one.
    pub(super) fn take(&mut self, event: RawEvent<'_>) -> Result<InOrder, EventStoreError> {
        if event.stream_version != self.version + 1 {
            return Ok(InOrder::No {
                found: event.stream_version,
            });
        }
        self.state.apply(&decode::<A::Event>(&event)?);
        self.version = event.stream_version;
        self.bytes += event.data.len();
        Ok(InOrder::Yes)
    }
}

pub(super) enum InOrder {
    Yes,
    No { found: i64 },
}

/// How a fold over the database ended.
pub(super) enum Reach {
    /// The state is at the stream's version.
    Head,
    /// The stream ends before the version that the state started from: it isn't that stream's
    /// state.
    BeforeStart,
    /// There is no such stream.
    NoStream,
}

/// Decodes an event, or says which one could not be read.
pub(super) fn decode<E: EventData>(event: &RawEvent<'_>) -> Result<E, EventStoreError> {
    E::decode(&StoredEvent {
        event_type: event.event_type,
        schema_version: event.schema_version,
        data: event.data,
    })
    .map_err(|source| EventStoreError::Deserialization {
        stream_id: event.stream_id.to_owned(),
        global_position: event.global_position,
        event_type: event.event_type.to_owned(),
        source,
    })
}

/// Folds whatever is newer than `folded` into it, up to the stream's version.
pub(super) async fn fold_tail<DB: Backend, A: Aggregate>(
    conn: &mut DB::Connection,
    stream_id: &str,
    folded: &mut Folded<A>,
) -> Result<Reach, EventStoreError> {
    let start = folded.version;
    loop {
        let tail = TailRead {
            stream_id: stream_id.to_owned(),
            after_version: folded.version,
        };
        let mut gap = None;
        let mut count = 0;
        let head = DB::fold_stream(conn, &tail, PAGE, &mut |event| {
            count += 1;
            Ok(match folded.take(event)? {
                InOrder::Yes => ControlFlow::Continue(()),
                InOrder::No { found } => {
                    gap = Some(found);
                    ControlFlow::Break(())
                }
            })
        })
        .await?;
        let Some(head) = head.filter(|head| *head > 0) else {
            return if start > 0 {
                Ok(Reach::BeforeStart)
            } else {
                Ok(Reach::NoStream)
            };
        };
        if let Some(found) = gap {
            return Err(corruption(stream_id, folded.version, found, head));
        }
        if folded.version == head {
            return Ok(Reach::Head);
        }
        if folded.version > head {
            return Ok(Reach::BeforeStart);
        }
        if count < PAGE {
            return Err(truncation(stream_id, folded.version, head));
        }
    }
}

pub(super) fn corruption(stream_id: &str, after: i64, found: i64, head: i64) -> EventStoreError {
    EventStoreError::StreamCorruption {
        stream_id: stream_id.to_owned(),
        after,
        found: format!("version {found}"),
        recorded: head,
    }
}

pub(super) fn truncation(stream_id: &str, after: i64, head: i64) -> EventStoreError {
    EventStoreError::StreamCorruption {
        stream_id: stream_id.to_owned(),
        after,
        found: "no event".to_owned(),
        recorded: head,
    }
}

impl<DB: Backend> EventStore<DB> {
    /// Folds a stream, starting from the cached state or a snapshot where there is one, and caches the
    /// result. `None` when there are no events.
    pub(super) async fn fold_cached<A: Aggregate>(
        &self,
        stream_id: &str,
    ) -> Result<Option<Folded<A>>, EventStoreError> {
        let snapshots = A::snapshots();
        self.fold_cached_with(stream_id, snapshots.as_ref()).await
    }

    /// [`fold_cached`](Self::fold_cached), starting from a snapshot where nothing is cached.
    pub(super) async fn fold_cached_with<A: Aggregate>(
        &self,
        stream_id: &str,
        snapshots: Option<&Snapshots<A>>,
    ) -> Result<Option<Folded<A>>, EventStoreError> {
        let cached = self.inner.cache.copy::<A>(stream_id);
        let known = cached.as_ref().map_or(0, |folded| folded.version);
        let start = match cached {
            Some(folded) => folded,
            None => self.start(stream_id, snapshots).await?,
        };
        let folded = self.fold_fresh(stream_id, start).await?;
        if let Some(folded) = &folded
            && folded.version > known
        {
            self.inner.cache.keep_copy(stream_id, folded);
        }
        Ok(folded)
    }

    /// Brings a state up to the stream's version; starts over when it isn't that stream's state.
    pub(super) async fn fold_fresh<A: Aggregate>(
        &self,
        stream_id: &str,
        start: Folded<A>,
    ) -> Result<Option<Folded<A>>, EventStoreError> {
        let mut folded = start;
        let reach = match self.inner.tails.fold(stream_id, &mut folded).await {
            // The fold is at some version, and goes on from there.
            Err(error) if error.connection_broke() => {
                self.inner.db.forget_kept();
                self.inner.tails.fold(stream_id, &mut folded).await
            }
            reach => reach,
        };
        match reach? {
            Reach::Head => return Ok(Some(folded)),
            Reach::NoStream => return Ok(None),
            Reach::BeforeStart => self.inner.cache.forget::<A>(stream_id),
        }
        let mut folded = Folded::default();
        Ok(match self.inner.tails.fold(stream_id, &mut folded).await? {
            Reach::Head => Some(folded),
            Reach::NoStream | Reach::BeforeStart => None,
        })
    }
}
