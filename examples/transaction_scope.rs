//! A transfer: two streams, one transaction.
//!
//! Why this pattern: money must not leave one account without reaching the other. A scope reads,
//! decides and saves several aggregates, with your own SQL beside them if you like, and commits all
//! of it or nothing. Keep aggregates small enough that most commands need only one stream.

use mire::{AggregateRoot, Backend, EventStore};
use mire_examples::{Account, AccountCommands, AccountId};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    mire::with_store!(mire_examples::store().await?, |store| run(store).await)
}

async fn run<DB: Backend>(store: EventStore<DB>) -> anyhow::Result<()> {
    let (ann, bob) = (AccountId::new(), AccountId::new());
    for (id, owner) in [(&ann, "Ann"), (&bob, "Bob")] {
        let mut account = AggregateRoot::<Account>::new(id);
        account.open(owner, 50);
        store.save(&mut account).await?;
    }

    for amount in [30, 30] {
        match transfer(&store, &ann, &bob, amount).await {
            Ok(events) => println!("moved {amount} in {events} events"),
            Err(error) => println!("not moved: {error}"),
        }
    }
    for id in [&ann, &bob] {
        let account = store.load_or_default::<Account>(id).await?;
        println!("{} has {}", account.state.owner, account.state.balance);
    }
    Ok(())
}

async fn transfer<DB: Backend>(
    store: &EventStore<DB>,
    from: &AccountId,
    to: &AccountId,
    amount: i64,
) -> anyhow::Result<usize> {
    let mut scope = store.begin_transaction().await?;
    let mut from = scope.load_or_default_for_update::<Account>(from).await?;
    let mut to = scope.load_or_default_for_update::<Account>(to).await?;
    to.deposit(amount);
    scope.save(&mut to).await?;
    // Refused: the scope is dropped, and the deposit with it.
    from.withdraw(amount)?;
    scope.save(&mut from).await?;
    Ok(scope.commit().await?.len())
}
