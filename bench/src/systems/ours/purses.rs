//! A table of purses, declared.

use std::time::{Duration, Instant};

use anyhow::bail;
use mire::{Event, EventStore, ExpectedVersion};
use tokio_util::sync::CancellationToken;

use crate::systems::REFERENCE;
use crate::workloads::tables::Kept;

/// Events of each purse.
const EACH: i64 = 100;

const PATIENCE: Duration = Duration::from_secs(120);

mire::aggregate!(
    /// A purse.
    #[aggregate(category = "purse", id(PurseId))]
    #[derive(Debug)]
    pub struct Purse {
        balance: i64,
    }

    /// Money came in.
    #[event]
    fn filled(&mut self, amount: i64, reference: &str) {
        let _ = reference;
        self.balance += amount;
    }
);

/// Declares the same table under several names: each round needs a subscription of its own.
macro_rules! tables {
    ($($round:literal $name:ident $subscription:literal;)*) => {
        $(mire::projection!(
            /// What every purse holds.
            #[projection(subscription = $subscription, reads(PurseEvent))]
            pub struct $name {
                #[key]
                purse: PurseId,
                balance: i64,
                fillings: i64,
            }

            #[on(PurseEvent::Filled)]
            fn filled(&mut self, amount: i64) {
                self.balance += amount;
                self.fillings += 1;
            }
        );)*

        /// Keeps the table of a round, and looks at the rows of these purses.
        pub async fn keep(
            store: &EventStore,
            round: usize,
            purses: &[PurseId],
        ) -> anyhow::Result<Kept> {
            match round {
                $($round => {
                    let head = store.safe_head().await?.position;
                    let started = Instant::now();
                    let runner = mire::runner!(store, $name).build();
                    let cancel = CancellationToken::new();
                    let running = tokio::spawn(runner.run(cancel.clone()));
                    $name::wait_for(store, head, PATIENCE).await?;
                    let within = started.elapsed();
                    cancel.cancel();
                    running.await??;
                    let mut shown = 0;
                    for purse in purses {
                        shown += $name::get(store, purse).await?.map_or(0, |row| row.fillings);
                    }
                    Ok(Kept { within, shown })
                })*
                _ => bail!("there are tables for nine rounds, not for {}", round + 1),
            }
        }
    };
}

tables! {
    0 Purses0 "purses_0";
    1 Purses1 "purses_1";
    2 Purses2 "purses_2";
    3 Purses3 "purses_3";
    4 Purses4 "purses_4";
    5 Purses5 "purses_5";
    6 Purses6 "purses_6";
    7 Purses7 "purses_7";
    8 Purses8 "purses_8";
}

/// Fills so many purses that there are so many events.
pub async fn fill(store: &EventStore, events: i64) -> anyhow::Result<Vec<PurseId>> {
    let mut purses = Vec::new();
    for _ in 0..events / EACH {
        let purse = PurseId::new();
        let filled: Vec<_> = (0..EACH)
            .map(|amount| {
                Event::new(PurseEvent::Filled {
                    amount,
                    reference: REFERENCE.to_owned(),
                })
            })
            .collect();
        let stream = Purse::stream(&purse)?;
        store
            .append_to(&stream, ExpectedVersion::Any, &filled)
            .await?;
        purses.push(purse);
    }
    Ok(purses)
}
