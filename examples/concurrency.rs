//! Two writers, one stream.
//!
//! Why this pattern: a save expects the stream to be as it was loaded. Of two that race, one is
//! written; the other gets a conflict that names the stream and both versions, keeps its events,
//! and wrote nothing. Loading and deciding again is the mend, and `execute` does it by itself.

use mire::{Backend, EventStore, EventStoreError};
use mire_examples::{Account, AccountCommands, AccountId};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    mire::with_store!(mire_examples::store().await?, |store| run(store).await)
}

async fn run<DB: Backend>(store: EventStore<DB>) -> anyhow::Result<()> {
    let id = AccountId::new();
    let mut first = store.load_or_default::<Account>(id).await?;
    first.open("Ann", 10);
    store.save(&mut first).await?;

    let mut second = store.load_or_default::<Account>(id).await?;
    first.deposit(1);
    second.deposit(2);
    store.save(&mut first).await?;
    match store.save(&mut second).await {
        Err(EventStoreError::ConcurrencyConflict {
            stream_id,
            expected,
            actual,
        }) => println!("{stream_id}: expected version {expected}, found {actual}"),
        other => anyhow::bail!("there should be a conflict: {other:?}"),
    }
    println!("{} event still waits to be saved", second.pending_count());

    let mut tasks = Vec::new();
    for _ in 0..8 {
        let (store, id) = (store.clone(), id);
        tasks.push(tokio::spawn(async move {
            store
                .execute(id, |account: &Account| account.deposit(1))
                .await
        }));
    }
    for task in tasks {
        task.await??;
    }
    if let Some(account) = store.load::<Account>(id).await? {
        println!("after eight at once: {}", account.state.balance);
    }
    Ok(())
}
