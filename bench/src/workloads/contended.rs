//! 4: 16 tasks that all write to one stream, each until it is saved.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use tokio::task::JoinSet;

use crate::systems::{Can, Saved};
use crate::workload::{Figure, Stand, Target, Unit, Workload};

const TASKS: i64 = 16;

pub struct Contended;

#[async_trait]
impl Workload for Contended {
    fn number(&self) -> &'static str {
        "4"
    }

    fn name(&self) -> &'static str {
        "16 tasks contend on one stream, until saved"
    }

    fn figures(&self) -> &'static [Figure] {
        &[
            Figure {
                label: "saves/s, as its documentation says",
                unit: Unit::PerSecond,
                target: Target::Ratio(10.0),
            },
            Figure {
                label: "saves/s, load and save in a loop",
                unit: Unit::PerSecond,
                target: Target::None,
            },
        ]
    }

    fn needs(&self) -> Can {
        Can::Deposit
    }

    async fn measure(&self, stand: &Stand, round: usize) -> anyhow::Result<Vec<f64>> {
        let each = stand.size(10, 3);
        let mut rates = Vec::new();
        for by_hand in [false, true] {
            let account = format!("contended-{by_hand}-{round}");
            let started = Instant::now();
            let mut tasks = JoinSet::new();
            for _ in 0..TASKS {
                let system = Arc::clone(&stand.system);
                let account = account.clone();
                tasks.spawn(async move {
                    for _ in 0..each {
                        if by_hand {
                            while system.deposit(&account).await? == Saved::Conflict {}
                        } else {
                            system.deposit_contended(&account).await?;
                        }
                    }
                    anyhow::Ok(())
                });
            }
            while let Some(ended) = tasks.join_next().await {
                ended??;
            }
            rates.push((TASKS * each) as f64 / started.elapsed().as_secs_f64());
            let saved = stand.system.fold(&account).await?;
            anyhow::ensure!(saved == TASKS * each, "{saved} saves are there");
        }
        Ok(rates)
    }
}
