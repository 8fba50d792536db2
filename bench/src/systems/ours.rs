//! The mire of this checkout.

mod purses;

use anyhow::anyhow;
use async_trait::async_trait;
use mire::{Event, EventHandler, EventStore, ExpectedVersion, HandledEvent, ProjectionRunner};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use self::purses::PurseId;
use super::{Can, Kind, REFERENCE, Saved, Seen, Settings, Subscription, System};
use crate::workloads::tables::{Kept, Style};

pub const KIND: Kind = Kind {
    name: "mire",
    title: "mire",
    can: &[
        Can::Deposit,
        Can::Append,
        Can::SaveMany,
        Can::AppendMany,
        Can::Fold,
        Can::CatchUp,
        Can::Subscribe,
        Can::UpsertTable,
        Can::BatchTable,
        Can::TakeOver,
    ],
    note: "this checkout; tables are declared with `projection!`",
    slow: &[],
};

mire::aggregate!(
    /// A bank account.
    #[aggregate(category = "account")]
    #[derive(Debug)]
    pub struct Account {
        balance: i64,
        deposits: i64,
    }

    /// Money came in.
    #[event]
    fn deposited(&mut self, amount: i64, reference: &str) {
        let _ = reference;
        self.balance += amount;
        self.deposits += 1;
    }
);

pub fn deposit_of(amount: i64) -> AccountEvent {
    AccountEvent::Deposited {
        amount,
        reference: REFERENCE.to_owned(),
    }
}

pub struct Ours {
    pool: PgPool,
    store: EventStore,
    purses: Mutex<Vec<PurseId>>,
}

impl Ours {
    pub async fn open(url: &str, connections: u32) -> anyhow::Result<Self> {
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .connect(url)
            .await?;
        let store = EventStore::new(pool.clone());
        store.migrate().await?;
        Ok(Self {
            pool,
            store,
            purses: Mutex::default(),
        })
    }
}

#[async_trait]
impl System for Ours {
    async fn deposit(&self, account: &str) -> anyhow::Result<Saved> {
        let mut root = self.store.load_or_default::<Account>(account).await?;
        root.record(deposit_of(1));
        match self.store.save(&mut root).await {
            Ok(_) => Ok(Saved::Done),
            Err(error) if error.is_conflict() => Ok(Saved::Conflict),
            Err(error) => Err(error.into()),
        }
    }

    async fn deposit_contended(&self, account: &str) -> anyhow::Result<()> {
        self.store
            .execute(account, |_: &Account| deposit_of(1))
            .await
            .map_err(|error| anyhow!("{error}"))?;
        Ok(())
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
        // A store of its own has an empty cache.
        let cold = EventStore::new(self.pool.clone());
        let root = cold.load::<Account>(account).await?;
        Ok(root.map_or(0, |root| root.state.deposits))
    }

    async fn fill_purses(&self, events: i64) -> anyhow::Result<()> {
        *self.purses.lock().await = purses::fill(&self.store, events).await?;
        Ok(())
    }

    async fn keep_table(&self, round: usize, _style: Style, _events: i64) -> anyhow::Result<Kept> {
        let purses = self.purses.lock().await;
        purses::keep(&self.store, round, &purses).await
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
            runner = runner.poll_interval(poll);
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
