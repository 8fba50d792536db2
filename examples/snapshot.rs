//! A stored state, and only the events after it.
//!
//! Why this pattern: a stream of many thousand events takes a while to fold. With `snapshot_every`,
//! saves store the state now and then, and a load starts from there. Snapshots are disposable: one of
//! another version of the code, or one that can't be read, is ignored, and the stream is folded from
//! its start. Most aggregates are short and need none; the store also remembers what it has folded
//! before.

use mire::{AggregateRoot, Backend, EventStore};
use uuid::Uuid;

mire::aggregate!(
    /// A power meter. The version of its snapshots is a hash of this declaration.
    #[aggregate(category = "meter", snapshot_every = 100)]
    pub struct Meter {
        readings: i64,
        highest: i64,
        /// How many events were folded in this process, to show what a snapshot saves.
        #[serde(skip, default)]
        folded: usize,
    }

    /// The meter was read.
    #[event]
    fn read(&mut self, watts: i64) {
        self.readings += 1;
        self.highest = self.highest.max(watts);
        self.folded += 1;
    }
);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    mire::with_store!(mire_examples::store().await?, |store| run(store).await)
}

async fn run<DB: Backend>(store: EventStore<DB>) -> anyhow::Result<()> {
    let id = Uuid::new_v4().to_string();
    let mut meter = AggregateRoot::<Meter>::new(&id);
    for hour in 0..25 {
        meter.record_many((0..10).map(|n| MeterEvent::Read {
            watts: (hour * 37 + n * 11) % 500,
        }));
        // A snapshot is written when this crosses a multiple of a hundred.
        store.save(&mut meter).await?;
    }

    // As another process would load it: this one remembers what it has folded.
    let elsewhere = EventStore::new(store.pool().clone());
    let loaded = elsewhere.load_or_default::<Meter>(&id).await?;
    println!(
        "{} readings, at most {} W; of {} events, {} were folded",
        loaded.state.readings, loaded.state.highest, loaded.version, loaded.state.folded
    );
    Ok(())
}
