//! What the integration tests share: a domain, and a database for each test.

#![allow(dead_code)]

use mire::{Aggregate, EventData, EventStore};
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, PgPool, postgres::PgPoolOptions};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, EventData)]
#[mire(entity = "account")]
pub enum AccountEvent {
    Opened { owner: String },
    Deposited { amount: i64 },
    Withdrawn { amount: i64 },
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Account {
    pub owner: String,
    pub balance: i64,
}

impl Aggregate for Account {
    type Event = AccountEvent;

    fn stream_category() -> &'static str {
        "account"
    }

    fn apply(&mut self, event: &AccountEvent) {
        match event {
            AccountEvent::Opened { owner } => self.owner.clone_from(owner),
            AccountEvent::Deposited { amount } => self.balance += amount,
            AccountEvent::Withdrawn { amount } => self.balance -= amount,
        }
    }

    fn cached(&self) -> Option<Self> {
        Some(self.clone())
    }
}

pub fn deposited(amount: i64) -> AccountEvent {
    AccountEvent::Deposited { amount }
}

/// A migrated store in a database of its own.
pub async fn store() -> EventStore {
    let store = EventStore::new(pool().await);
    store.migrate().await.expect("migrate");
    store
}

/// A pool on a new, empty database.
pub async fn pool() -> PgPool {
    let url = std::env::var("DATABASE_URL").expect("run the tests with `cargo xtask test`");
    let admin = PgPool::connect(&url).await.expect("connect");
    let name = format!("mire_test_{}", uuid::Uuid::new_v4().simple());
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}")))
        .execute(&admin)
        .await
        .expect("create a database");
    admin.close().await;
    let options: sqlx::postgres::PgConnectOptions = url.parse().expect("DATABASE_URL");
    PgPoolOptions::new()
        .max_connections(8)
        .connect_with(options.database(&name))
        .await
        .expect("connect to the new database")
}
