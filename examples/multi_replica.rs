//! Two replicas, one projection.
//!
//! Why this pattern: a service runs on several hosts, but each event must be handled by one of
//! them. A lease in the database says who leads. When the leader leaves, the other takes over under
//! a larger fence token, so that whatever the old one still had in hand can move nothing.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mire::{Backend, EventHandler, EventStore, HandledEvent, ProjectionRunner, lease};
use mire_examples::{Account, AccountEvent, AccountId};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const SUBSCRIPTION: &str = "audit";
const PATIENCE: Duration = Duration::from_secs(30);

/// Notes which replica handled which event.
struct Audit {
    replica: &'static str,
    handled: Arc<Mutex<Vec<(&'static str, i64)>>>,
}

impl EventHandler for Audit {
    type Aggregate = Account;

    async fn handle(&self, event: HandledEvent<AccountEvent>) -> anyhow::Result<()> {
        println!(
            "{} handles version {}",
            self.replica,
            event.stream_version()
        );
        if let Ok(mut handled) = self.handled.lock() {
            handled.push((self.replica, event.global_position()));
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    mire::with_store!(mire_examples::store().await?, |store| run(store).await)
}

async fn run<DB: Backend>(store: EventStore<DB>) -> anyhow::Result<()> {
    let handled = Arc::default();
    let mut replicas = vec![
        ("A", start(&store, "A", &handled)),
        ("B", start(&store, "B", &handled)),
    ];
    let account = AccountId::new();

    let (first, first_token) = leader(&store, 0).await?;
    println!("{first} leads with fence token {first_token}");
    deposit(&store, &account).await?;

    println!("{first} leaves");
    let leaving = replicas.iter().position(|(name, _)| *name == first);
    if let Some(index) = leaving {
        stop(replicas.remove(index).1).await?;
    }
    let (second, second_token) = leader(&store, first_token).await?;
    println!("{second} leads with fence token {second_token}");
    deposit(&store, &account).await?;
    for (_, replica) in replicas {
        stop(replica).await?;
    }

    let mut positions: Vec<i64> = match handled.lock() {
        Ok(handled) => handled.iter().map(|(_, position)| *position).collect(),
        Err(_) => anyhow::bail!("a handler panicked"),
    };
    let deliveries = positions.len();
    positions.sort_unstable();
    positions.dedup();
    println!("{} events, {deliveries} deliveries", positions.len());
    Ok(())
}

type Replica = (CancellationToken, JoinHandle<anyhow::Result<()>>);

fn start<DB: Backend>(
    store: &EventStore<DB>,
    replica: &'static str,
    handled: &Arc<Mutex<Vec<(&'static str, i64)>>>,
) -> Replica {
    let handled = Arc::clone(handled);
    let runner = ProjectionRunner::builder(store.clone())
        .worker_id(replica)
        .lease_ttl(Duration::from_secs(3))
        .lease_recheck_interval(Duration::from_millis(500))
        .poll_interval(Duration::from_millis(50))
        .subscribe(SUBSCRIPTION, Audit { replica, handled })
        .build();
    let cancel = CancellationToken::new();
    (cancel.clone(), tokio::spawn(runner.run(cancel)))
}

async fn stop((cancel, task): Replica) -> anyhow::Result<()> {
    cancel.cancel();
    task.await?
}

/// Waits for a leader with a larger token.
async fn leader<DB: Backend>(
    store: &EventStore<DB>,
    after_token: i64,
) -> anyhow::Result<(String, i64)> {
    loop {
        let status = lease::status(store.pool(), SUBSCRIPTION).await?;
        if let Some(status) = status
            && status.live
            && status.fence_token > after_token
        {
            return Ok((status.worker_id, status.fence_token));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Appends five events, and waits until they are handled.
async fn deposit<DB: Backend>(store: &EventStore<DB>, id: &AccountId) -> anyhow::Result<()> {
    for _ in 0..5 {
        store
            .execute(id, |account: &Account| account.deposit(10))
            .await?;
    }
    let end = store.safe_head().await?.position;
    store.wait_for(SUBSCRIPTION, end, PATIENCE).await?;
    Ok(())
}
