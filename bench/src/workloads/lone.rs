//! 18: what it costs a lone append that appends travel in groups.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use hdrhistogram::Histogram;
use mire::{Event, EventStore, ExpectedVersion};
use sqlx::PgPool;
use tokio::time::sleep;

use crate::systems::Can;
use crate::systems::ours::deposit_of;
use crate::workload::{Figure, Stand, Target, Unit, Workload};

/// Between two appends, so that each is alone.
const PAUSE: Duration = Duration::from_millis(3);

pub struct Lone;

#[async_trait]
impl Workload for Lone {
    fn number(&self) -> &'static str {
        "18"
    }

    fn name(&self) -> &'static str {
        "a lone append: the cost beside one by the same statement without group commit"
    }

    fn figures(&self) -> &'static [Figure] {
        const FIGURES: &[Figure] = &[Figure {
            label: "of an append, p50",
            unit: Unit::Times,
            target: Target::AtMost(1.1),
        }];
        FIGURES
    }

    fn needs(&self) -> Can {
        Can::AppendMany
    }

    fn is_solo(&self) -> bool {
        true
    }

    /// By turns, each as often the first as the second: between two loops the machine's own pace
    /// changes by more than what is looked for.
    async fn measure(&self, stand: &Stand, round: usize) -> anyhow::Result<Vec<f64>> {
        let store = EventStore::new(PgPool::connect(&stand.database.url).await?);
        let mut conn = stand.database.connect().await?;
        let (mut grouped, mut direct) = (Histogram::<u64>::new(3)?, Histogram::<u64>::new(3)?);
        for n in 0..stand.size(600, 50) {
            let stream = format!("account-lone-{round}-{}", n % 20);
            let event = [Event::new(deposit_of(n))];
            let any = ExpectedVersion::Any;
            for turn in 0..2 {
                let started = Instant::now();
                let times = if (n + turn) % 2 == 0 {
                    store.append(&stream, "account", any, &event).await?;
                    &mut grouped
                } else {
                    let append = store.append_in_tx(&mut conn, &stream, "account", any, &event);
                    append.await?;
                    &mut direct
                };
                times.record(u64::try_from(started.elapsed().as_micros())?.max(1))?;
                sleep(PAUSE).await;
            }
        }
        stand.keep("lone appends by turns, grouped", &grouped);
        stand.keep("lone appends by turns, without group commit", &direct);
        let p50 = |times: &Histogram<u64>| times.value_at_quantile(0.5) as f64;
        Ok(vec![p50(&grouped) / p50(&direct)])
    }
}
