//! An aggregate from declaration to log.
//!
//! Why this pattern: the account's rules stand in one place, as plain functions on its state, and
//! the history is kept instead of the last balance. Load, decide and save are one call, `execute`,
//! which decides again when someone else was faster.

use mire::{Backend, CommandError, EventStore};
use mire_examples::{Account, AccountId};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    mire::with_store!(mire_examples::store().await?, |store| run(store).await)
}

async fn run<DB: Backend>(store: EventStore<DB>) -> anyhow::Result<()> {
    let ann = AccountId::new();
    store
        .execute(ann, |account: &Account| account.open("Ann", 50))
        .await?;
    store
        .execute(ann, |account: &Account| account.withdraw(30))
        .await?;

    let refused = store
        .execute(ann, |account: &Account| account.withdraw(30))
        .await;
    if let Err(CommandError::Rejected(reason)) = refused {
        println!("refused: {reason}");
    }

    let stream = Account::stream(&ann)?;
    for event in store.read_stream_all(stream.as_str(), 0).await? {
        println!(
            "{} {} {}",
            event.stream_version, event.event_type, event.data
        );
    }
    if let Some(account) = store.load::<Account>(ann).await? {
        println!("{} has {}", account.state.owner, account.state.balance);
    }
    Ok(())
}
