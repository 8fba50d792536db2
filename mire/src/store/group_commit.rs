//! Group commit: saves that are under way at the same time travel in one statement.
//!
//! # Who does what
//!
//! A caller puts its append into a queue and waits for the answer on a channel of its own. A
//! *flusher* takes as many appends as fit into a batch, sends them in one statement, answers each,
//! and goes on until the queue is empty. A caller that finds no flusher starts one, so a save alone
//! in the queue goes at once, and while the flusher waits for its commit, the next batch forms by
//! itself.
//!
//! A flusher is a task; but the caller of a save that is alone [drives](driven) its flusher
//! itself, until another caller queues up, which makes a task of it.
//!
//! There are at most [`DB::WRITERS`](crate::backend::EventLog::WRITERS) flushers. A further one is
//! started while few streams are under way, when the disk is waited for and little else, so that a
//! handful of callers don't wait for each other's commits; and when a good batch is waiting already.
//! In between, one larger batch costs less than two small ones beside each other.
//!
//! # Order
//!
//! A stream is in at most one batch at a time, and in the order of arrival: an append whose stream
//! is under way stays in the queue, as do those behind it on the same stream. Appends to one stream
//! that expect nothing are merged into one. Of those that expect the same version only the first
//! can be written, so the others travel as its *rivals*: when it is written, or conflicts itself,
//! they have conflicted with the version that it found or made.
//!
//! # Waking readers
//!
//! Readers are woken by the flusher as soon as the commit is answered, not by the callers: one of
//! those may be gone by then.
//!
//! # What happens when a party stops
//!
//! - A caller's future is dropped: while it waits for room, nothing was queued. Afterwards its
//!   append goes on, and the answer finds nobody. No other caller notices. If it drove the flusher,
//!   that becomes a task.
//! - A caller's future is kept and never polled again: if it drives the flusher, the next caller
//!   makes a task of that. Its statement was sent as one, so it holds no lock in the database; but it
//!   keeps a connection of the pool until then.
//! - The server refuses a batch (a deadlock, a payload it can't take): the transaction was rolled
//!   back, so each append is sent again alone, and the one at fault gets the error.
//! - The connection breaks, before or after the commit: every caller of the batch gets the error,
//!   since nobody can know. Versions and idempotency keys make it safe to try again.
//! - A stream is locked by someone's open transaction: its append is answered "busy" and waits
//!   alone, on a connection of its own. The batch is not delayed. A stream that someone is just
//!   creating can't be told from a free one without waiting: the batch waits for a moment
//!   ([`DB::append`](crate::backend::EventLog::append)), is refused, and its appends are sent again
//!   one by one, so that the one at fault is found. Meanwhile later appends to the stream stay in
//!   the queue; each waits for the lock time-out in all, counted from its arrival.
//! - The runtime shuts down under a flusher: the channels close, the callers get `Interrupted`, and
//!   the flusher's place is free again. Callers of another runtime, whose appends it would have
//!   taken next, are told, and one of them starts another.
//!
//! # Bounds, and who waits for whom
//!
//! The bytes in the queue are counted by fair semaphores: when one is full, callers wait for room,
//! in order. A batch has a bound of its own; a save that is larger than a batch is *huge* and
//! travels alone, one at a time. Huge saves have three quarters of the queue's room to themselves,
//! and one flusher of several: a small save never waits for a huge one, but for one on its own
//! stream. Where there is only one flusher, it takes huge saves and small ones by turns.

mod answers;
mod copies;
mod driven;
mod queue;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Instant;

use super::options::StoreOptions;
use crate::backend::{AppendMode, AppendOutcome, Backend, Db, NewAppend, Result, TxLimits};
use crate::error::{DbErrorKind, EventStoreError};
use crate::wake::Wake;

pub(super) use copies::copies;

use answers::{Caller, Group, single};
use driven::{Driven, Driver};
use queue::{Batch, Entry, Queue, is_huge, size};

/// The queue is counted in units of this many bytes, since a semaphore counts in 32 bits.
const UNIT: usize = 256;

pub(super) struct GroupCommit<DB: Backend> {
    shared: Arc<Shared<DB>>,
    small: Room,
    huge: Room,
}

/// Room in the queue, counted in units.
struct Room {
    free: Arc<Semaphore>,
    units: u32,
}

struct Shared<DB: Backend> {
    db: Db<DB>,
    wake: Arc<Wake<DB>>,
    lock_timeout: Duration,
    queue: Mutex<Queue>,
    /// Tells callers that somebody has gone who would have seen to what waits.
    deserted: Notify,
}

impl Room {
    fn new(bytes: usize) -> Self {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX >> 4);
        Self {
            free: Arc::new(Semaphore::new(units as usize)),
            units,
        }
    }

    /// Waits for room. What is larger than all of it waits until all of it is free.
    async fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).map_or(self.units, |n| n.min(self.units));
        let room = Arc::clone(&self.free).acquire_many_owned(units).await;
        room.map_err(|_| EventStoreError::Interrupted)
    }
}

impl<DB: Backend> GroupCommit<DB> {
    pub(super) fn new(db: Db<DB>, wake: Arc<Wake<DB>>, options: &StoreOptions) -> Self {
        let small = options.queue_bytes / 4;
        Self {
            shared: Arc::new(Shared {
                db,
                wake,
                lock_timeout: options.lock_timeout,
                queue: Mutex::default(),
                deserted: Notify::new(),
            }),
            small: Room::new(small.max(1)),
            huge: Room::new((options.queue_bytes - small).max(1)),
        }
    }

    /// Writes, together with whatever else is waiting.
    pub(super) async fn submit(&self, append: NewAppend) -> Result<AppendOutcome> {
        let bytes = size(&append);
        let room = if is_huge(bytes) {
            self.huge.take(bytes).await?
        } else {
            self.small.take(bytes).await?
        };

        // Before the queue is touched, so that it hears of whoever goes from then on.
        let mut deserted = self.shared.deserted.notified();
        let (answer, mut answered) = oneshot::channel();
        let mut driver = None;
        let (start, others) = {
            let mut queue = self.shared.queue();
            let caller = Caller {
                events: append.events.len(),
                answer,
                _room: room,
            };
            queue.waiting.push_back(Entry {
                append,
                bytes,
                since: Instant::now(),
                caller,
            });
            let others = queue.driven.take();
            let start = queue.wants_flusher::<DB>();
            if start && queue.flushers == 1 && queue.waiting.len() == 1 && !is_huge(bytes) {
                let flusher = Driven::new(flush(Place::taken(&self.shared)));
                queue.driven = Some(Arc::clone(&flusher));
                driver = Some(Driver(flusher));
            }
            (start && driver.is_none(), others)
        };
        if start {
            start_flusher(&self.shared);
        }
        if let Some(others) = others {
            others.hand_over();
        }
        if let Some(driver) = driver {
            tokio::select! {
                biased;
                () = driver => {}
                outcome = &mut answered => {
                    return outcome.unwrap_or(Err(EventStoreError::Interrupted));
                }
            }
        }
        loop {
            let mut heard = std::pin::pin!(deserted);
            tokio::select! {
                biased;
                outcome = &mut answered => {
                    return outcome.unwrap_or(Err(EventStoreError::Interrupted));
                }
                () = &mut heard => {}
            }
            deserted = self.shared.deserted.notified();
            start_flusher_for_what_waits(&self.shared);
        }
    }
}

impl<DB: Backend> Shared<DB> {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Here and not with the callers, who may be gone by now.
    fn wake_readers(&self, outcomes: &[AppendOutcome]) {
        let written = |outcome: &AppendOutcome| matches!(outcome, AppendOutcome::Written { .. });
        if outcomes.iter().any(written) {
            self.wake.committed();
        }
    }
}

/// A flusher's place among the flushers; free again when it is dropped, however that comes about.
struct Place<DB: Backend> {
    shared: Arc<Shared<DB>>,
    taken: bool,
}

impl<DB: Backend> Place<DB> {
    /// One that was counted before.
    fn taken(shared: &Arc<Shared<DB>>) -> Self {
        Self {
            shared: Arc::clone(shared),
            taken: true,
        }
    }
}

impl<DB: Backend> Drop for Place<DB> {
    fn drop(&mut self) {
        if self.taken {
            self.shared.queue().flushers -= 1;
            self.shared.deserted.notify_waiters();
        }
    }
}

/// Held by who waits for a stream, and will see to what waits behind it; tells when it can't.
struct Promise<DB: Backend> {
    shared: Arc<Shared<DB>>,
    kept: bool,
}

impl<DB: Backend> Drop for Promise<DB> {
    fn drop(&mut self) {
        if !self.kept {
            self.shared.deserted.notify_waiters();
        }
    }
}

/// The streams of a batch; free again when it is dropped.
struct UnderWay<DB: Backend> {
    shared: Arc<Shared<DB>>,
    streams: Vec<String>,
    huge: bool,
}

impl<DB: Backend> UnderWay<DB> {
    /// Takes one of the streams out, to be freed on its own.
    fn part(&mut self, stream: &str) -> Self {
        self.streams.retain(|other| other != stream);
        Self {
            shared: Arc::clone(&self.shared),
            streams: vec![stream.to_owned()],
            huge: false,
        }
    }
}

impl<DB: Backend> Drop for UnderWay<DB> {
    fn drop(&mut self) {
        let mut queue = self.shared.queue();
        for stream in &self.streams {
            queue.under_way.remove(stream);
        }
        queue.huge_under_way -= usize::from(self.huge);
    }
}

/// Starts a flusher, whose place was taken before.
fn start_flusher<DB: Backend>(shared: &Arc<Shared<DB>>) {
    tokio::spawn(flush(Place::taken(shared)));
}

fn start_flusher_for_what_waits<DB: Backend>(shared: &Arc<Shared<DB>>) {
    let start = {
        let mut queue = shared.queue();
        !queue.waiting.is_empty() && queue.wants_flusher::<DB>()
    };
    if start {
        start_flusher(shared);
    }
}

async fn flush<DB: Backend>(mut place: Place<DB>) {
    let shared = Arc::clone(&place.shared);
    loop {
        let (batch, mut under_way) = {
            let mut queue = shared.queue();
            let batch = queue.next_batch(DB::WRITERS);
            if batch.appends.is_empty() {
                // Under the same lock as the look at the queue, so that nobody who queues up now
                // relies on this flusher.
                queue.flushers -= 1;
                place.taken = false;
                return;
            }
            let under_way = UnderWay {
                shared: Arc::clone(&shared),
                streams: batch.streams(),
                huge: is_huge(batch.bytes),
            };
            queue.under_way.extend(under_way.streams.iter().cloned());
            queue.huge_under_way += usize::from(under_way.huge);
            queue.huge_was_last = under_way.huge;
            (batch, under_way)
        };
        for held in write(&shared, batch).await {
            let stream = under_way.part(held.append.stream.as_str());
            tokio::spawn(write_waiting(held, stream));
        }
        drop(under_way);
    }
}

/// An append whose stream somebody else holds, and who waits for it.
struct Held {
    append: NewAppend,
    group: Group,
}

impl Held {
    /// Answers the callers, unless somebody else holds the stream.
    fn unless_answered(
        append: NewAppend,
        group: Group,
        outcome: Result<AppendOutcome>,
    ) -> Option<Self> {
        let held = match &outcome {
            Ok(outcome) => *outcome == AppendOutcome::Busy,
            Err(error) => rolled_back(error) && error.db_kind() == Some(DbErrorKind::LockTimeout),
        };
        if held {
            return Some(Self { append, group });
        }
        group.answer(outcome);
        None
    }
}

/// Sends a batch and answers its callers, but for those that it gives back: somebody else holds
/// their streams.
async fn write<DB: Backend>(shared: &Shared<DB>, batch: Batch) -> Vec<Held> {
    let outcomes: Vec<Result<AppendOutcome>> =
        match DB::append(&shared.db, &batch.appends, AppendMode::EachOrBusy).await {
            Ok(outcomes) => {
                shared.wake_readers(&outcomes);
                outcomes.into_iter().map(Ok).collect()
            }
            Err(error) if batch.appends.len() > 1 && rolled_back(&error) => {
                return write_one_by_one(shared, batch).await;
            }
            Err(error) => copies(error, batch.appends.len()),
        };
    let waiting = batch.appends.into_iter().zip(batch.groups).zip(outcomes);
    waiting
        .filter_map(|((append, group), outcome)| Held::unless_answered(append, group, outcome))
        .collect()
}

/// Sends the appends of a batch again, after it was refused as a whole.
async fn write_one_by_one<DB: Backend>(shared: &Shared<DB>, batch: Batch) -> Vec<Held> {
    let mut held = Vec::new();
    for (append, group) in batch.appends.into_iter().zip(batch.groups) {
        let alone = std::slice::from_ref(&append);
        let outcomes = DB::append(&shared.db, alone, AppendMode::EachOrBusy).await;
        if let Ok(outcomes) = &outcomes {
            shared.wake_readers(outcomes);
        }
        let outcome = outcomes.and_then(single);
        held.extend(Held::unless_answered(append, group, outcome));
    }
    held
}

/// Waits for a stream that somebody else holds, then writes.
async fn write_waiting<DB: Backend>(held: Held, under_way: UnderWay<DB>) {
    let Held { append, group } = held;
    let shared = Arc::clone(&under_way.shared);
    let mut promise = Promise {
        shared: Arc::clone(&shared),
        kept: false,
    };
    // Dropped before the promise.
    let under_way = under_way;
    let outcome = async {
        let left = shared.lock_timeout.saturating_sub(group.since.elapsed());
        let limits = TxLimits {
            lock: Some(left),
            idle: Some(shared.lock_timeout),
        };
        let begun = DB::begin(&shared.db, limits).await;
        let mut tx = begun.map_err(|error| match error {
            // What was left of the limit is only the end of the wait.
            EventStoreError::WriterBusy { .. } => EventStoreError::WriterBusy {
                waited: shared.lock_timeout,
            },
            error => error,
        })?;
        let alone = std::slice::from_ref(&append);
        let outcomes = DB::append_in_tx(&mut tx.tx, alone, AppendMode::EachWaiting).await?;
        tx.commit().await?;
        shared.wake_readers(&outcomes);
        single(outcomes)
    }
    .await;
    drop(under_way);
    group.answer(outcome);
    // What waits for this stream may be all that is left, and then every flusher has gone.
    start_flusher_for_what_waits(&shared);
    promise.kept = true;
}

/// Whether the server itself said that it did not do it.
fn rolled_back(error: &EventStoreError) -> bool {
    matches!(error, EventStoreError::Database(sqlx::Error::Database(_)))
        && error.db_kind() != Some(DbErrorKind::Connection)
}
