//! A runner's settings, and what is wrong with them.

use std::time::Duration;

use crate::backend::Backend;
use crate::backend::coordination::{Coordination, pool_size};
use crate::error::shown;
use crate::store::EventStore;

/// What happens to an event that its handler could not handle in all its attempts.
///
/// An event that this code can't read, since a newer release wrote it, counts as one at its first
/// delivery. With `Stop` a replica of the newer release goes on at it; with the others it is put aside or
/// passed over for good. So whatever reads an event is deployed to all replicas before what writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum FailurePolicy {
    /// The runner ends with [`RunnerError::Stopped`]. The checkpoint stays before the event.
    #[default]
    Stop,
    /// The event is put aside, and with it the later ones of its stream; all other streams flow on.
    /// See [`EventStore::parked`](crate::EventStore::parked).
    Park,
    /// The event is passed over, and recorded as skipped.
    Skip,
}

/// A subscription's id, and what differs from the runner's settings. A plain text is one, too.
#[derive(Debug, Clone)]
pub struct Subscription {
    pub(crate) id: String,
    /// The name that was declared for it, where the id says which version it is of.
    pub(crate) declared: Option<&'static str>,
    pub(crate) policy: FailurePolicy,
    pub(crate) max_attempts: Option<u32>,
    pub(crate) handler_timeout: Option<Duration>,
}

impl Subscription {
    /// With the runner's settings.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            declared: None,
            policy: FailurePolicy::default(),
            max_attempts: None,
            handler_timeout: None,
        }
    }

    /// What to do with an event that can't be handled. Default: stop.
    #[must_use]
    pub fn on_failure(mut self, policy: FailurePolicy) -> Self {
        self.policy = policy;
        self
    }

    /// How often an event is tried, instead of the runner's number.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = Some(attempts);
        self
    }

    /// How long a handler may take for one event, or for a batch that it takes as one. Longer is a
    /// failure. Default: no limit.
    #[must_use]
    pub fn handler_timeout(mut self, timeout: Duration) -> Self {
        self.handler_timeout = Some(timeout);
        self
    }
}

impl From<&str> for Subscription {
    fn from(id: &str) -> Self {
        Self::new(id)
    }
}

impl From<String> for Subscription {
    fn from(id: String) -> Self {
        Self::new(id)
    }
}

impl From<&String> for Subscription {
    fn from(id: &String) -> Self {
        Self::new(id)
    }
}

/// Why a runner did not start, or why it ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunnerError {
    /// A setting has a value that can't work.
    #[error("{setting} can't be {value}: {mend}")]
    InvalidSetting {
        /// The setting.
        setting: &'static str,
        /// What was given.
        value: String,
        /// How to mend it.
        mend: &'static str,
    },
    /// An id that can't name a subscription.
    #[error("`{}` can't name a subscription: {reason}", shown(subscription_id))]
    InvalidSubscriptionId {
        /// What was given.
        subscription_id: String,
        /// What is wrong, and the mend.
        reason: &'static str,
    },
    /// Two subscriptions of the runner have the same id.
    #[error("subscription `{subscription_id}` is there twice: give each handler an id of its own")]
    DuplicateSubscription {
        /// The id.
        subscription_id: String,
    },
    /// A subscription without a table has the name of one whose tables are still there. Everything that
    /// takes the name, such as [`wait_for`](crate::EventStore::wait_for), would mean that one.
    #[error(
        "subscription `{subscription_id}` keeps no table, but one of this name did, and its tables \
         are still there: if no code declares it any more, stop its runners and call \
         `mire::table::remove(&store, \"{subscription_id}\")`, which drops them; else give this \
         one another name"
    )]
    NameOfTable {
        /// The name.
        subscription_id: String,
    },
    /// The runner has nothing to do.
    #[error("the runner has no subscription: add one with `subscribe`")]
    NoSubscription,
    /// The tables are not there.
    #[error("the schema is not there or not up to date: call `migrate()` on the store first")]
    NotMigrated,
    /// A handler failed for good, and the policy is [`FailurePolicy::Stop`].
    #[error(
        "subscription `{subscription_id}` stopped before `{event_type}` at position {position} in \
         stream `{stream_id}` (attempts: {attempts})"
    )]
    Stopped {
        /// The subscription.
        subscription_id: String,
        /// The event's position.
        position: i64,
        /// Its stream.
        stream_id: String,
        /// Its stored name.
        event_type: String,
        /// How often it was delivered.
        attempts: u32,
        /// What the handler said last.
        #[source]
        source: anyhow::Error,
    },
}

/// The longest id of a subscription and name of a worker, in bytes.
const MAX_NAME_BYTES: usize = 255;

#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) worker_id: String,
    pub(crate) poll_interval: Duration,
    /// What the runner was told; otherwise each handler's own.
    pub(crate) batch_size: Option<i64>,
    pub(crate) max_attempts: u32,
    pub(crate) retry_backoff: Duration,
    pub(crate) lease_ttl: Duration,
    pub(crate) heartbeat_interval: Option<Duration>,
    pub(crate) lease_recheck_interval: Duration,
    pub(crate) shutdown_grace: Duration,
    pub(crate) drop_tables_after: Duration,
    pub(crate) take_over_after: Duration,
}

/// The longest lease; longer ones are beyond what some clocks can count to.
const MAX_LEASE: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Heartbeats never come more often than this by default.
const MIN_HEARTBEAT: Duration = Duration::from_millis(100);

impl Settings {
    pub(crate) fn heartbeat(&self) -> Duration {
        self.heartbeat_interval
            .unwrap_or_else(|| (self.lease_ttl / 3).max(MIN_HEARTBEAT))
    }

    /// Checks all but the schema.
    pub(crate) fn check<'a, DB: Backend>(
        &self,
        store: &EventStore<DB>,
        subscriptions: impl Iterator<Item = &'a Subscription>,
    ) -> Result<(), RunnerError> {
        check_name("worker_id", &self.worker_id)?;
        for (setting, value) in [
            ("poll_interval", self.poll_interval),
            ("retry_backoff", self.retry_backoff),
            ("lease_ttl", self.lease_ttl),
            ("heartbeat_interval", self.heartbeat()),
            ("lease_recheck_interval", self.lease_recheck_interval),
            ("shutdown_grace", self.shutdown_grace),
            ("drop_tables_after", self.drop_tables_after),
            ("take_over_after", self.take_over_after),
        ] {
            if value.is_zero() {
                return Err(invalid(setting, "0", "give a duration above zero"));
            }
        }
        if self.lease_ttl > MAX_LEASE {
            return Err(invalid(
                "lease_ttl",
                format!("{:?}", self.lease_ttl),
                "give at most 365 days; a leader that dies is not replaced before its lease is over",
            ));
        }
        let heartbeat = self.heartbeat();
        if self.lease_ttl / 2 < heartbeat {
            return Err(invalid(
                "lease_ttl",
                format!("{:?} with heartbeats {heartbeat:?} apart", self.lease_ttl),
                "make it as long as two heartbeats at least, or set a shorter `heartbeat_interval`",
            ));
        }
        if let Some(batch_size @ ..1) = self.batch_size {
            return Err(invalid("batch_size", batch_size, "give at least 1"));
        }
        let connections = pool_size(store.pool());
        if connections < <DB as Coordination>::MIN_POOL_CONNECTIONS {
            return Err(invalid(
                "the pool's max_connections",
                connections,
                "a runner needs one for a handler's transaction and one to read beside it; give \
                 the pool at least 2",
            ));
        }
        let mut seen = std::collections::HashSet::new();
        for subscription in subscriptions {
            if subscription.max_attempts.unwrap_or(self.max_attempts) == 0 {
                return Err(invalid("max_attempts", 0, "give at least 1, the first try"));
            }
            if subscription.handler_timeout.is_some_and(|t| t.is_zero()) {
                return Err(invalid(
                    "handler_timeout",
                    "0",
                    "give a duration above zero",
                ));
            }
            check_subscription_id(&subscription.id)?;
            let name = subscription.declared.unwrap_or(&subscription.id);
            if !seen.insert(name) {
                return Err(RunnerError::DuplicateSubscription {
                    subscription_id: name.to_owned(),
                });
            }
        }
        if seen.is_empty() {
            return Err(RunnerError::NoSubscription);
        }
        Ok(())
    }
}

fn invalid(setting: &'static str, value: impl ToString, mend: &'static str) -> RunnerError {
    RunnerError::InvalidSetting {
        setting,
        value: value.to_string(),
        mend,
    }
}

fn malformed(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        Some("it is empty; give it a name")
    } else if name.len() > MAX_NAME_BYTES {
        Some("it is longer than 255 bytes; use a shorter one")
    } else if name.chars().any(char::is_control) {
        Some("it has a control character; use printable ones")
    } else if name.trim() != name {
        Some("it begins or ends with white space; trim it")
    } else {
        None
    }
}

fn check_name(setting: &'static str, name: &str) -> Result<(), RunnerError> {
    malformed(name).map_or(Ok(()), |mend| {
        Err(invalid(setting, format!("`{}`", shown(name)), mend))
    })
}

fn check_subscription_id(id: &str) -> Result<(), RunnerError> {
    malformed(id).map_or(Ok(()), |reason| {
        Err(RunnerError::InvalidSubscriptionId {
            subscription_id: id.to_owned(),
            reason,
        })
    })
}
