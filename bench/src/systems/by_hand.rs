//! A table of purses that a peer's handlers keep by hand, and the wait until it shows everything.

use std::time::{Duration, Instant};

use sqlx::PgPool;
use tokio::time::sleep;

use super::Subscription;
use crate::workloads::tables::Kept;

const PATIENCE: Duration = Duration::from_secs(120);

/// Counts one deposit in: the round, the purse, the amount.
pub const UPSERT: &str = "INSERT INTO purses VALUES ($1, $2, $3, 1)
     ON CONFLICT (round, purse) DO UPDATE
        SET balance = purses.balance + excluded.balance, fillings = purses.fillings + 1";

/// The rows of one round.
pub struct Purses<'a> {
    pool: &'a PgPool,
    round: i32,
}

impl<'a> Purses<'a> {
    /// The table, empty, for all rounds.
    pub async fn create(pool: &PgPool) -> anyhow::Result<()> {
        sqlx::raw_sql(
            "CREATE TABLE purses (round int, purse text, balance bigint NOT NULL,
                                  fillings bigint NOT NULL, PRIMARY KEY (round, purse))",
        )
        .execute(pool)
        .await?;
        Ok(())
    }

    pub fn of_round(pool: &'a PgPool, round: usize) -> anyhow::Result<Self> {
        let round = i32::try_from(round)?;
        Ok(Self { pool, round })
    }

    /// Waits until the rows show so many events, or what keeps them has stopped, and stops it.
    pub async fn wait(
        &self,
        started: Instant,
        events: i64,
        running: Subscription,
    ) -> anyhow::Result<Kept> {
        loop {
            // Looked at first: what it wrote before it ended is shown below.
            let has_ended = !running.is_running();
            let shown: Option<i64> =
                sqlx::query_scalar("SELECT sum(fillings)::bigint FROM purses WHERE round = $1")
                    .bind(self.round)
                    .fetch_one(self.pool)
                    .await?;
            let within = started.elapsed();
            let shown = shown.unwrap_or(0);
            if shown >= events || has_ended || within > PATIENCE {
                running.stop().await?;
                return Ok(Kept { within, shown });
            }
            sleep(Duration::from_millis(10)).await;
        }
    }
}
