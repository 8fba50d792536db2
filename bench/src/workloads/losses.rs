//! 15: what a running subscription loses while many append at once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::systems::{Can, Settings, System};
use crate::workload::{Figure, Stand, Target, Unit, Workload};

const WRITERS: i64 = 16;
const PATIENCE: Duration = Duration::from_secs(120);

/// For how long after its last event a subscription may still deliver one that came late.
const GRACE: Duration = Duration::from_secs(3);

pub struct Losses;

#[async_trait]
impl Workload for Losses {
    fn number(&self) -> &'static str {
        "15"
    }

    fn name(&self) -> &'static str {
        "16 writers beside a subscription"
    }

    fn figures(&self) -> &'static [Figure] {
        &[
            Figure {
                label: "events lost, of 8,000",
                unit: Unit::Events,
                target: Target::AtMost(0.0),
            },
            Figure {
                label: "events/s, to the last one handled",
                unit: Unit::PerSecond,
                target: Target::None,
            },
        ]
    }

    fn needs(&self) -> Can {
        Can::Subscribe
    }

    async fn measure(&self, stand: &Stand, round: usize) -> anyhow::Result<Vec<f64>> {
        let each = stand.size(500, 100);
        let all = WRITERS * each;
        let base = (round as i64 + 1) * 1_000_000;
        let seen = Arc::new(Mutex::new(vec![false; all as usize + 1]));
        let handler = {
            let seen = Arc::clone(&seen);
            Arc::new(move |amount: i64| {
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                if let Ok(index) = usize::try_from(amount - base)
                    && let Some(place) = seen.get_mut(index)
                {
                    *place = true;
                }
            })
        };
        let subscription = stand
            .system
            .subscribe(&format!("losing-{round}"), &Settings::short_poll(), handler)
            .await?;
        let started = Instant::now();
        let mut tasks = JoinSet::new();
        for writer in 0..WRITERS {
            let system = Arc::clone(&stand.system);
            tasks.spawn(write(system, round, writer, each, base));
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        // One more, after all others were committed: a subscription that has come to it has passed
        // them all.
        stand
            .system
            .append(&format!("last-{round}"), base + all)
            .await?;
        let is_seen = |index: usize| seen.lock().unwrap_or_else(PoisonError::into_inner)[index];
        let deadline = Instant::now() + PATIENCE;
        while !is_seen(all as usize) {
            anyhow::ensure!(subscription.is_running(), "the subscription has stopped");
            anyhow::ensure!(
                Instant::now() < deadline,
                "the last event was not handled in {PATIENCE:?}"
            );
            sleep(Duration::from_millis(5)).await;
        }
        let rate = all as f64 / started.elapsed().as_secs_f64();
        sleep(GRACE).await;
        subscription.stop().await?;
        let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let lost = seen.iter().filter(|seen| !**seen).count();
        Ok(vec![lost as f64, rate])
    }
}

async fn write(
    system: Arc<dyn System>,
    round: usize,
    writer: i64,
    each: i64,
    base: i64,
) -> anyhow::Result<()> {
    for n in 0..each {
        let account = format!("losing-{round}-{writer}");
        system.append(&account, base + writer * each + n).await?;
    }
    Ok(())
}
