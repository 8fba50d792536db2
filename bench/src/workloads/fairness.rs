//! 17: lone appends, and small ones beside huge ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::systems::{Can, System};
use crate::workload::{Figure, Stand, Target, Unit, Workload};

/// Callers with huge saves.
const HUGE: usize = 8;

/// Between two saves, so that each is alone.
const PAUSE: Duration = Duration::from_millis(3);

pub struct Fairness;

const fn millis(label: &'static str) -> Figure {
    Figure {
        label,
        unit: Unit::Millis,
        target: Target::None,
    }
}

#[async_trait]
impl Workload for Fairness {
    fn number(&self) -> &'static str {
        "17"
    }

    fn name(&self) -> &'static str {
        "lone appends, and small ones beside huge ones"
    }

    fn figures(&self) -> &'static [Figure] {
        const FIGURES: &[Figure] = &[
            millis("a lone append, p50"),
            millis("a lone append, p99"),
            millis("a small one beside 8 callers with huge ones, p50"),
            millis("a small one beside 8 callers with huge ones, p99"),
            millis("a huge one beside 7 others, p50"),
        ];
        FIGURES
    }

    fn needs(&self) -> Can {
        Can::AppendMany
    }

    async fn measure(&self, stand: &Stand, round: usize) -> anyhow::Result<Vec<f64>> {
        let times = stand.size(300, 50);
        let mut alone = Histogram::new(3)?;
        for n in 0..times {
            let account = format!("alone-{round}-{}", n % 20);
            alone.record(timed(stand.system.append(&account, n)).await?)?;
            sleep(PAUSE).await;
        }

        let stop = Arc::new(AtomicBool::new(false));
        let mut callers = JoinSet::new();
        for caller in 0..HUGE {
            let (system, stop) = (Arc::clone(&stand.system), Arc::clone(&stop));
            // Larger than a batch of ours may be, so that it travels alone.
            let events = stand.size(20_000, 15_000);
            callers.spawn(save_until(
                system,
                format!("huge-{round}-{caller}"),
                events,
                stop,
            ));
        }
        // Until all are under way.
        sleep(Duration::from_millis(300)).await;
        let mut small = Histogram::new(3)?;
        for n in 0..stand.size(100, 20) {
            let account = format!("small-{round}-{}", n % 20);
            small.record(timed(stand.system.append(&account, n)).await?)?;
            sleep(PAUSE).await;
        }
        stop.store(true, Ordering::Relaxed);
        let mut huge = Histogram::<u64>::new(3)?;
        while let Some(times) = callers.join_next().await {
            for micros in times?? {
                huge.record(micros)?;
            }
        }
        stand.keep("lone appends", &alone);
        stand.keep("small appends beside huge ones", &small);
        Ok(vec![
            millis_at(&alone, 0.5),
            millis_at(&alone, 0.99),
            millis_at(&small, 0.5),
            millis_at(&small, 0.99),
            millis_at(&huge, 0.5),
        ])
    }
}

/// Saves so many events at once, again and again, and answers how many microseconds each took.
async fn save_until(
    system: Arc<dyn System>,
    account: String,
    events: i64,
    stop: Arc<AtomicBool>,
) -> anyhow::Result<Vec<u64>> {
    let mut times = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        times.push(timed(system.append_many(&account, events)).await?);
    }
    Ok(times)
}

async fn timed(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<u64> {
    let started = Instant::now();
    work.await?;
    Ok(u64::try_from(started.elapsed().as_micros())?.max(1))
}

fn millis_at(micros: &Histogram<u64>, quantile: f64) -> f64 {
    micros.value_at_quantile(quantile) as f64 / 1000.0
}
