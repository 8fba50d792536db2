//! 10: from an append in one process to a handler in another, at rest and under a steady load; and
//! what the database has to do while nothing happens.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::child::{Child, micros};
use crate::systems::Can;
use crate::workload::{Figure, Stand, Target, Unit, Workload};

/// For how long events may be on their way after the last append.
const PATIENCE: Duration = Duration::from_secs(15);

pub struct WakeUp;

const fn millis(label: &'static str, most: f64) -> Figure {
    Figure {
        label,
        unit: Unit::Millis,
        target: Target::AtMost(most),
    }
}

#[async_trait]
impl Workload for WakeUp {
    fn number(&self) -> &'static str {
        "10"
    }

    fn name(&self) -> &'static str {
        "append → handler in another process"
    }

    fn figures(&self) -> &'static [Figure] {
        const FIGURES: &[Figure] = &[
            millis("at rest, p50", 5.0),
            millis("at rest, p99", 25.0),
            millis("at 1,000 appends/s, p50", 5.0),
            millis("at 1,000 appends/s, p99", 25.0),
            Figure {
                label: "events that never arrived, of 5,100",
                unit: Unit::Events,
                target: Target::AtMost(0.0),
            },
            Figure {
                label: "transactions while nothing happens",
                unit: Unit::Load,
                target: Target::AtMost(3.0),
            },
        ];
        FIGURES
    }

    fn needs(&self) -> Can {
        Can::Subscribe
    }

    async fn measure(&self, stand: &Stand, round: usize) -> anyhow::Result<Vec<f64>> {
        let subscription = format!("elsewhere-{round}");
        let mut child = Child::start(stand, &["measure-latency", &subscription]).await?;
        // Until it is there and has caught up with earlier rounds.
        stand.system.append("first", micros()).await?;
        let mut before = 0;
        loop {
            sleep(Duration::from_millis(1500)).await;
            let count: u64 = child.ask("count").await?.parse()?;
            if count > 0 && count == before {
                break;
            }
            before = count;
        }

        child.ask("forget").await?;
        let appends = stand.size(100, 20);
        for n in 0..appends {
            // The time before the append, so that the commit counts, too.
            stand.system.append(&format!("rest-{n}"), micros()).await?;
            sleep(Duration::from_millis(50)).await;
        }
        let (at_rest, mut lost) = arrived(&mut child, appends as u64).await?;
        stand.keep("at rest", &at_rest);

        child.ask("forget").await?;
        let appends = stand.size(5_000, 500);
        let mut ticks = interval(Duration::from_millis(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut tasks = JoinSet::new();
        for n in 0..appends {
            ticks.tick().await;
            let system = Arc::clone(&stand.system);
            tasks.spawn(async move { system.append(&format!("load-{}", n % 50), micros()).await });
        }
        while let Some(appended) = tasks.join_next().await {
            appended??;
        }
        let (under_load, lost_under_load) = arrived(&mut child, appends as u64).await?;
        lost += lost_under_load;
        stand.keep("at 1,000 appends/s", &under_load);

        let mut figures = vec![
            millis_at(&at_rest, 0.5),
            millis_at(&at_rest, 0.99),
            millis_at(&under_load, 0.5),
            millis_at(&under_load, 0.99),
            lost as f64,
        ];
        // It hardly varies, so one round is enough.
        if round == 0 {
            figures.push(load_at_rest(stand).await?);
        }
        Ok(figures)
    }
}

/// Transactions a second while the handler waits for events that don't come.
async fn load_at_rest(stand: &Stand) -> anyhow::Result<f64> {
    // A session reports what it did up to ten seconds later.
    sleep(Duration::from_secs(11)).await;
    let seconds = stand.size(10, 3) as u64;
    let before = transactions(stand).await?;
    sleep(Duration::from_secs(seconds)).await;
    Ok((transactions(stand).await? - before) as f64 / seconds as f64)
}

fn millis_at(micros: &Histogram<u64>, quantile: f64) -> f64 {
    micros.value_at_quantile(quantile) as f64 / 1000.0
}

/// Waits until so many events have reached the handler, and answers after how many microseconds, and
/// how many never came.
async fn arrived(child: &mut Child, events: u64) -> anyhow::Result<(Histogram<u64>, u64)> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let latencies = child.latencies().await?;
        let count = latencies.len();
        if count >= events || Instant::now() >= deadline {
            anyhow::ensure!(count > 0, "none of {events} events arrived in {PATIENCE:?}");
            return Ok((latencies, events.saturating_sub(count)));
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// How many transactions the database has seen, but for these questions.
async fn transactions(stand: &Stand) -> anyhow::Result<i64> {
    let mut conn = stand.server_connection().await?;
    Ok(sqlx::query_scalar(
        "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = $1",
    )
    .bind(&stand.database.name)
    .fetch_one(&mut conn)
    .await?)
}
