//! 2: load → record → save by 64 tasks, each on a stream of its own.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use tokio::task::JoinSet;

use crate::systems::{Can, Saved, System};
use crate::workload::{Figure, Stand, Target, Unit, Workload};

const TASKS: i64 = 64;

pub struct SavesSideBySide;

#[async_trait]
impl Workload for SavesSideBySide {
    fn number(&self) -> &'static str {
        "2"
    }

    fn name(&self) -> &'static str {
        "load → record → save, 64 tasks, own streams"
    }

    fn figures(&self) -> &'static [Figure] {
        &[Figure {
            label: "saves/s",
            unit: Unit::PerSecond,
            target: Target::Ratio(10.0),
        }]
    }

    fn needs(&self) -> Can {
        Can::Deposit
    }

    async fn measure(&self, stand: &Stand, round: usize) -> anyhow::Result<Vec<f64>> {
        let rate = saves_a_second(&stand.system, round, stand.size(50, 10)).await?;
        Ok(vec![rate])
    }
}

/// `each` saves by each of 64 tasks.
pub async fn saves_a_second(
    system: &Arc<dyn System>,
    round: usize,
    each: i64,
) -> anyhow::Result<f64> {
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let system = Arc::clone(system);
        tasks.spawn(async move {
            let account = format!("own-{round}-{task}");
            for _ in 0..each {
                let saved = system.deposit(&account).await?;
                anyhow::ensure!(
                    saved == Saved::Done,
                    "nobody else writes, and yet: {saved:?}"
                );
            }
            Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok((TASKS * each) as f64 / started.elapsed().as_secs_f64())
}
