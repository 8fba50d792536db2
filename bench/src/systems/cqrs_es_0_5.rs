//! cqrs-es and postgres-es 0.5.0 from the registry, as their documentation uses them.
//!
//! - A write is a command that `CqrsFramework::execute` (`postgres_cqrs`) runs on an event store
//!   without snapshots.
//! - A fold is `PersistedEventStore::load_aggregate`.
//! - Events reach a new handler by `QueryReplay::replay_all`, which reads all of an aggregate's type
//!   once; so does the view (`GenericQuery` on a `PostgresViewRepository`) that is compared with
//!   tables: a read and a write for each event, each committed alone.
//!
//! What it can't do: an append without expectation; subscriptions. Its queries run within the
//! process that saves, after the commit and without a checkpoint, so what a crash leaves out stays
//! out until somebody replays.

use std::convert::Infallible;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use cqrs_es::event_sink::EventSink;
use cqrs_es::persist::{GenericQuery, PersistedEventStore, QueryReplay};
use cqrs_es::{
    Aggregate, AggregateContext, AggregateError, DomainEvent, EventEnvelope, EventStore, Query,
    View,
};
use postgres_es::{PostgresCqrs, PostgresEventRepository, PostgresViewRepository, postgres_cqrs};
use serde::{Deserialize, Serialize};
use sqlx_0_8::PgPool;
use sqlx_0_8::postgres::PgPoolOptions;
use tokio_util::sync::CancellationToken;

use super::{Can, Kind, REFERENCE, Saved, Seen, Settings, Subscription, System};
use crate::workloads::tables::{Kept, Style};

pub const KIND: Kind = Kind {
    name: "cqrs-es",
    title: "cqrs-es 0.5.0",
    can: &[
        Can::Deposit,
        Can::SaveMany,
        Can::Fold,
        Can::CatchUp,
        Can::UpsertTable,
    ],
    note: "no subscriptions and no checkpoints: `QueryReplay` reads the whole log, and fills a \
           `GenericQuery` where others keep a table",
    slow: &[Can::UpsertTable],
};

/// The tables that its `db/init.sql` asks for, snapshots left out.
const SCHEMA: &str = "
    CREATE TABLE events (
        aggregate_type text NOT NULL, aggregate_id text NOT NULL,
        sequence bigint NOT NULL CHECK (sequence >= 0),
        event_type text NOT NULL, event_version text NOT NULL,
        payload json NOT NULL, metadata json NOT NULL,
        PRIMARY KEY (aggregate_type, aggregate_id, sequence))";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum AccountEvent {
    Deposited { amount: i64, reference: String },
}

impl DomainEvent for AccountEvent {
    fn event_type(&self) -> String {
        "Deposited".to_owned()
    }

    fn event_version(&self) -> String {
        "1.0".to_owned()
    }
}

/// Deposits each of these amounts.
struct Deposit(Range<i64>);

#[derive(Debug, Default, Serialize, Deserialize)]
struct Account {
    balance: i64,
    deposits: i64,
}

impl Aggregate for Account {
    const TYPE: &'static str = "account";
    type Command = Deposit;
    type Event = AccountEvent;
    type Error = Infallible;
    type Services = ();

    async fn handle(
        &mut self,
        Deposit(amounts): Deposit,
        _services: &(),
        sink: &EventSink<Self>,
    ) -> Result<(), Infallible> {
        for amount in amounts {
            let reference = REFERENCE.to_owned();
            sink.write(AccountEvent::Deposited { amount, reference }, self)
                .await;
        }
        Ok(())
    }

    fn apply(&mut self, event: AccountEvent) {
        let AccountEvent::Deposited { amount, .. } = event;
        self.balance += amount;
        self.deposits += 1;
    }
}

/// What a view shows of a purse.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Purse {
    balance: i64,
    fillings: i64,
}

impl View<Account> for Purse {
    fn update(&mut self, event: &EventEnvelope<Account>) {
        let AccountEvent::Deposited { amount, .. } = &event.payload;
        self.balance += amount;
        self.fillings += 1;
    }
}

struct Handler(Seen);

#[async_trait]
impl Query<Account> for Handler {
    async fn dispatch(&self, _account: &str, events: &[EventEnvelope<Account>]) {
        for event in events {
            let AccountEvent::Deposited { amount, .. } = event.payload;
            (self.0)(amount);
        }
    }
}

pub struct Peer {
    pool: PgPool,
    cqrs: PostgresCqrs<Account>,
    store: PersistedEventStore<PostgresEventRepository, Account>,
}

impl Peer {
    pub async fn open(url: &str, connections: u32) -> anyhow::Result<Self> {
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .connect(url)
            .await?;
        sqlx_0_8::raw_sql(SCHEMA).execute(&pool).await?;
        let repository = PostgresEventRepository::new(pool.clone());
        Ok(Self {
            cqrs: postgres_cqrs(pool.clone(), vec![], ()),
            store: PersistedEventStore::new_event_store(repository),
            pool,
        })
    }

    fn replay<Q: Query<Account>>(
        &self,
        query: Q,
    ) -> QueryReplay<PostgresEventRepository, Q, Account> {
        QueryReplay::new(PostgresEventRepository::new(self.pool.clone()), query)
    }
}

#[async_trait]
impl System for Peer {
    async fn deposit(&self, account: &str) -> anyhow::Result<Saved> {
        match self.cqrs.execute(account, Deposit(1..2)).await {
            Ok(()) => Ok(Saved::Done),
            Err(AggregateError::AggregateConflict) => Ok(Saved::Conflict),
            Err(error) => Err(error.into()),
        }
    }

    async fn save_many(&self, account: &str, count: i64) -> anyhow::Result<()> {
        Ok(self.cqrs.execute(account, Deposit(0..count)).await?)
    }

    async fn fold(&self, account: &str) -> anyhow::Result<i64> {
        let mut context = self.store.load_aggregate(account).await?;
        Ok(context.aggregate().deposits)
    }

    async fn fill_purses(&self, events: i64) -> anyhow::Result<()> {
        for purse in 0..events / 100 {
            self.save_many(&format!("purse-{purse}"), 100).await?;
        }
        Ok(())
    }

    async fn keep_table(&self, round: usize, _style: Style, _events: i64) -> anyhow::Result<Kept> {
        let view = format!("purses_{round}");
        sqlx_0_8::raw_sql(&format!(
            "CREATE TABLE {view} (view_id text PRIMARY KEY, version bigint NOT NULL,
                                  payload json NOT NULL)"
        ))
        .execute(&self.pool)
        .await?;
        let repository = PostgresViewRepository::<Purse, Account>::new(&view, self.pool.clone());
        let query = GenericQuery::new(Arc::new(repository));
        let started = Instant::now();
        self.replay(query).replay_all().await?;
        let within = started.elapsed();
        let shown = sqlx_0_8::query_scalar(&format!(
            "SELECT COALESCE(sum((payload ->> 'fillings')::bigint), 0)::bigint FROM {view}"
        ))
        .fetch_one(&self.pool)
        .await?;
        Ok(Kept { within, shown })
    }

    /// Hands on what is there, and ends.
    async fn subscribe(
        &self,
        _subscription: &str,
        _settings: &Settings,
        seen: Seen,
    ) -> anyhow::Result<Subscription> {
        let replay = self.replay(Handler(seen));
        Ok(Subscription::spawn(CancellationToken::new(), async move {
            Ok(replay.replay_all().await?)
        }))
    }
}
