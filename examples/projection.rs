//! A table that follows the log.
//!
//! Why this pattern: the log answers "what happened to this account", but not "who has most". A
//! projection keeps a table for that question. The handler writes through the connection that it is
//! handed, and the runner commits its writes with the checkpoint: each event takes effect exactly
//! once, whatever crashes in between.

use std::time::Duration;

use mire::{
    Backend, EventStore, HandledEvent, ProjectionRunner, ProjectionRunnerBuilder,
    TransactionalEventHandler,
};
use mire_examples::{Account, AccountEvent, AccountId};
use sqlx::Row;
use tokio_util::sync::CancellationToken;

const SUBSCRIPTION: &str = "richest";

struct Richest;

/// The SQL is the same on both databases; the driver's types are not.
macro_rules! on_database {
    ($DB:ident, $Connection:ident) => {
        impl TransactionalEventHandler<mire::$DB> for Richest {
            type Aggregate = Account;

            async fn handle(
                &self,
                event: HandledEvent<AccountEvent>,
                conn: &mut sqlx::$Connection,
            ) -> anyhow::Result<()> {
                let change = match &event.event {
                    AccountEvent::Opened { owner } => {
                        sqlx::query("INSERT INTO richest (account, owner) VALUES ($1, $2)")
                            .bind(event.stream_id())
                            .bind(owner)
                            .execute(conn)
                            .await?;
                        return Ok(());
                    }
                    AccountEvent::Deposited { amount } => *amount,
                    AccountEvent::Withdrawn { amount } => -amount,
                };
                sqlx::query("UPDATE richest SET balance = balance + $2 WHERE account = $1")
                    .bind(event.stream_id())
                    .bind(change)
                    .execute(conn)
                    .await?;
                Ok(())
            }
        }

        impl Table for mire::$DB {
            async fn create(store: &EventStore<Self>) -> anyhow::Result<()> {
                sqlx::raw_sql(
                    "CREATE TABLE IF NOT EXISTS richest (
                         account varchar(512) PRIMARY KEY,
                         owner   text   NOT NULL,
                         balance bigint NOT NULL DEFAULT 0
                     )",
                )
                .execute(store.pool())
                .await?;
                Ok(())
            }

            async fn rows(store: &EventStore<Self>) -> anyhow::Result<Vec<(String, i64)>> {
                let rows = sqlx::query(
                    "SELECT owner, balance FROM richest ORDER BY balance DESC, owner LIMIT 3",
                )
                .fetch_all(store.pool())
                .await?;
                let row = |row: &_| Ok((Row::try_get(row, 0)?, Row::try_get(row, 1)?));
                rows.iter().map(row).collect()
            }

            fn subscribe(builder: ProjectionRunnerBuilder<Self>) -> ProjectionRunnerBuilder<Self> {
                builder.subscribe_transactional(SUBSCRIPTION, Richest)
            }
        }
    };
}

/// What the example needs of a database beside the store.
#[allow(async_fn_in_trait)]
trait Table: Backend {
    async fn create(store: &EventStore<Self>) -> anyhow::Result<()>;
    async fn rows(store: &EventStore<Self>) -> anyhow::Result<Vec<(String, i64)>>;
    fn subscribe(builder: ProjectionRunnerBuilder<Self>) -> ProjectionRunnerBuilder<Self>;
}

on_database!(Postgres, PgConnection);
on_database!(Sqlite, SqliteConnection);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    mire::with_store!(mire_examples::store().await?, |store| run(store).await)
}

async fn run<DB: Table>(store: EventStore<DB>) -> anyhow::Result<()> {
    DB::create(&store).await?;
    let cancel = CancellationToken::new();
    let runner = DB::subscribe(ProjectionRunner::builder(store.clone())).build();
    let running = tokio::spawn(runner.run(cancel.clone()));

    let mut last = None;
    for (owner, gift, spent) in [("Ann", 50, 30), ("Bob", 40, 10), ("Cleo", 90, 20)] {
        let id = AccountId::new();
        store
            .execute(&id, |account: &Account| account.open(owner, gift))
            .await?;
        let done = store
            .execute(&id, |account: &Account| account.withdraw(spent))
            .await?;
        last = done.position;
    }
    // Read your own writes: wait until the projection is done with the last one.
    if let Some(position) = last {
        let patience = Duration::from_secs(30);
        store.wait_for(SUBSCRIPTION, position, patience).await?;
    }
    for (owner, balance) in DB::rows(&store).await? {
        println!("{owner} has {balance}");
    }
    cancel.cancel();
    running.await?
}
