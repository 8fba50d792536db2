//! 5: one save of 10,000 events.

use std::time::Instant;

use async_trait::async_trait;

use crate::systems::Can;
use crate::workload::{Figure, Stand, Target, Unit, Workload};

pub struct SaveMany;

#[async_trait]
impl Workload for SaveMany {
    fn number(&self) -> &'static str {
        "5"
    }

    fn name(&self) -> &'static str {
        "one save of 10,000 events"
    }

    fn figures(&self) -> &'static [Figure] {
        &[Figure {
            label: "events/s",
            unit: Unit::PerSecond,
            target: Target::Ratio(2.0),
        }]
    }

    fn needs(&self) -> Can {
        Can::SaveMany
    }

    async fn measure(&self, stand: &Stand, round: usize) -> anyhow::Result<Vec<f64>> {
        let events = stand.size(10_000, 2_000);
        let started = Instant::now();
        stand
            .system
            .save_many(&format!("many-{round}"), events)
            .await?;
        Ok(vec![events as f64 / started.elapsed().as_secs_f64()])
    }
}
