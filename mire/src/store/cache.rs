//! The cache of folded aggregates: bounded in number and bytes, and never trusted to be fresh.
//!
//! An entry is the fold of a prefix of its stream, by the store alone: a caller's own `state` never
//! gets in. Since the log only grows, a prefix can't become wrong; whoever uses it reads the rest.

use std::any::{Any, TypeId};
use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache as Bounded;

use super::fold::Folded;
use super::options::StoreOptions;
use crate::aggregate::Aggregate;

/// What an entry costs beside its state: key, pointers, bookkeeping.
const OVERHEAD: usize = 256;

pub(super) struct Cache {
    entries: Option<Bounded<Key, Arc<Entry>, Bytes>>,
}

type Key = (TypeId, String);

struct Entry {
    version: i64,
    bytes: usize,
    state: Box<dyn Any + Send + Sync>,
}

#[derive(Clone)]
struct Bytes;

impl Weighter<Key, Arc<Entry>> for Bytes {
    fn weight(&self, key: &Key, entry: &Arc<Entry>) -> u64 {
        (entry.bytes + key.1.len() + OVERHEAD) as u64
    }
}

impl Cache {
    pub(super) fn new(options: &StoreOptions) -> Self {
        let on = options.cache_bytes > 0 && options.cache_aggregates > 0;
        // The cache is bounded in bytes; a share of them for each aggregate bounds the number.
        let bytes = options
            .cache_bytes
            .min(options.cache_aggregates.saturating_mul(64 * 1024));
        Self {
            entries: on
                .then(|| Bounded::with_weighter(options.cache_aggregates, bytes as u64, Bytes)),
        }
    }

    /// A copy of the cached state, for an aggregate that can be copied.
    pub(super) fn copy<A: Aggregate>(&self, stream_id: &str) -> Option<Folded<A>> {
        let entry = self.entries.as_ref()?.get(&key::<A>(stream_id))?;
        Some(Folded {
            state: entry.state.downcast_ref::<A>()?.cached()?,
            version: entry.version,
            bytes: entry.bytes,
        })
    }

    /// Keeps a copy of a state, if the aggregate can be copied.
    pub(super) fn keep_copy<A: Aggregate>(&self, stream_id: &str, folded: &Folded<A>) {
        if self.entries.is_some()
            && let Some(state) = folded.state.cached()
        {
            self.put(stream_id, state, folded.version, folded.bytes);
        }
    }

    /// Takes a state out, for a caller that keeps it to itself until it gives it back.
    pub(super) fn lend<A: Aggregate>(&self, stream_id: &str) -> Option<Folded<A>> {
        if let Some(copy) = self.copy(stream_id) {
            return Some(copy);
        }
        let (_, entry) = self.entries.as_ref()?.remove(&key::<A>(stream_id))?;
        let entry = Arc::into_inner(entry)?;
        Some(Folded {
            state: *entry.state.downcast::<A>().ok()?,
            version: entry.version,
            bytes: entry.bytes,
        })
    }

    /// Takes a state in.
    pub(super) fn give_back<A: Aggregate>(&self, stream_id: &str, folded: Folded<A>) {
        self.put(stream_id, folded.state, folded.version, folded.bytes);
    }

    pub(super) fn forget<A: Aggregate>(&self, stream_id: &str) {
        if let Some(entries) = &self.entries {
            entries.remove(&key::<A>(stream_id));
        }
    }

    fn put<A: Aggregate>(&self, stream_id: &str, state: A, version: i64, bytes: usize) {
        let Some(entries) = &self.entries else {
            return;
        };
        let key = key::<A>(stream_id);
        // Of two that race, the one that has read more stays.
        if entries
            .peek(&key)
            .is_some_and(|kept| kept.version > version)
        {
            return;
        }
        let state = Box::new(state);
        entries.insert(
            key,
            Arc::new(Entry {
                version,
                bytes,
                state,
            }),
        );
    }
}

fn key<A: Aggregate>(stream_id: &str) -> Key {
    (TypeId::of::<A>(), stream_id.to_owned())
}
