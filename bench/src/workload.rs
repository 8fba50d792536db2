//! What a workload is: figures to measure on each system in turn.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use hdrhistogram::Histogram;
use serde::Serialize;
use sqlx::PgConnection;

use crate::server::Database;
use crate::systems::{Can, Kind, System};

/// A system with a database of its own, ready to be measured.
pub struct Stand {
    pub kind: Kind,
    pub system: Arc<dyn System>,
    pub database: Database,
    pub connections: u32,
    pub quick: bool,
    /// What [`Stand::keep`] was given.
    pub kept: Mutex<BTreeMap<&'static str, Histogram<u64>>>,
}

impl Stand {
    /// A size, smaller for a quick try.
    pub fn size(&self, full: i64, quick: i64) -> i64 {
        if self.quick { quick } else { full }
    }

    /// Adds a round's latencies, in microseconds, to those of earlier rounds, for the report.
    pub fn keep(&self, label: &'static str, latencies: &Histogram<u64>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match kept.get_mut(label) {
            // It grows with what it is given; nothing is too long for it.
            Some(all) => drop(all.add(latencies)),
            None => drop(kept.insert(label, latencies.clone())),
        }
    }

    /// A connection to the server that leaves the system's database alone.
    pub async fn server_connection(&self) -> anyhow::Result<PgConnection> {
        self.database.server_connection().await
    }
}

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// So many a second: more is better.
    PerSecond,
    /// Milliseconds: less is better.
    Millis,
    /// Seconds: less is better.
    Seconds,
    /// Mebibytes: less is better.
    Mebibytes,
    /// Events: less is better.
    Events,
    /// Queries a second: less is better.
    Load,
    /// How many times as much: less is better.
    Times,
}

impl Unit {
    pub fn more_is_better(self) -> bool {
        self == Self::PerSecond
    }
}

/// What ours has to reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// So many times as good as the peer.
    Ratio(f64),
    /// No more than this, whatever the peer does.
    AtMost(f64),
    /// So many times what the peer takes, at most.
    Cost(f64),
    /// Shown, not judged.
    None,
}

impl Target {
    /// What ours has to reach beside the other peers: the ratios are aims against the closest one,
    /// and nobody may be ahead.
    pub fn for_others(self) -> Self {
        match self {
            Self::Ratio(_) => Self::Ratio(1.0),
            other => other,
        }
    }
}

/// One line of the table for each peer.
#[derive(Debug, Clone, Copy)]
pub struct Figure {
    pub label: &'static str,
    pub unit: Unit,
    pub target: Target,
}

/// A workload. Its figures are measured on each system in turn, round after round.
#[async_trait]
pub trait Workload: Send + Sync {
    fn number(&self) -> &'static str;

    fn name(&self) -> &'static str;

    fn figures(&self) -> &'static [Figure];

    /// What a system has to offer to take part.
    fn needs(&self) -> Can;

    /// Whether it takes so long that it runs only when it is asked for.
    fn is_long(&self) -> bool {
        false
    }

    /// Whether it measures ours alone.
    fn is_solo(&self) -> bool {
        false
    }

    /// Fills the log, once, before the first round.
    async fn prepare(&self, stand: &Stand) -> anyhow::Result<()> {
        let _ = stand;
        Ok(())
    }

    /// Measures each figure once.
    async fn measure(&self, stand: &Stand, round: usize) -> anyhow::Result<Vec<f64>>;

    /// What ours is held against beside the peers, and what the first figures have to reach there.
    fn limit(&self) -> Option<(&'static str, Target)> {
        None
    }

    /// The first figures without any event store, on ours' database if it needs one.
    async fn measure_limit(&self, stand: &Stand, round: usize) -> anyhow::Result<Vec<f64>> {
        let _ = (stand, round);
        anyhow::bail!("workload {} has no limit to measure", self.number())
    }
}
