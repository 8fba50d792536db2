//! 13: what 2 and 6 cost with five million events in the log, beside what they cost with 10,000.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt};

use super::fold::folded_a_second;
use super::saves_side_by_side::saves_a_second;
use crate::report::median;
use crate::systems::Can;
use crate::workload::{Figure, Stand, Target, Unit, Workload};

/// Measurements of which the median counts.
const TIMES: usize = 5;

/// Events in each account that fills the log.
const EACH: i64 = 1_000;

#[derive(Default)]
pub struct Growth {
    /// The rates of each figure with a small log.
    small: Mutex<Vec<f64>>,
}

const fn times(label: &'static str) -> Figure {
    Figure {
        label,
        unit: Unit::Times,
        target: Target::AtMost(1.3),
    }
}

#[async_trait]
impl Workload for Growth {
    fn number(&self) -> &'static str {
        "13"
    }

    fn name(&self) -> &'static str {
        "5 million events in the log: the cost beside that at 10,000"
    }

    fn figures(&self) -> &'static [Figure] {
        const FIGURES: &[Figure] = &[
            times("of load → record → save, 64 tasks"),
            times("of folding 10,000 events"),
        ];
        FIGURES
    }

    fn needs(&self) -> Can {
        Can::Fold
    }

    fn is_long(&self) -> bool {
        true
    }

    fn is_solo(&self) -> bool {
        true
    }

    async fn prepare(&self, stand: &Stand) -> anyhow::Result<()> {
        stand.system.save_many("long", 10_000).await?;
        stand.database.analyze().await?;
        // The first round also opens connections and plans statements.
        rates(stand, 999).await?;
        let small = median_rates(stand, 1_000).await?;
        *self.small.lock().unwrap_or_else(PoisonError::into_inner) = small;

        let accounts = stand.size(5_000_000, 50_000) / EACH;
        futures_util::stream::iter(0..accounts)
            .map(|account| async move {
                let account = format!("filler-{account}");
                stand.system.save_many(&account, EACH).await
            })
            .buffer_unordered(4)
            .try_collect::<()>()
            .await?;
        stand.database.analyze().await
    }

    async fn measure(&self, stand: &Stand, round: usize) -> anyhow::Result<Vec<f64>> {
        let large = median_rates(stand, 10_000 + round * 1_000).await?;
        let small = self.small.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(small
            .iter()
            .zip(large)
            .map(|(small, large)| small / large)
            .collect())
    }
}

async fn rates(stand: &Stand, round: usize) -> anyhow::Result<Vec<f64>> {
    Ok(vec![
        saves_a_second(&stand.system, round, 50).await?,
        folded_a_second(&*stand.system, "long", 10_000).await?,
    ])
}

async fn median_rates(stand: &Stand, first_round: usize) -> anyhow::Result<Vec<f64>> {
    let mut measured = Vec::new();
    for round in 0..TIMES {
        measured.push(rates(stand, first_round + round).await?);
    }
    let of_figure = |index: usize| -> Vec<f64> {
        let of_round = measured.iter().filter_map(|rates| rates.get(index));
        of_round.copied().collect()
    };
    Ok((0..2).map(|index| median(&of_figure(index))).collect())
}
