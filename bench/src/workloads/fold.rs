//! 6: folding a stream of 10,000 events that this process has not seen; and a bare `SELECT` of the
//! same payloads.

use std::time::Instant;

use async_trait::async_trait;
use futures_util::TryStreamExt;
use sqlx::{Row, ValueRef};

use crate::systems::{Can, System};
use crate::workload::{Figure, Stand, Target, Unit, Workload};

const ACCOUNT: &str = "long";

pub struct Fold;

/// Folds of one account, one after another.
pub async fn folded_a_second(
    system: &dyn System,
    account: &str,
    events: i64,
) -> anyhow::Result<f64> {
    const TIMES: i64 = 5;
    let started = Instant::now();
    for _ in 0..TIMES {
        let folded = system.fold(account).await?;
        anyhow::ensure!(folded == events, "{folded} events of {events} were folded");
    }
    Ok((TIMES * events) as f64 / started.elapsed().as_secs_f64())
}

#[async_trait]
impl Workload for Fold {
    fn number(&self) -> &'static str {
        "6"
    }

    fn name(&self) -> &'static str {
        "fold a stream of 10,000 events, nothing cached"
    }

    fn figures(&self) -> &'static [Figure] {
        &[Figure {
            label: "events/s",
            unit: Unit::PerSecond,
            target: Target::Ratio(6.0),
        }]
    }

    fn needs(&self) -> Can {
        Can::Fold
    }

    async fn prepare(&self, stand: &Stand) -> anyhow::Result<()> {
        stand
            .system
            .save_many(ACCOUNT, stand.size(10_000, 2_000))
            .await?;
        stand.database.analyze().await
    }

    async fn measure(&self, stand: &Stand, _round: usize) -> anyhow::Result<Vec<f64>> {
        let events = stand.size(10_000, 2_000);
        Ok(vec![
            folded_a_second(&*stand.system, ACCOUNT, events).await?,
        ])
    }

    fn limit(&self) -> Option<(&'static str, Target)> {
        Some(("the limit: a bare SELECT", Target::Ratio(0.6)))
    }

    async fn measure_limit(&self, stand: &Stand, _round: usize) -> anyhow::Result<Vec<f64>> {
        const TIMES: i64 = 5;
        let mut conn = stand.database.connect().await?;
        let started = Instant::now();
        let mut rows_read = 0_i64;
        for _ in 0..TIMES {
            let mut rows = sqlx::query(
                "SELECT stream_version, global_position, event_type, schema_version, data
                   FROM mire_events WHERE stream_id = 'account-long' ORDER BY stream_version",
            )
            .fetch(&mut conn);
            let mut bytes = 0;
            while let Some(row) = rows.try_next().await? {
                let data = row.try_get_raw(4)?;
                anyhow::ensure!(!data.is_null(), "an event without a payload");
                bytes += data.as_bytes().map_or(0, <[u8]>::len);
                rows_read += 1;
            }
            anyhow::ensure!(bytes > 0, "there was nothing to read");
        }
        Ok(vec![rows_read as f64 / started.elapsed().as_secs_f64()])
    }
}
