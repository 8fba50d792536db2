//! What look-ups remember: which versions of tables were found complete.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// For how long it is believed. Such a table is dropped only after hours without a leader, and a
/// look-up that finds it gone asks again; one that nobody keeps up to date any more is left after this
/// time.
const BELIEVED: Duration = Duration::from_secs(5);

/// A declared subscription and a fingerprint.
type Version = (&'static str, u32);

/// The versions that were found complete, and when.
#[derive(Debug, Default)]
pub(crate) struct ReadyTables(Mutex<Vec<(Version, Instant)>>);

impl ReadyTables {
    pub(crate) fn knows(&self, version: Version) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .iter()
            .any(|(known, at)| *known == version && at.elapsed() < BELIEVED)
    }

    pub(crate) fn note(&self, version: Version, ready: bool) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(known, _)| *known != version);
        if ready {
            known.push((version, Instant::now()));
        }
    }
}
