//! 16: how much a process grows while it folds a stream of a million events, and while a
//! subscription catches up with as many.

use async_trait::async_trait;

use crate::child::Child;
use crate::systems::Can;
use crate::workload::{Figure, Stand, Target, Unit, Workload};

pub struct Memory;

impl Memory {
    fn events(stand: &Stand) -> i64 {
        stand.size(1_000_000, 50_000)
    }
}

const fn mebibytes(label: &'static str) -> Figure {
    Figure {
        label,
        unit: Unit::Mebibytes,
        target: Target::AtMost(64.0),
    }
}

#[async_trait]
impl Workload for Memory {
    fn number(&self) -> &'static str {
        "16"
    }

    fn name(&self) -> &'static str {
        "resident growth over a million events"
    }

    fn figures(&self) -> &'static [Figure] {
        const FIGURES: &[Figure] = &[mebibytes("folding a stream"), mebibytes("catching up")];
        FIGURES
    }

    fn needs(&self) -> Can {
        Can::AppendMany
    }

    fn is_long(&self) -> bool {
        true
    }

    async fn prepare(&self, stand: &Stand) -> anyhow::Result<()> {
        const AT_ONCE: i64 = 10_000;
        stand.system.append_many("small", 10).await?;
        for _ in 0..Self::events(stand) / AT_ONCE {
            stand.system.append_many("large", AT_ONCE).await?;
        }
        stand.database.analyze().await
    }

    async fn measure(&self, stand: &Stand, round: usize) -> anyhow::Result<Vec<f64>> {
        let events = Self::events(stand);
        let mut child = Child::start(stand, &["fold", "small", "large"]).await?;
        let fold = growth(&child.line().await?, events)?;
        let subscription = format!("memory-{round}");
        let job = ["catch-up", &subscription, &events.to_string()];
        let mut child = Child::start(stand, &job).await?;
        let catch_up = growth(&child.line().await?, events)?;
        Ok(vec![fold, catch_up])
    }
}

/// "events KiB", as mebibytes.
fn growth(line: &str, events: i64) -> anyhow::Result<f64> {
    let numbers: Vec<i64> = line.split(' ').map(str::parse).collect::<Result<_, _>>()?;
    match numbers[..] {
        [seen, kib] if seen == events => Ok(kib as f64 / 1024.0),
        _ => anyhow::bail!("of {events} events, the other process said `{line}`"),
    }
}
