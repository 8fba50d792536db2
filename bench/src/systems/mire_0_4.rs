//! mire 0.4.0 from the registry, as its README uses it.

use std::collections::BTreeMap;
use std::time::Instant;

use async_trait::async_trait;
use mire_peer::{
    Aggregate, Event, EventData, EventHandler, EventStore, EventStoreError, ExpectedVersion,
    HandledEvent, ProjectionRunner, TransactionalBatchEventHandler, TransactionalEventHandler,
};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgPoolOptions;
use sqlx::{PgConnection, PgPool};
use tokio_util::sync::CancellationToken;

use super::by_hand::{Purses, UPSERT};
use super::{Can, Kind, REFERENCE, Saved, Seen, Settings, Subscription, System};
use crate::workloads::tables::{Kept, Style};

pub const KIND: Kind = Kind {
    name: "mire-0.4",
    title: "mire 0.4.0",
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
    note: "transactional handlers; looks for events once a second here, by default once a minute",
    slow: &[],
};

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
    pool: PgPool,
    store: EventStore,
}

impl Peer {
    pub async fn open(url: &str, connections: u32) -> anyhow::Result<Self> {
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .connect(url)
            .await?;
        let store = EventStore::new(pool.clone());
        store.migrate().await?;
        Ok(Self { pool, store })
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

    async fn fill_purses(&self, events: i64) -> anyhow::Result<()> {
        Purses::create(&self.pool).await?;
        for purse in 0..events / 100 {
            self.save_many(&format!("purse-{purse}"), 100).await?;
        }
        Ok(())
    }

    async fn keep_table(&self, round: usize, style: Style, events: i64) -> anyhow::Result<Kept> {
        let table = Table(i32::try_from(round)?);
        let builder = ProjectionRunner::builder(self.store.clone());
        let subscription = format!("purses-{round}");
        let builder = match style {
            Style::Upserts => builder.subscribe_transactional(subscription, table),
            Style::SetBased => builder.subscribe_transactional_batch(subscription, table),
        };
        let cancel = CancellationToken::new();
        let started = Instant::now();
        let running = Subscription::spawn(cancel.clone(), builder.build().run(cancel));
        Purses::of_round(&self.pool, round)?
            .wait(started, events, running)
            .await
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

/// A table of a round, kept by hand.
struct Table(i32);

impl TransactionalEventHandler for Table {
    type Aggregate = Account;

    async fn handle(
        &self,
        event: HandledEvent<AccountEvent>,
        conn: &mut PgConnection,
    ) -> anyhow::Result<()> {
        let AccountEvent::Deposited { amount, .. } = &event.event;
        sqlx::query(UPSERT)
            .bind(self.0)
            .bind(event.stream_id())
            .bind(amount)
            .execute(conn)
            .await?;
        Ok(())
    }
}

impl TransactionalBatchEventHandler for Table {
    type Aggregate = Account;

    async fn handle_batch(
        &self,
        events: Vec<HandledEvent<AccountEvent>>,
        conn: &mut PgConnection,
    ) -> anyhow::Result<()> {
        let mut rows: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
        for event in &events {
            let AccountEvent::Deposited { amount, .. } = &event.event;
            let row = rows.entry(event.stream_id()).or_default();
            *row = (row.0 + amount, row.1 + 1);
        }
        let purses: Vec<&str> = rows.keys().copied().collect();
        let (balances, fillings): (Vec<i64>, Vec<i64>) = rows.values().copied().unzip();
        sqlx::query(
            "INSERT INTO purses
             SELECT $1, p, b, f FROM unnest($2::text[], $3::bigint[], $4::bigint[]) AS t(p, b, f)
             ON CONFLICT (round, purse) DO UPDATE
                SET balance = purses.balance + excluded.balance,
                    fillings = purses.fillings + excluded.fillings",
        )
        .bind(self.0)
        .bind(purses)
        .bind(balances)
        .bind(fillings)
        .execute(conn)
        .await?;
        Ok(())
    }
}
