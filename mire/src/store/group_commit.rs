//! Group commit: saves that are under way at the same time travel in one statement.
//!
//! # Who does what
//!
//! A caller puts its append into a queue and waits for the answer on a channel of its own. A
//! *flusher*, a task, takes as many appends as fit into a batch, sends them in one statement,
//! answers each, and goes on until the queue is empty. A caller that finds fewer than
//! [`DB::WRITERS`](crate::backend::EventLog::WRITERS) flushers starts one, so a save alone in the
//! queue goes at once, and while the flushers wait for their commits, the next batch forms by
//! itself.
//!
//! # Order
//!
//! A stream is in at most one batch at a time, and in the order of arrival: an append whose stream
//! is under way stays in the queue, as do those behind it on the same stream. Appends to one stream
//! that expect nothing are merged into one.
//!
//! # What happens when a party stops
//!
//! - A caller's future is dropped: while it waits for room, nothing was queued. Afterwards its
//!   append goes on, and the answer finds nobody. No other caller notices.
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
//!   the flusher's place is free again.
//!
//! # Bounds
//!
//! The bytes in the queue are counted by a fair semaphore: when it is full, callers wait for room,
//! in order. A batch has a bound of its own, so a huge save travels alone, and small ones travel
//! beside it on the other flusher.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Instant;

use super::options::StoreOptions;
use crate::backend::{AppendMode, AppendOutcome, Backend, Db, NewAppend, Result, TxLimits};
use crate::error::{DbErrorKind, EventStoreError};
use crate::stream::ExpectedVersion;
use crate::wake::Wake;

/// A batch ends before it has more bytes than this, or it has one append only.
const MAX_BATCH_BYTES: usize = 1024 * 1024;

/// A batch ends before it has more streams than this.
const MAX_BATCH_STREAMS: usize = 256;

/// The queue is counted in units of this many bytes, since a semaphore counts in 32 bits.
const UNIT: usize = 256;

pub(super) struct GroupCommit<DB: Backend> {
    shared: Arc<Shared<DB>>,
    room: Arc<Semaphore>,
    units: u32,
}

struct Shared<DB: Backend> {
    db: Db<DB>,
    wake: Arc<Wake<DB>>,
    lock_timeout: Duration,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Entry>,
    /// Streams that a flusher is writing to.
    under_way: HashSet<String>,
    flushers: usize,
}

struct Entry {
    append: NewAppend,
    bytes: usize,
    since: Instant,
    caller: Caller,
}

/// Who waits for the answer, and holds room in the queue until then.
struct Caller {
    events: usize,
    answer: oneshot::Sender<Result<AppendOutcome>>,
    _room: OwnedSemaphorePermit,
}

/// Appends to one stream that are written as one; more than one only if none expects anything.
struct Group {
    append: NewAppend,
    /// When the first of them arrived.
    since: Instant,
    callers: Vec<Caller>,
}

impl<DB: Backend> GroupCommit<DB> {
    pub(super) fn new(db: Db<DB>, wake: Arc<Wake<DB>>, options: &StoreOptions) -> Self {
        let units = u32::try_from(options.queue_bytes.div_ceil(UNIT)).unwrap_or(u32::MAX >> 4);
        Self {
            shared: Arc::new(Shared {
                db,
                wake,
                lock_timeout: options.lock_timeout,
                queue: Mutex::default(),
            }),
            room: Arc::new(Semaphore::new(units as usize)),
            units,
        }
    }

    /// Writes, together with whatever else is waiting.
    pub(super) async fn submit(&self, append: NewAppend) -> Result<AppendOutcome> {
        let bytes = size(&append);
        // One that is larger than the whole queue waits until the queue is empty.
        let units = u32::try_from(bytes.div_ceil(UNIT)).map_or(self.units, |n| n.min(self.units));
        let room = Arc::clone(&self.room)
            .acquire_many_owned(units)
            .await
            .map_err(|_| EventStoreError::Interrupted)?;

        let (answer, answered) = oneshot::channel();
        let start = {
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
            queue.wants_flusher::<DB>()
        };
        if start {
            start_flusher(&self.shared);
        }
        answered.await.unwrap_or(Err(EventStoreError::Interrupted))
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

impl<DB: Backend> Drop for Place<DB> {
    fn drop(&mut self) {
        if self.taken {
            self.shared.queue().flushers -= 1;
        }
    }
}

/// Streams that are being written to; free again when this is dropped.
struct UnderWay<DB: Backend> {
    shared: Arc<Shared<DB>>,
    streams: Vec<String>,
}

impl<DB: Backend> UnderWay<DB> {
    /// Takes one of the streams out, to be freed on its own.
    fn part(&mut self, stream: &str) -> Self {
        self.streams.retain(|other| other != stream);
        Self {
            shared: Arc::clone(&self.shared),
            streams: vec![stream.to_owned()],
        }
    }
}

impl<DB: Backend> Drop for UnderWay<DB> {
    fn drop(&mut self) {
        let mut queue = self.shared.queue();
        for stream in &self.streams {
            queue.under_way.remove(stream);
        }
    }
}

/// Starts a flusher, whose place was taken before.
fn start_flusher<DB: Backend>(shared: &Arc<Shared<DB>>) {
    tokio::spawn(flush(Place {
        shared: Arc::clone(shared),
        taken: true,
    }));
}

async fn flush<DB: Backend>(mut place: Place<DB>) {
    let shared = Arc::clone(&place.shared);
    loop {
        let (groups, streams) = {
            let mut queue = shared.queue();
            let groups = queue.next_batch();
            if groups.is_empty() {
                // Under the same lock as the look at the queue, so that nobody who queues up now
                // relies on this flusher.
                queue.flushers -= 1;
                place.taken = false;
                return;
            }
            let streams: Vec<String> = groups
                .iter()
                .map(|group| group.append.stream.as_str().to_owned())
                .collect();
            queue.under_way.extend(streams.iter().cloned());
            (groups, streams)
        };
        let mut under_way = UnderWay {
            shared: Arc::clone(&shared),
            streams,
        };
        for held in write(&shared, groups).await {
            let stream = under_way.part(held.append.stream.as_str());
            tokio::spawn(write_waiting(held, stream));
        }
        drop(under_way);
    }
}

impl Queue {
    /// Whether one more flusher is to be started; its place is taken then.
    fn wants_flusher<DB: Backend>(&mut self) -> bool {
        let start = self.flushers < DB::WRITERS;
        self.flushers += usize::from(start);
        start
    }

    /// Takes what can be written now: streams in order of arrival, none that is under way.
    fn next_batch(&mut self) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        let mut by_stream: HashMap<String, Option<usize>> = HashMap::new();
        let mut bytes = 0;
        let mut left = VecDeque::with_capacity(self.waiting.len());
        let mut waiting = std::mem::take(&mut self.waiting).into_iter();
        for entry in waiting.by_ref() {
            let stream = entry.append.stream.as_str();
            let fits = groups.is_empty() || bytes + entry.bytes <= MAX_BATCH_BYTES;
            let place = by_stream.get(stream).copied();
            match place {
                None if fits && !self.under_way.contains(stream) => {
                    by_stream.insert(stream.to_owned(), Some(groups.len()));
                    bytes += entry.bytes;
                    groups.push(Group::of(entry));
                }
                Some(Some(index)) if fits && groups[index].takes(&entry.append) => {
                    bytes += entry.bytes;
                    groups[index].add(entry);
                }
                _ => {
                    // What comes later on this stream stays behind it.
                    by_stream.insert(stream.to_owned(), None);
                    left.push_back(entry);
                }
            }
            if groups.len() == MAX_BATCH_STREAMS || bytes >= MAX_BATCH_BYTES {
                break;
            }
        }
        left.extend(waiting);
        self.waiting = left;
        groups
    }
}

impl Group {
    fn of(entry: Entry) -> Self {
        Self {
            append: entry.append,
            since: entry.since,
            callers: vec![entry.caller],
        }
    }

    fn takes(&self, other: &NewAppend) -> bool {
        [&self.append, other].iter().all(|append| {
            append.expected == ExpectedVersion::Any && append.idempotency_key.is_none()
        })
    }

    fn add(&mut self, mut entry: Entry) {
        self.append.events.append(&mut entry.append.events);
        self.callers.push(entry.caller);
    }

    /// Answers the callers, unless somebody else holds the stream.
    fn answer_unless_held(self, outcome: Result<AppendOutcome>) -> Option<Self> {
        let held = match &outcome {
            Ok(outcome) => *outcome == AppendOutcome::Busy,
            Err(error) => rolled_back(error) && error.db_kind() == Some(DbErrorKind::LockTimeout),
        };
        if held {
            return Some(self);
        }
        self.answer(outcome);
        None
    }

    fn answer(self, outcome: Result<AppendOutcome>) {
        let shares = match outcome {
            Ok(outcome) => {
                let counts: Vec<usize> = self.callers.iter().map(|caller| caller.events).collect();
                split(outcome, &counts).into_iter().map(Ok).collect()
            }
            Err(error) => copies(error, self.callers.len()),
        };
        for (caller, share) in self.callers.into_iter().zip(shares) {
            // A caller that is gone needs no answer.
            let _ = caller.answer.send(share);
        }
    }
}

/// Sends a batch and answers its callers, but for the groups that it gives back: somebody else holds
/// their streams.
async fn write<DB: Backend>(shared: &Shared<DB>, groups: Vec<Group>) -> Vec<Group> {
    let appends: Vec<NewAppend> = groups.iter().map(|group| group.append.clone()).collect();
    let mut held = Vec::new();
    match DB::append(&shared.db, &appends, AppendMode::EachOrBusy).await {
        Ok(outcomes) => {
            shared.wake_readers(&outcomes);
            for (group, outcome) in groups.into_iter().zip(outcomes) {
                held.extend(group.answer_unless_held(Ok(outcome)));
            }
        }
        Err(error) if groups.len() > 1 && rolled_back(&error) => {
            for group in groups {
                let append = std::slice::from_ref(&group.append);
                let outcomes = DB::append(&shared.db, append, AppendMode::EachOrBusy).await;
                if let Ok(outcomes) = &outcomes {
                    shared.wake_readers(outcomes);
                }
                held.extend(group.answer_unless_held(outcomes.and_then(single)));
            }
        }
        Err(error) => {
            let errors = copies(error, groups.len());
            for (group, error) in groups.into_iter().zip(errors) {
                held.extend(group.answer_unless_held(error));
            }
        }
    }
    held
}

/// Waits for a stream that somebody else holds, then writes.
async fn write_waiting<DB: Backend>(group: Group, under_way: UnderWay<DB>) {
    let shared = Arc::clone(&under_way.shared);
    let outcome = async {
        let left = shared.lock_timeout.saturating_sub(group.since.elapsed());
        let limits = TxLimits {
            lock: Some(left),
            idle: Some(shared.lock_timeout),
        };
        let mut tx = DB::begin(&shared.db, limits).await?;
        let append = std::slice::from_ref(&group.append);
        let outcomes = DB::append_in_tx(&mut tx.tx, append, AppendMode::EachWaiting).await?;
        tx.commit().await?;
        shared.wake_readers(&outcomes);
        single(outcomes)
    }
    .await;
    drop(under_way);
    group.answer(outcome);
    // What waits for this stream may be all that is left, and then every flusher has gone.
    let start = {
        let mut queue = shared.queue();
        !queue.waiting.is_empty() && queue.wants_flusher::<DB>()
    };
    if start {
        start_flusher(&shared);
    }
}

fn single(outcomes: Vec<AppendOutcome>) -> Result<AppendOutcome> {
    let outcome = outcomes.into_iter().next();
    outcome.ok_or_else(|| EventStoreError::Unsupported {
        what: "an append was not answered: the schema's functions are not this release's; run \
               `migrate()`"
            .to_owned(),
    })
}

/// Whether the server itself said that it did not do it.
fn rolled_back(error: &EventStoreError) -> bool {
    matches!(error, EventStoreError::Database(sqlx::Error::Database(_)))
        && error.db_kind() != Some(DbErrorKind::Connection)
}

fn size(append: &NewAppend) -> usize {
    append
        .events
        .iter()
        .map(|event| event.data.len() + event.metadata.as_deref().map_or(0, str::len) + 64)
        .sum()
}

/// Gives each caller of a merged append its share of the outcome.
fn split(outcome: AppendOutcome, counts: &[usize]) -> Vec<AppendOutcome> {
    let AppendOutcome::Written {
        version,
        positions,
        created_at,
    } = outcome
    else {
        return vec![outcome; counts.len()];
    };
    let total: usize = counts.iter().sum();
    let mut end = 0;
    counts
        .iter()
        .map(|count| {
            let start = end;
            end += count;
            AppendOutcome::Written {
                version: version - (total - end) as i64,
                positions: positions.get(start..end).unwrap_or_default().to_vec(),
                created_at,
            }
        })
        .collect()
}

/// One error for each of several callers. The first gets the original; sqlx's errors can't be
/// cloned, so the others get one that is classified alike and says the same.
pub(super) fn copies<T>(error: EventStoreError, count: usize) -> Vec<Result<T>> {
    let copy = || -> sqlx::Error {
        if let EventStoreError::Database(sqlx::Error::PoolTimedOut) = error {
            return sqlx::Error::PoolTimedOut;
        }
        let mut text = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(inner) = source {
            text = format!("{text}: {inner}");
            source = inner.source();
        }
        if error.is_retryable() {
            sqlx::Error::Io(std::io::Error::new(ErrorKind::ConnectionAborted, text))
        } else {
            sqlx::Error::Protocol(text)
        }
    };
    let mut all: Vec<Result<T>> = (1..count).map(|_| Err(copy().into())).collect();
    all.insert(0, Err(error));
    all
}
