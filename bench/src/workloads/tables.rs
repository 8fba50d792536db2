//! 7 and 8: a projection that keeps a table, against one upsert an event, and against a set-based
//! handler written by hand.

use std::time::Duration;

use async_trait::async_trait;

use crate::systems::Can;
use crate::workload::{Figure, Stand, Target, Unit, Workload};

/// How a system without declared tables keeps one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// One statement an event.
    Upserts,
    /// One statement a page.
    SetBased,
}

/// What came of a table.
pub struct Kept {
    /// From the subscription's start to the commit of the last event.
    pub within: Duration,
    /// How many events its rows show.
    pub shown: i64,
}

pub struct Tables(pub Style);

impl Tables {
    fn events(stand: &Stand) -> i64 {
        let events = stand.size(40_000, 5_000);
        stand.kind.events(Can::UpsertTable, events)
    }
}

#[async_trait]
impl Workload for Tables {
    fn number(&self) -> &'static str {
        match self.0 {
            Style::Upserts => "7",
            Style::SetBased => "8",
        }
    }

    fn name(&self) -> &'static str {
        match self.0 {
            Style::Upserts => "a table, against one upsert an event",
            Style::SetBased => "a table, against a set-based handler by hand",
        }
    }

    fn figures(&self) -> &'static [Figure] {
        const UPSERTS: &[Figure] = &[Figure {
            label: "events/s",
            unit: Unit::PerSecond,
            target: Target::Ratio(12.0),
        }];
        const SET_BASED: &[Figure] = &[Figure {
            target: Target::Ratio(1.5),
            ..UPSERTS[0]
        }];
        match self.0 {
            Style::Upserts => UPSERTS,
            Style::SetBased => SET_BASED,
        }
    }

    fn needs(&self) -> Can {
        match self.0 {
            Style::Upserts => Can::UpsertTable,
            Style::SetBased => Can::BatchTable,
        }
    }

    async fn prepare(&self, stand: &Stand) -> anyhow::Result<()> {
        stand.system.fill_purses(Self::events(stand)).await?;
        stand.database.analyze().await
    }

    async fn measure(&self, stand: &Stand, round: usize) -> anyhow::Result<Vec<f64>> {
        let events = Self::events(stand);
        let kept = stand.system.keep_table(round, self.0, events).await?;
        let shown = kept.shown;
        anyhow::ensure!(
            shown == events,
            "the table shows {shown} events of {events}"
        );
        Ok(vec![events as f64 / kept.within.as_secs_f64()])
    }
}
