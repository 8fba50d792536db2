//! 3: appends without expectation by 256 tasks; and the same rows by one set-based statement after
//! another.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use tokio::task::JoinSet;

use crate::systems::{Can, REFERENCE};
use crate::workload::{Figure, Stand, Target, Unit, Workload};

const TASKS: i64 = 256;

pub struct Append;

#[async_trait]
impl Workload for Append {
    fn number(&self) -> &'static str {
        "3"
    }

    fn name(&self) -> &'static str {
        "append without expectation, 256 tasks"
    }

    fn figures(&self) -> &'static [Figure] {
        &[Figure {
            label: "appends/s",
            unit: Unit::PerSecond,
            target: Target::Ratio(10.0),
        }]
    }

    fn needs(&self) -> Can {
        Can::Append
    }

    async fn measure(&self, stand: &Stand, round: usize) -> anyhow::Result<Vec<f64>> {
        let each = stand.size(20, 5);
        let started = Instant::now();
        let mut tasks = JoinSet::new();
        for task in 0..TASKS {
            let system = Arc::clone(&stand.system);
            tasks.spawn(async move {
                let account = format!("append-{round}-{task}");
                for amount in 0..each {
                    system.append(&account, amount).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        Ok(vec![
            (TASKS * each) as f64 / started.elapsed().as_secs_f64(),
        ])
    }

    fn limit(&self) -> Option<(&'static str, Target)> {
        Some(("the limit: INSERT … SELECT unnest", Target::Ratio(0.6)))
    }

    /// 256 tasks that wait for their answers have at most 256 events under way: so many go into
    /// each statement, which is a transaction of its own.
    async fn measure_limit(&self, stand: &Stand, round: usize) -> anyhow::Result<Vec<f64>> {
        let mut conn = stand.database.connect().await?;
        sqlx::raw_sql(
            "CREATE TABLE IF NOT EXISTS plain_events (LIKE mire_events INCLUDING ALL);
             CREATE SEQUENCE IF NOT EXISTS plain_position",
        )
        .execute(&mut conn)
        .await?;
        let each = stand.size(20, 5);
        let insert = |version: i64| {
            let streams: Vec<String> = (0..TASKS)
                .map(|task| format!("account-plain-{round}-{task}"))
                .collect();
            let data: Vec<String> = (0..TASKS)
                .map(|_| format!(r#"{{"amount":{version},"reference":"{REFERENCE}"}}"#))
                .collect();
            sqlx::query(
                "INSERT INTO plain_events
                 SELECT nextval('plain_position'), s, 'account', $3, 'account.deposited', 1,
                        d::json, NULL, clock_timestamp()
                   FROM unnest($1::text[], $2::text[]) AS t(s, d)",
            )
            .bind(streams)
            .bind(data)
            .bind(version)
        };
        let started = Instant::now();
        for version in 1..=each {
            insert(version).execute(&mut conn).await?;
        }
        Ok(vec![
            (TASKS * each) as f64 / started.elapsed().as_secs_f64(),
        ])
    }
}
