//! evento 2.0.0-alpha.38 from the registry, as its README uses it.
//!
//! - A write loads a projection with `#[evento::snapshot(memory)]` and goes on from it by `write()`,
//!   as in "Commands and the write gateway"; a new account begins with `append` at version 0.
//! - A fold is a projection with `#[evento::snapshot(none)]`.
//! - Handlers are subscriptions with the builder's defaults: pages of 300, a look for events every
//!   250 ms, and only at events that are older than the margin of one second, which is what keeps
//!   it from stepping over late commits.
//!
//! What it can't do: an append without expectation (here it asks for the version and tries until
//! nobody was faster); more than 65,535 events a stream; a follower (whoever starts a subscription
//! takes it away from whoever runs it). Its handlers are called at least once and have no
//! transaction with the cursor, so each upsert commits alone.

use std::time::Instant;

use async_trait::async_trait;
use evento::metadata::Event;
use evento::migrator::{Migrate, Plan};
use evento::subscription::{Context, SubscriptionBuilder};
use evento::{AggregateExt, Executor, Projection, ProjectionAggregate, WriteError};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio_util::sync::CancellationToken;

use super::by_hand::{Purses, UPSERT};
use super::{Can, Kind, REFERENCE, Saved, Seen, Settings, Subscription, System};
use crate::workloads::tables::{Kept, Style};

pub const KIND: Kind = Kind {
    name: "evento",
    title: "evento 2.0.0-alpha.38",
    can: &[
        Can::Deposit,
        Can::SaveMany,
        Can::Fold,
        Can::CatchUp,
        Can::Subscribe,
        Can::UpsertTable,
    ],
    note: "a write model kept in memory; handlers are called at least once, without a transaction \
           over cursor and table, and see an event when it is a second old",
    slow: &[Can::UpsertTable],
};

#[evento::aggregate(name = "bench/Account")]
pub enum Account {
    Deposited { amount: i64, reference: String },
}

fn deposit_of(amount: i64) -> Deposited {
    Deposited {
        amount,
        reference: REFERENCE.to_owned(),
    }
}

/// What a write goes on from.
#[evento::projection(id = id)]
#[evento::snapshot(memory)]
pub struct Balance {
    pub id: String,
    pub balance: i64,
}

#[evento::handler]
async fn add(event: Event<Deposited>, row: &mut Balance) -> anyhow::Result<()> {
    row.id = event.aggregate_id.to_owned();
    row.balance += event.data.amount;
    Ok(())
}

/// What is folded anew each time.
#[evento::projection]
#[evento::snapshot(none)]
pub struct Counted {
    pub deposits: i64,
    pub balance: i64,
}

#[evento::handler]
async fn count(event: Event<Deposited>, view: &mut Counted) -> anyhow::Result<()> {
    view.balance += event.data.amount;
    view.deposits += 1;
    Ok(())
}

#[derive(Clone)]
struct Handler(Seen);

#[evento::subscription]
async fn hand_on<E: Executor>(
    context: &Context<'_, E>,
    event: Event<Deposited>,
) -> anyhow::Result<()> {
    let handler: Handler = context.extract();
    (handler.0)(event.data.amount);
    Ok(())
}

/// A table of a round.
#[derive(Clone)]
struct Table {
    pool: PgPool,
    round: i32,
}

#[evento::subscription]
async fn upsert<E: Executor>(
    context: &Context<'_, E>,
    event: Event<Deposited>,
) -> anyhow::Result<()> {
    let table: Table = context.extract();
    sqlx::query(UPSERT)
        .bind(table.round)
        .bind(&event.aggregate_id)
        .bind(event.data.amount)
        .execute(&table.pool)
        .await?;
    Ok(())
}

pub struct Peer {
    pool: PgPool,
    executor: evento::Postgres,
}

impl Peer {
    pub async fn open(url: &str, connections: u32) -> anyhow::Result<Self> {
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .connect(url)
            .await?;
        let mut conn = pool.acquire().await?;
        evento::sql_migrator::new::<sqlx::Postgres>()?
            .run(&mut *conn, &Plan::apply_all())
            .await?;
        drop(conn);
        let executor = pool.clone().into();
        Ok(Self { pool, executor })
    }

    async fn start(
        &self,
        subscription: SubscriptionBuilder<evento::Postgres>,
    ) -> anyhow::Result<Subscription> {
        let running = subscription.start(&self.executor).await?;
        let cancel = CancellationToken::new();
        Ok(Subscription::spawn(cancel.clone(), async move {
            tokio::select! {
                () = cancel.cancelled() => Ok(running.shutdown().await?),
                reason = running.stopped() => anyhow::bail!("the subscription stopped: {reason}"),
            }
        }))
    }
}

#[async_trait]
impl System for Peer {
    async fn deposit(&self, account: &str) -> anyhow::Result<Saved> {
        let balance = Projection::<_, Balance>::new::<Account>()
            .handler(add())
            .strict()
            .load(account)
            .execute(&self.executor)
            .await?;
        let mut write = match balance {
            Some(balance) => balance.write()?,
            None => evento::append(account),
        };
        match write.event(&deposit_of(1)).commit(&self.executor).await {
            Ok(_) => Ok(Saved::Done),
            Err(WriteError::InvalidOriginalVersion) => Ok(Saved::Conflict),
            Err(error) => Err(error.into()),
        }
    }

    async fn append(&self, account: &str, amount: i64) -> anyhow::Result<()> {
        loop {
            let version = self.executor.original_version::<Deposited>(account).await?;
            let written = evento::append(account)
                .original_version(version.unwrap_or(0))
                .event(&deposit_of(amount))
                .commit(&self.executor)
                .await;
            match written {
                Ok(_) => return Ok(()),
                Err(WriteError::InvalidOriginalVersion) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn save_many(&self, account: &str, count: i64) -> anyhow::Result<()> {
        let mut write = evento::append(account);
        for amount in 0..count {
            write.event(&deposit_of(amount));
        }
        write.commit(&self.executor).await?;
        Ok(())
    }

    async fn fold(&self, account: &str) -> anyhow::Result<i64> {
        let counted = Projection::<_, Counted>::new::<Account>()
            .handler(count())
            .load(account)
            .execute(&self.executor)
            .await?;
        Ok(counted.map_or(0, |counted| counted.deposits))
    }

    async fn fill_purses(&self, events: i64) -> anyhow::Result<()> {
        Purses::create(&self.pool).await?;
        for purse in 0..events / 100 {
            self.save_many(&format!("purse-{purse}"), 100).await?;
        }
        Ok(())
    }

    async fn keep_table(&self, round: usize, _style: Style, events: i64) -> anyhow::Result<Kept> {
        let table = Table {
            pool: self.pool.clone(),
            round: i32::try_from(round)?,
        };
        let subscription = SubscriptionBuilder::new(format!("purses-{round}"))
            .handler(upsert())
            .data(table);
        let started = Instant::now();
        let running = self.start(subscription).await?;
        Purses::of_round(&self.pool, round)?
            .wait(started, events, running)
            .await
    }

    async fn subscribe(
        &self,
        subscription: &str,
        _settings: &Settings,
        seen: Seen,
    ) -> anyhow::Result<Subscription> {
        let subscription = SubscriptionBuilder::new(subscription)
            .handler(hand_on())
            .data(Handler(seen));
        self.start(subscription).await
    }
}
