//! 9: a new subscription catches up with the log, its handler only counts; and a bare `SELECT` of
//! the same rows.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::TryStreamExt;
use sqlx::{Row, ValueRef};
use tokio::sync::Notify;

use crate::systems::{Can, Settings};
use crate::workload::{Figure, Stand, Target, Unit, Workload};

/// In how many accounts the events lie.
const ACCOUNTS: i64 = 100;

const PATIENCE: Duration = Duration::from_secs(300);

pub struct CatchUp;

impl CatchUp {
    fn events(stand: &Stand) -> i64 {
        let events = stand.size(100_000, 10_000);
        stand.kind.events(Can::CatchUp, events)
    }
}

#[async_trait]
impl Workload for CatchUp {
    fn number(&self) -> &'static str {
        "9"
    }

    fn name(&self) -> &'static str {
        "catch-up, the handler only counts"
    }

    fn figures(&self) -> &'static [Figure] {
        &[Figure {
            label: "events/s",
            unit: Unit::PerSecond,
            target: Target::Ratio(3.0),
        }]
    }

    fn needs(&self) -> Can {
        Can::CatchUp
    }

    async fn prepare(&self, stand: &Stand) -> anyhow::Result<()> {
        let each = Self::events(stand) / ACCOUNTS;
        for account in 0..ACCOUNTS {
            let account = format!("caught-{account}");
            stand.system.save_many(&account, each).await?;
        }
        stand.database.analyze().await
    }

    async fn measure(&self, stand: &Stand, round: usize) -> anyhow::Result<Vec<f64>> {
        let events = Self::events(stand);
        let count = Arc::new(AtomicI64::new(0));
        let all = Arc::new(Notify::new());
        let seen = {
            let (count, all) = (Arc::clone(&count), Arc::clone(&all));
            Arc::new(move |_| {
                if count.fetch_add(1, Ordering::Relaxed) + 1 == events {
                    all.notify_one();
                }
            })
        };
        let started = Instant::now();
        let subscription = stand
            .system
            .subscribe(&format!("counting-{round}"), &Settings::default(), seen)
            .await?;
        let in_time = tokio::time::timeout(PATIENCE, all.notified()).await;
        let rate = events as f64 / started.elapsed().as_secs_f64();
        subscription.stop().await?;
        anyhow::ensure!(
            in_time.is_ok(),
            "{} of {events} events were handled in {PATIENCE:?}",
            count.load(Ordering::Relaxed)
        );
        Ok(vec![rate])
    }

    fn limit(&self) -> Option<(&'static str, Target)> {
        Some(("the limit: a bare SELECT", Target::Ratio(0.6)))
    }

    async fn measure_limit(&self, stand: &Stand, _round: usize) -> anyhow::Result<Vec<f64>> {
        let mut conn = stand.database.connect().await?;
        let started = Instant::now();
        let mut rows = sqlx::query(
            "SELECT global_position, stream_id, stream_version, event_type, schema_version, data,
                    metadata, created_at
               FROM mire_events WHERE category = 'account' ORDER BY global_position",
        )
        .fetch(&mut conn);
        let (mut rows_read, mut bytes) = (0_i64, 0);
        while let Some(row) = rows.try_next().await? {
            let data = row.try_get_raw(5)?;
            anyhow::ensure!(!data.is_null(), "an event without a payload");
            bytes += data.as_bytes().map_or(0, <[u8]>::len);
            rows_read += 1;
        }
        anyhow::ensure!(bytes > 0, "there was nothing to read");
        Ok(vec![rows_read as f64 / started.elapsed().as_secs_f64()])
    }
}
