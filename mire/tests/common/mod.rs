//! What the integration tests share: a domain, and a database for each test.

#![allow(dead_code)]

#[macro_use]
pub mod backends;
pub mod process;
pub mod projections;
#[cfg(feature = "postgres")]
pub mod proxy;
pub mod tables;

#[cfg(feature = "postgres")]
use mire::EventStore;
use mire::{Aggregate, EventData, Snapshot};
#[cfg(feature = "postgres")]
use mire_testkit::TestDatabase;
use serde::{Deserialize, Serialize};
#[cfg(feature = "postgres")]
use sqlx::postgres::PgPoolOptions;

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
    type Id = String;

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

impl Snapshot for Account {
    const SNAPSHOT_VERSION: i32 = 2;
    const SNAPSHOT_FREQUENCY: i64 = 5;
}

pub fn deposited(amount: i64) -> AccountEvent {
    AccountEvent::Deposited { amount }
}

/// A migrated store in a database of its own, which lasts as long as the second part.
#[cfg(feature = "postgres")]
pub async fn store() -> (EventStore, TestDatabase) {
    store_with(8).await
}

/// [`store`], with a pool of this many connections.
#[cfg(feature = "postgres")]
pub async fn store_with(connections: u32) -> (EventStore, TestDatabase) {
    let database = mire_testkit::test_database().await;
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .connect(database.url())
        .await
        .expect("connect");
    let store = EventStore::new(pool);
    store.migrate().await.expect("migrate");
    (store, database)
}

/// Numbers that look random and are the same in every run.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `sides`.
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}
