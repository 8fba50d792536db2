//! A stored state, and only the events after it.
//!
//! Why this pattern: a stream of many thousand events takes a while to fold. With a snapshot now and
//! then, a load starts from the last one. Snapshots are disposable: one of another version of the
//! code, or one that can't be read, is ignored, and the stream is folded from its start. Most
//! aggregates are short and need none; the store also remembers what it has folded before.

use mire::{Aggregate, AggregateRoot, Backend, EventData, EventStore, Snapshot};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Debug, Serialize, Deserialize, EventData)]
#[mire(event_type = "meter.read")]
struct Read {
    watts: i64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Meter {
    readings: i64,
    highest: i64,
    /// How many events were folded in this process, to show what a snapshot saves.
    #[serde(skip)]
    folded: usize,
}

impl Aggregate for Meter {
    type Event = Read;

    fn stream_category() -> &'static str {
        "meter"
    }

    fn apply(&mut self, event: &Read) {
        self.readings += 1;
        self.highest = self.highest.max(event.watts);
        self.folded += 1;
    }
}

impl Snapshot for Meter {
    /// Count it up when the state changes its meaning: older snapshots are ignored from then on.
    const SNAPSHOT_VERSION: i32 = 1;
    const SNAPSHOT_FREQUENCY: i64 = 100;
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    mire::with_store!(mire_examples::store().await?, |store| run(store).await)
}

async fn run<DB: Backend>(store: EventStore<DB>) -> anyhow::Result<()> {
    let id = Uuid::new_v4().to_string();
    let mut meter = AggregateRoot::<Meter>::new(&id);
    for hour in 0..25 {
        meter.record_many((0..10).map(|n| Read {
            watts: (hour * 37 + n * 11) % 500,
        }));
        // A snapshot is written when this crosses a multiple of a hundred.
        store.save_snapshotting(&mut meter).await?;
    }

    let whole = store.load_or_default::<Meter>(&id).await?;
    println!(
        "{} readings, at most {} W: {} events folded",
        whole.state.readings, whole.state.highest, whole.state.folded
    );
    let quick = store.load_or_default_snapshotted::<Meter>(&id).await?;
    println!(
        "{} readings, at most {} W: {} events folded",
        quick.state.readings, quick.state.highest, quick.state.folded
    );
    Ok(())
}
