//! What a workload is: figures to measure on each system in turn.

use std::sync::Arc;

use async_trait::async_trait;
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
}

impl Stand {
    /// A size, smaller for a quick try.
    pub fn size(&self, full: i64, quick: i64) -> i64 {
        if self.quick { quick } else { full }
    }

    /// A connection to the server that leaves the system's database alone.
    pub async fn server_connection(&self) -> anyhow::Result<PgConnection> {
        self.database.server_connection().await
    }
}

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// So many a second: more is better.
    PerSecond,
    /// Milliseconds: less is better.
    Millis,
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
    /// Shown, not judged.
    None,
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

    /// Whether it compares ours with ours alone.
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

    /// The line against the limit, if there is one: its name and the share that ours has to reach.
    fn limit(&self) -> Option<(&'static str, f64)> {
        None
    }

    /// The same rows without any event store, on ours' database.
    async fn measure_limit(&self, stand: &Stand, round: usize) -> anyhow::Result<f64> {
        let _ = (stand, round);
        anyhow::bail!("workload {} has no limit to measure", self.number())
    }
}
