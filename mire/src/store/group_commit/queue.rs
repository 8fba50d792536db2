//! What waits to be written, and what of it travels in the next statement.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use tokio::time::Instant;

use super::answers::{Caller, Group};
use super::driven::Driven;
use crate::backend::{Backend, NewAppend};
use crate::stream::ExpectedVersion;

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

/// The appends that wait, and who is writing what.
#[derive(Default)]
pub(super) struct Queue {
    pub(super) waiting: VecDeque<Entry>,
    /// Streams that a flusher is writing to.
    pub(super) under_way: HashSet<String>,
    pub(super) flushers: usize,
    /// How many of them write a huge save.
    pub(super) huge_under_way: usize,
    /// Whether the last batch was a huge save.
    pub(super) huge_was_last: bool,
    /// The flusher that a caller drives, or drove; only while it is the only one.
    pub(super) driven: Option<Arc<Driven>>,
}

pub(super) struct Entry {
    pub(super) append: NewAppend,
    pub(super) bytes: usize,
    pub(super) since: Instant,
    pub(super) caller: Caller,
}

/// What travels in one statement: an append a stream, and who waits for each.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) appends: Vec<NewAppend>,
    pub(super) groups: Vec<Group>,
    pub(super) bytes: usize,
}

impl Queue {
    /// Whether one more flusher is to be started; its place is taken then.
    pub(super) fn wants_flusher<DB: Backend>(&mut self) -> bool {
        let only_huge_ones = self.flushers == self.huge_under_way;
        let few = self.under_way.len() < FEW_STREAMS;
        let pays = only_huge_ones || few || self.waiting.len() >= GOOD_BATCH;
        let start = self.flushers < DB::WRITERS && pays;
        self.flushers += usize::from(start);
        start
    }

    /// Takes what can be written now.
    pub(super) fn next_batch(&mut self, writers: usize) -> Batch {
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

impl Batch {
    pub(super) fn streams(&self) -> Vec<String> {
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

/// What an append counts for, in bytes.
pub(super) fn size(append: &NewAppend) -> usize {
    append
        .events
        .iter()
        .map(|event| event.data.len() + event.metadata.as_deref().map_or(0, str::len) + 64)
        .sum()
}

/// Whether it travels alone.
pub(super) fn is_huge(bytes: usize) -> bool {
    bytes > MAX_BATCH_BYTES
}
