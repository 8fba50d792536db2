//! The store's bounds. The defaults serve; nothing here has to be known to be fast or safe.

use std::time::Duration;

const MIB: usize = 1024 * 1024;

/// Bounds of an [`EventStore`](crate::EventStore).
///
/// ```
/// let options = mire::StoreOptions::default().max_event_bytes(64 * 1024).cache_bytes(0);
/// # let _ = options;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreOptions {
    pub(crate) max_event_bytes: usize,
    pub(crate) queue_bytes: usize,
    pub(crate) cache_bytes: usize,
    pub(crate) cache_aggregates: usize,
    pub(crate) max_attempts: u32,
    pub(crate) lock_timeout: Duration,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            max_event_bytes: MIB,
            queue_bytes: 64 * MIB,
            cache_bytes: 64 * MIB,
            cache_aggregates: 10_000,
            max_attempts: 16,
            lock_timeout: crate::backend::DEFAULT_LOCK_TIMEOUT,
        }
    }
}

impl StoreOptions {
    /// The most bytes that one event may have, payload and metadata together, as JSON text. Larger
    /// ones are refused with [`EventTooLarge`](crate::EventStoreError::EventTooLarge). Default: 1 MiB.
    #[must_use]
    pub fn max_event_bytes(mut self, bytes: usize) -> Self {
        self.max_event_bytes = bytes;
        self
    }

    /// The most bytes of events that may wait in this process to be written; three quarters of them
    /// are for saves of more than 1 MiB, so that those never keep others out. Further saves wait for
    /// room, in order. Default: 64 MiB.
    #[must_use]
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.queue_bytes = bytes.max(1);
        self
    }

    /// The most bytes of events whose fold is kept in the cache of loaded aggregates; 0 switches
    /// the cache off. Default: 64 MiB.
    #[must_use]
    pub fn cache_bytes(mut self, bytes: usize) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// The most aggregates that are kept in the cache; 0 switches the cache off. Default: 10,000.
    #[must_use]
    pub fn cache_aggregates(mut self, count: usize) -> Self {
        self.cache_aggregates = count;
        self
    }

    /// How often [`execute`](crate::EventStore::execute) and
    /// [`Repository::send`](crate::Repository::send) decide before they give a conflict back. At
    /// least 1. Default: 16.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts.max(1);
        self
    }

    /// How long an append waits for a stream that another transaction has locked, before it fails
    /// with a [lock time-out](crate::DbErrorKind::LockTimeout); and how long on PostgreSQL a runner
    /// waits for what somebody has locked in a table that it keeps, before it notes that as what
    /// [hinders](crate::table::TableVersion::hindrance) it, and tries again. Default: 30 seconds.
    #[must_use]
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout;
        self
    }
}
