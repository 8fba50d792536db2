//! Reading the tails of streams, several in one statement.
//!
//! A load alone reads on a connection of its own, straight into the state. When
//! [`DB::READERS`](crate::backend::EventLog::READERS) reads are under way already, a further one
//! queues up instead, and the next free reader takes the whole queue along in one statement: loads
//! form batches by themselves, as appends do. A tail that is longer than a batch carries is read on
//! by its own caller.
//!
//! Dropping a caller's future harms nobody: batches are read by tasks, and a caller that reads for
//! itself gives its place back on drop.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::fold::{Folded, InOrder, Reach, corruption, fold_tail, truncation};
use crate::aggregate::Aggregate;
use crate::backend::{Backend, Db, RawEvent, Result, TailRead};
use crate::error::EventStoreError;

/// Events of each stream that a batch carries.
const BATCH_PAGE: i64 = 32;

/// Streams in a batch.
const MAX_BATCH_STREAMS: usize = 256;

pub(super) struct TailReader<DB: Backend> {
    shared: Arc<Shared<DB>>,
}

struct Shared<DB: Backend> {
    db: Db<DB>,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<Waiting>,
    readers: usize,
}

struct Waiting {
    tail: TailRead,
    answer: oneshot::Sender<Result<Tail>>,
}

/// The newer events of a stream, copied out of a batch.
struct Tail {
    head: Option<i64>,
    events: Vec<OwnedEvent>,
}

struct OwnedEvent {
    global_position: i64,
    stream_version: i64,
    event_type: Box<str>,
    schema_version: u32,
    data: Box<[u8]>,
}

/// A place among the readers, for a caller or a batch; whoever leaves it takes the queue along.
struct Place<DB: Backend>(Arc<Shared<DB>>);

impl<DB: Backend> Drop for Place<DB> {
    fn drop(&mut self) {
        let mut queue = self.0.queue();
        queue.readers -= 1;
        if queue.waiting.is_empty() {
            return;
        }
        // Without a runtime nobody can read on; the callers see their channels close.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            queue.waiting.clear();
            return;
        };
        let some = queue.waiting.len().min(MAX_BATCH_STREAMS);
        let batch: Vec<Waiting> = queue.waiting.drain(..some).collect();
        queue.readers += 1;
        drop(queue);
        let place = Self(Arc::clone(&self.0));
        runtime.spawn(async move {
            read_batch(&place.0.db, batch).await;
            drop(place);
        });
    }
}

impl<DB: Backend> Shared<DB> {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<DB: Backend> TailReader<DB> {
    pub(super) fn new(db: Db<DB>) -> Self {
        Self {
            shared: Arc::new(Shared {
                db,
                queue: Mutex::default(),
            }),
        }
    }

    /// Folds whatever is newer than `folded` into it.
    pub(super) async fn fold<A: Aggregate>(
        &self,
        stream_id: &str,
        folded: &mut Folded<A>,
    ) -> Result<Reach> {
        let queued = {
            let mut queue = self.shared.queue();
            if queue.readers < DB::READERS {
                queue.readers += 1;
                None
            } else {
                let (answer, answered) = oneshot::channel();
                queue.waiting.push(Waiting {
                    tail: TailRead {
                        stream_id: stream_id.to_owned(),
                        after_version: folded.version,
                    },
                    answer,
                });
                Some(answered)
            }
        };
        let Some(answered) = queued else {
            let _place = Place(Arc::clone(&self.shared));
            return self.fold_alone(stream_id, folded).await;
        };
        let tail = answered
            .await
            .unwrap_or(Err(EventStoreError::Interrupted))?;
        let start = folded.version;
        let Some(head) = tail.head.filter(|head| *head > 0) else {
            return Ok(if start > 0 {
                Reach::BeforeStart
            } else {
                Reach::NoStream
            });
        };
        let count = tail.events.len() as i64;
        for event in &tail.events {
            if let InOrder::No { found } = folded.take(event.borrowed(stream_id))? {
                return Err(corruption(stream_id, folded.version, found, head));
            }
        }
        if folded.version > head {
            return Ok(Reach::BeforeStart);
        }
        if folded.version == head {
            return Ok(Reach::Head);
        }
        if count < BATCH_PAGE {
            return Err(truncation(stream_id, folded.version, head));
        }
        self.fold_alone(stream_id, folded).await
    }

    async fn fold_alone<A: Aggregate>(
        &self,
        stream_id: &str,
        folded: &mut Folded<A>,
    ) -> Result<Reach> {
        let db = &self.shared.db;
        let mut conn = db.take().await?;
        let reach = fold_tail::<DB, A>(&mut conn, stream_id, folded).await?;
        db.keep(conn);
        Ok(reach)
    }
}

impl OwnedEvent {
    fn of(event: RawEvent<'_>) -> Self {
        Self {
            global_position: event.global_position,
            stream_version: event.stream_version,
            event_type: event.event_type.into(),
            schema_version: event.schema_version,
            data: event.data.into(),
        }
    }

    fn borrowed<'a>(&'a self, stream_id: &'a str) -> RawEvent<'a> {
        RawEvent {
            global_position: self.global_position,
            stream_id,
            stream_version: self.stream_version,
            event_type: &self.event_type,
            schema_version: self.schema_version,
            data: &self.data,
            metadata: None,
            created_at: None,
        }
    }
}

async fn read_batch<DB: Backend>(db: &Db<DB>, batch: Vec<Waiting>) {
    let (tails, callers): (Vec<TailRead>, Vec<_>) =
        batch.into_iter().map(|w| (w.tail, w.answer)).unzip();
    match read_tails(db, &tails).await {
        Ok(answers) => {
            for (caller, tail) in callers.into_iter().zip(answers) {
                // A caller that is gone needs no answer.
                let _ = caller.send(Ok(tail));
            }
        }
        Err(error) => {
            let errors = super::group_commit::copies(error, callers.len());
            for (caller, error) in callers.into_iter().zip(errors) {
                let _ = caller.send(error);
            }
        }
    }
}

async fn read_tails<DB: Backend>(db: &Db<DB>, tails: &[TailRead]) -> Result<Vec<Tail>> {
    let mut conn = db.take().await?;
    let mut events: Vec<Vec<OwnedEvent>> = tails.iter().map(|_| Vec::new()).collect();
    let heads = DB::fold_streams(&mut conn, tails, BATCH_PAGE, &mut |index, event| {
        events[index].push(OwnedEvent::of(event));
        Ok(())
    })
    .await?;
    db.keep(conn);
    let tails = heads.into_iter().zip(events);
    Ok(tails.map(|(head, events)| Tail { head, events }).collect())
}
