//! 1: load → record → save, one stream, one after another.

use std::time::Instant;

use async_trait::async_trait;

use crate::systems::{Can, Saved};
use crate::workload::{Figure, Stand, Target, Unit, Workload};

pub struct SavesInSequence;

#[async_trait]
impl Workload for SavesInSequence {
    fn number(&self) -> &'static str {
        "1"
    }

    fn name(&self) -> &'static str {
        "load → record → save, one stream, in sequence"
    }

    fn figures(&self) -> &'static [Figure] {
        &[Figure {
            label: "saves/s",
            unit: Unit::PerSecond,
            target: Target::Ratio(5.0),
        }]
    }

    fn needs(&self) -> Can {
        Can::Deposit
    }

    async fn measure(&self, stand: &Stand, round: usize) -> anyhow::Result<Vec<f64>> {
        let saves = stand.size(500, 100);
        let account = format!("sequence-{round}");
        let started = Instant::now();
        for _ in 0..saves {
            let saved = stand.system.deposit(&account).await?;
            anyhow::ensure!(
                saved == Saved::Done,
                "nobody else writes, and yet: {saved:?}"
            );
        }
        Ok(vec![saves as f64 / started.elapsed().as_secs_f64()])
    }
}
