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
//! A flusher is a task; but the caller of a save that is alone [drives](super::driven) its flusher
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

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Instant;

use super::driven::{Driven, Driver};
use super::options::StoreOptions;
use crate::backend::{AppendMode, AppendOutcome, Backend, Db, NewAppend, Result, TxLimits};
use crate::error::{DbErrorKind, EventStoreError};
use crate::stream::ExpectedVersion;
use crate::wake::Wake;

/// A batch ends before it has more bytes than this, or it has one append only.
const MAX_BATCH_BYTES: usize = 1024 * 1024;

/// A batch ends before it has more streams than this.
const MAX_BATCH_STREAMS: usize = 256;

/// While fewer streams than this are being written to, a save goes at once, on a flusher of its own
/// if there is a place for one.
const FEW_STREAMS: usize = 4;

/// With more, it waits for those to be committed, unless so many saves wait that they make a good
/// batch by themselves.
const GOOD_BATCH: usize = MAX_BATCH_STREAMS / 2;

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

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Entry>,
    /// Streams that a flusher is writing to.
    under_way: HashSet<String>,
    flushers: usize,
    /// How many of them write a huge save.
    huge_under_way: usize,
    /// Whether the last batch was a huge save.
    huge_was_last: bool,
    /// The flusher that a caller drives, or drove; only while it is the only one.
    driven: Option<Arc<Driven>>,
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

/// Who waits for an append to one stream.
struct Group {
    /// When the first of them arrived.
    since: Instant,
    /// Their appends are written as one; more than one only if none expects anything.
    callers: Vec<Caller>,
    /// They expect the version that the append expects, which it will have used up.
    rivals: Vec<Caller>,
}

/// What travels in one statement: an append a stream, and who waits for each.
#[derive(Default)]
struct Batch {
    appends: Vec<NewAppend>,
    groups: Vec<Group>,
    bytes: usize,
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
        let room = if bytes > MAX_BATCH_BYTES {
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

impl Queue {
    /// Whether one more flusher is to be started; its place is taken then.
    fn wants_flusher<DB: Backend>(&mut self) -> bool {
        let only_huge_ones = self.flushers == self.huge_under_way;
        let few = self.under_way.len() < FEW_STREAMS;
        let pays = only_huge_ones || few || self.waiting.len() >= GOOD_BATCH;
        let start = self.flushers < DB::WRITERS && pays;
        self.flushers += usize::from(start);
        start
    }

    /// Takes what can be written now.
    fn next_batch(&mut self, writers: usize) -> Batch {
        let batch = self.take_batch(self.may_be_huge(writers));
        if batch.appends.is_empty() && self.huge_under_way == 0 {
            // The small ones have to wait for their streams.
            return self.take_batch(true);
        }
        batch
    }

    /// Takes streams in order of arrival, none that is under way.
    fn take_batch(&mut self, may_be_huge: bool) -> Batch {
        let mut batch = Batch::default();
        // Where a stream is in the batch; nowhere when something of it has to wait.
        let mut places: HashMap<String, Option<usize>> = HashMap::new();
        let mut left = VecDeque::with_capacity(self.waiting.len());
        let mut waiting = std::mem::take(&mut self.waiting).into_iter();
        for entry in waiting.by_ref() {
            let stream = entry.append.stream.as_str();
            let fits = if is_huge(entry.bytes) {
                may_be_huge && batch.appends.is_empty()
            } else {
                batch.bytes + entry.bytes <= MAX_BATCH_BYTES
            };
            match places.get(stream).copied() {
                None if fits && !self.under_way.contains(stream) => {
                    places.insert(stream.to_owned(), Some(batch.appends.len()));
                    batch.add(entry);
                }
                Some(Some(place)) if batch.has_rival(place, &entry) => {
                    batch.groups[place].rivals.push(entry.caller);
                }
                Some(Some(place)) if fits && batch.can_merge(place, &entry) => {
                    batch.merge(place, entry);
                }
                _ => {
                    // What comes later on this stream stays behind it.
                    places.insert(stream.to_owned(), None);
                    left.push_back(entry);
                }
            }
            if batch.appends.len() == MAX_BATCH_STREAMS || batch.bytes >= MAX_BATCH_BYTES {
                break;
            }
        }
        left.extend(waiting);
        self.waiting = left;
        batch
    }

    /// Whether the next batch may be a huge save.
    fn may_be_huge(&self, writers: usize) -> bool {
        if writers > 1 {
            return self.huge_under_way == 0;
        }
        let only_huge = || self.waiting.iter().all(|entry| is_huge(entry.bytes));
        !self.huge_was_last || only_huge()
    }
}

fn is_huge(bytes: usize) -> bool {
    bytes > MAX_BATCH_BYTES
}

impl Batch {
    fn streams(&self) -> Vec<String> {
        let streams = self.appends.iter().map(|append| append.stream.as_str());
        streams.map(str::to_owned).collect()
    }

    fn add(&mut self, entry: Entry) {
        self.bytes += entry.bytes;
        self.appends.push(entry.append);
        self.groups.push(Group {
            since: entry.since,
            callers: vec![entry.caller],
            rivals: Vec::new(),
        });
    }

    /// Whether an append can be written as one with that at a place of the batch.
    fn can_merge(&self, place: usize, entry: &Entry) -> bool {
        [&self.appends[place], &entry.append].iter().all(|append| {
            append.expected == ExpectedVersion::Any && append.idempotency_key.is_none()
        })
    }

    fn merge(&mut self, place: usize, mut entry: Entry) {
        self.bytes += entry.bytes;
        let events = &mut self.appends[place].events;
        events.append(&mut entry.append.events);
        self.groups[place].callers.push(entry.caller);
    }

    /// Whether an append has to conflict once that at a place of the batch is written, or conflicts
    /// like it when that is not.
    fn has_rival(&self, place: usize, entry: &Entry) -> bool {
        let version = |append: &NewAppend| match append.expected {
            _ if append.idempotency_key.is_some() => None,
            ExpectedVersion::Any => None,
            ExpectedVersion::NoStream => Some(0),
            ExpectedVersion::Exact(version) => Some(version),
        };
        let expected = version(&self.appends[place]);
        expected.is_some() && expected == version(&entry.append)
    }
}

impl Group {
    fn answer(self, outcome: Result<AppendOutcome>) {
        let conflict = match &outcome {
            Ok(AppendOutcome::Written { version, .. }) => Some(*version),
            Ok(AppendOutcome::Conflict { actual }) => Some(*actual),
            _ => None,
        };
        let (callers, rivals) = (self.callers.len(), self.rivals.len());
        let shares: Vec<Result<AppendOutcome>> = match (outcome, conflict) {
            (Ok(outcome), Some(actual)) => {
                let counts: Vec<usize> = self.callers.iter().map(|caller| caller.events).collect();
                let beaten = vec![AppendOutcome::Conflict { actual }; rivals];
                split(outcome, &counts)
                    .into_iter()
                    .chain(beaten)
                    .map(Ok)
                    .collect()
            }
            // Only what has no rivals is answered in another way.
            (Ok(outcome), None) => (0..callers + rivals).map(|_| Ok(outcome.clone())).collect(),
            (Err(error), _) => copies(error, callers + rivals),
        };
        for (caller, share) in self.callers.into_iter().chain(self.rivals).zip(shares) {
            // A caller that is gone needs no answer.
            let _ = caller.answer.send(share);
        }
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
        let mut tx = DB::begin(&shared.db, limits).await?;
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
