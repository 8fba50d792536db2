//! mire 0.4.0 from the registry, as its README uses it.

use async_trait::async_trait;
use mire_peer::{
    Aggregate, Event, EventData, EventHandler, EventStore, EventStoreError, ExpectedVersion,
    HandledEvent, ProjectionRunner,
};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgPoolOptions;
use tokio_util::sync::CancellationToken;

use super::{REFERENCE, Saved, Seen, Settings, Subscription, System};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum AccountEvent {
    Deposited { amount: i64, reference: String },
}

// Its derive names `::mire`, which is another crate here.
impl EventData for AccountEvent {
    fn event_type(&self) -> &'static str {
        "account.deposited"
    }
}

#[derive(Debug, Default)]
pub struct Account {
    balance: i64,
    deposits: i64,
}

impl Aggregate for Account {
    type Event = AccountEvent;

    fn stream_category() -> &'static str {
        "account"
    }

    fn apply(&mut self, event: &AccountEvent) {
        let AccountEvent::Deposited { amount, .. } = event;
        self.balance += amount;
        self.deposits += 1;
    }
}

fn deposit_of(amount: i64) -> AccountEvent {
    AccountEvent::Deposited {
        amount,
        reference: REFERENCE.to_owned(),
    }
}

pub struct Peer {
    store: EventStore,
}

impl Peer {
    pub async fn open(url: &str, connections: u32) -> anyhow::Result<Self> {
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .connect(url)
            .await?;
        let store = EventStore::new(pool);
        store.migrate().await?;
        Ok(Self { store })
    }
}

#[async_trait]
impl System for Peer {
    async fn deposit(&self, account: &str) -> anyhow::Result<Saved> {
        let mut root = self.store.load_or_default::<Account>(account).await?;
        root.record(deposit_of(1));
        match self.store.save(&mut root).await {
            Ok(()) => Ok(Saved::Done),
            Err(EventStoreError::ConcurrencyConflict { .. }) => Ok(Saved::Conflict),
            Err(error) => Err(error.into()),
        }
    }

    async fn append(&self, account: &str, amount: i64) -> anyhow::Result<()> {
        let stream = format!("account-{account}");
        let event = [Event::new(deposit_of(amount))];
        self.store
            .append(&stream, "account", ExpectedVersion::Any, &event)
            .await?;
        Ok(())
    }

    async fn save_many(&self, account: &str, count: i64) -> anyhow::Result<()> {
        let mut root = self.store.load_or_default::<Account>(account).await?;
        for amount in 0..count {
            root.record(deposit_of(amount));
        }
        self.store.save(&mut root).await?;
        Ok(())
    }

    async fn append_many(&self, account: &str, count: i64) -> anyhow::Result<()> {
        let stream = format!("account-{account}");
        let events: Vec<_> = (0..count).map(|n| Event::new(deposit_of(n))).collect();
        self.store
            .append(&stream, "account", ExpectedVersion::Any, &events)
            .await?;
        Ok(())
    }

    async fn fold(&self, account: &str) -> anyhow::Result<i64> {
        let root = self.store.load::<Account>(account).await?;
        Ok(root.map_or(0, |root| root.state.deposits))
    }

    async fn subscribe(
        &self,
        subscription: &str,
        settings: &Settings,
        seen: Seen,
    ) -> anyhow::Result<Subscription> {
        let mut runner = ProjectionRunner::builder(self.store.clone());
        if let Some(ttl) = settings.lease_ttl {
            runner = runner.lease_ttl(ttl);
        }
        if let Some(recheck) = settings.lease_recheck {
            runner = runner.lease_recheck_interval(recheck);
        }
        if let Some(poll) = settings.poll {
            runner = runner.idle_backstop_interval(poll);
        }
        let runner = runner.subscribe(subscription, Handler(seen)).build();
        let cancel = CancellationToken::new();
        Ok(Subscription::spawn(cancel.clone(), runner.run(cancel)))
    }
}

struct Handler(Seen);

impl EventHandler for Handler {
    type Aggregate = Account;

    async fn handle(&self, event: HandledEvent<AccountEvent>) -> anyhow::Result<()> {
        let AccountEvent::Deposited { amount, .. } = event.event;
        (self.0)(amount);
        Ok(())
    }
}
