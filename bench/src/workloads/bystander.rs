//! 12: a transaction that has nothing to do with the log stays open while events are appended.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use sqlx::Connection;
use tokio::time::sleep;

use crate::child::micros;
use crate::systems::{Can, Settings};
use crate::workload::{Figure, Stand, Target, Unit, Workload};

const PATIENCE: Duration = Duration::from_secs(60);

pub struct Bystander;

#[async_trait]
impl Workload for Bystander {
    fn number(&self) -> &'static str {
        "12"
    }

    fn name(&self) -> &'static str {
        "an unrelated transaction stays open for 20 s"
    }

    fn figures(&self) -> &'static [Figure] {
        &[Figure {
            label: "longest delay of the handler",
            unit: Unit::Millis,
            target: Target::AtMost(100.0),
        }]
    }

    fn needs(&self) -> Can {
        Can::Subscribe
    }

    async fn measure(&self, stand: &Stand, round: usize) -> anyhow::Result<Vec<f64>> {
        let delays = Arc::new(Mutex::new(Vec::new()));
        let seen = {
            let delays = Arc::clone(&delays);
            Arc::new(move |sent: i64| {
                let mut delays = delays.lock().unwrap_or_else(PoisonError::into_inner);
                delays.push((sent, micros() - sent));
            })
        };
        let subscription = stand
            .system
            .subscribe(&format!("beside-{round}"), &Settings::short_poll(), seen)
            .await?;
        // Until it runs.
        stand.system.append("first", micros()).await?;
        let is_there = || {
            !delays
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .is_empty()
        };
        wait_until("the handler saw an event", is_there).await?;

        let mut conn = stand.database.connect().await?;
        sqlx::raw_sql("CREATE TABLE IF NOT EXISTS bystander (at timestamptz)")
            .execute(&mut conn)
            .await?;
        let mut bystander = conn.begin().await?;
        sqlx::raw_sql("INSERT INTO bystander VALUES (now())")
            .execute(&mut *bystander)
            .await?;
        let opened = micros();
        let until = Instant::now() + Duration::from_secs(stand.size(20, 4) as u64);
        let mut appended = 0;
        while Instant::now() < until {
            stand.system.append("beside", micros()).await?;
            appended += 1;
            sleep(Duration::from_millis(100)).await;
        }
        bystander.rollback().await?;
        let of_interest = || -> Vec<i64> {
            let delays = delays.lock().unwrap_or_else(PoisonError::into_inner);
            let since = delays.iter().filter(|(sent, _)| *sent >= opened);
            since.map(|(_, delay)| *delay).collect()
        };
        wait_until("the handler saw every event", || {
            of_interest().len() >= appended
        })
        .await?;
        subscription.stop().await?;
        let longest = of_interest().into_iter().max().unwrap_or(0);
        Ok(vec![longest as f64 / 1000.0])
    }
}

async fn wait_until(what: &str, reached: impl Fn() -> bool) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !reached() {
        anyhow::ensure!(Instant::now() < deadline, "{what}: not in {PATIENCE:?}");
        sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}
