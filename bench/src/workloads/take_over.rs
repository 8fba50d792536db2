//! 11: the leader is killed; how long until another process handles the next event.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::time::{sleep, timeout};

use crate::child::{Child, micros};
use crate::systems::Can;
use crate::workload::{Figure, Stand, Target, Unit, Workload};

const TTL_MILLIS: u32 = 3000;
const RECHECK_MILLIS: u32 = 1000;
const PATIENCE: Duration = Duration::from_secs(60);

pub struct TakeOver;

#[async_trait]
impl Workload for TakeOver {
    fn number(&self) -> &'static str {
        "11"
    }

    fn name(&self) -> &'static str {
        "take-over after SIGKILL, ttl 3 s, recheck 1 s"
    }

    fn figures(&self) -> &'static [Figure] {
        &[Figure {
            label: "until the next event is handled",
            unit: Unit::Millis,
            target: Target::AtMost((TTL_MILLIS + RECHECK_MILLIS) as f64),
        }]
    }

    fn needs(&self) -> Can {
        Can::TakeOver
    }

    async fn measure(&self, stand: &Stand, round: usize) -> anyhow::Result<Vec<f64>> {
        let (ttl, recheck) = (TTL_MILLIS.to_string(), RECHECK_MILLIS.to_string());
        let subscription = format!("taken-over-{round}");
        let job = ["echo", &subscription, &ttl, &recheck];
        let mut leader = Child::start(stand, &job).await?;
        stand.system.append("first", micros()).await?;
        // Whoever handles the first event leads; a second process can only follow.
        timeout(PATIENCE, leader.line()).await??;
        let mut follower = Child::start(stand, &job).await?;
        // Not right after a heartbeat, nor right before one.
        sleep(Duration::from_millis(1700)).await;

        let killed = micros();
        let started = Instant::now();
        leader.kill().await?;
        stand.system.append("next", micros()).await?;
        loop {
            let line = timeout(PATIENCE, follower.line()).await??;
            // At least once: what the dead one had handled may come again.
            if line.parse::<i64>()? >= killed {
                return Ok(vec![started.elapsed().as_secs_f64() * 1000.0]);
            }
        }
    }
}
