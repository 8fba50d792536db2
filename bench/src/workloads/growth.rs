//! 13: what 2, 6 and 7 cost with five million events in the log, beside what they cost with 10,000.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt};

use super::fold::folded_a_second;
use super::saves_side_by_side::saves_a_second;
use super::tables::Style;
use crate::report::median;
use crate::systems::Can;
use crate::workload::{Figure, Stand, Target, Unit, Workload};

/// Measurements of which the median counts.
const TIMES: usize = 5;

/// Events that a table is made of.
const FOLDED: i64 = 20_000;

/// Each table is kept once: those of the rounds, and from here on those of the small log.
const SMALL_TABLES: std::ops::Range<usize> = 6..9;

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
            times("of a table from 20,000 events"),
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
        stand.system.fill_purses(FOLDED).await?;
        stand.database.analyze().await?;
        // The first round also opens connections and plans statements.
        rates(stand, 999).await?;
        let mut small = median_rates(stand, 1_000).await?;
        let mut tables = Vec::new();
        for table in SMALL_TABLES {
            tables.push(table_rate(stand, table).await?);
        }
        small.push(median(&tables));
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
        let mut large = median_rates(stand, 10_000 + round * 1_000).await?;
        large.push(table_rate(stand, round).await?);
        let small = self.small.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(small
            .iter()
            .zip(large)
            .map(|(small, large)| small / large)
            .collect())
    }
}

/// Events a second, from the first look at the log until the table has caught up with it.
async fn table_rate(stand: &Stand, table: usize) -> anyhow::Result<f64> {
    let kept = stand.system.keep_table(table, Style::Upserts, FOLDED);
    let kept = kept.await?;
    anyhow::ensure!(
        kept.shown == FOLDED,
        "the table shows {} events of {FOLDED}",
        kept.shown
    );
    Ok(FOLDED as f64 / kept.within.as_secs_f64())
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
