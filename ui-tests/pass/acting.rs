//! Projections that act: plain, transactional on each backend, and on any.

#![deny(missing_docs, warnings, clippy::pedantic)]
#![allow(clippy::assigning_clones)]

use std::sync::Mutex;

use mire::{Backend, EventInfo, EventStore, ProjectionRunner};
use sqlx::{PgConnection, SqliteConnection};

mire::aggregate!(
    /// A bank account.
    #[aggregate(category = "account", id(AccountId))]
    pub struct Account {
        owner: String,
        balance: i64,
    }

    #[event]
    fn opened(&mut self, owner: &str) {
        self.owner = owner.to_owned();
    }

    #[event]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }

    #[event]
    fn tagged(&mut self, tags: &[String]) {}
);

/// Another enum of events, written by hand.
#[derive(serde::Serialize, serde::Deserialize, mire::EventData)]
#[mire(entity = "order")]
pub enum OrderEvent {
    /// An order was placed.
    Placed {
        /// What it costs.
        amount: i64,
    },
    /// It was sent.
    Sent,
}

mire::projection!(
    /// Greets the owner of a new account.
    #[projection(subscription = "welcome-mail", reads(AccountEvent))]
    #[ignores(AccountEvent::Deposited, AccountEvent::Tagged)]
    #[derive(Debug, Default)]
    pub struct WelcomeMail {
        /// Who was greeted, and at which position.
        pub greeted: Mutex<Vec<(String, i64)>>,
    }

    /// Sends the mail.
    #[on(AccountEvent::Opened)]
    async fn welcome(&self, owner: &str, event: &EventInfo) -> anyhow::Result<()> {
        let mut greeted = self.greeted.lock().map_err(|_| anyhow::anyhow!("broken"))?;
        greeted.push((owner.to_owned(), event.global_position()));
        Ok(())
    }
);

mire::projection!(
    /// Writes down what came in, on `PostgreSQL`.
    #[projection(subscription = "ledger", reads(AccountEvent, OrderEvent))]
    #[ignores(AccountEvent::Opened)]
    #[ignores(OrderEvent::Sent)]
    pub struct Ledger;

    #[on(AccountEvent::Deposited)]
    async fn came_in(&self, tx: &mut PgConnection, amount: i64) -> Result<(), sqlx::Error> {
        sqlx::query("INSERT INTO ledger VALUES ($1)")
            .bind(amount)
            .execute(tx)
            .await?;
        Ok(())
    }

    #[on(AccountEvent::Tagged)]
    async fn tagged(&self, tags: &[String]) {
        drop(tags.join(", "));
    }

    #[on(OrderEvent::Placed)]
    async fn ordered(&self, amount: &i64, tx: &mut PgConnection) -> Result<(), sqlx::Error> {
        sqlx::query("INSERT INTO ledger VALUES (-$1)")
            .bind(amount)
            .execute(tx)
            .await?;
        Ok(())
    }
);

mire::projection!(
    #[projection(subscription = "ledger", reads(crate::OrderEvent))]
    struct SqliteLedger(&'static str);

    #[on(crate::OrderEvent::Placed)]
    async fn ordered(&self, amount: i64, tx: &mut SqliteConnection) -> anyhow::Result<()> {
        sqlx::query(self.0).bind(amount).execute(tx).await?;
        Ok(())
    }

    #[on(crate::OrderEvent::Sent)]
    async fn sent(&self) {}
);

mire::projection!(
    /// Places an order for each deposit, in the transaction that notes the deposit as seen.
    #[projection(subscription = "orders", reads(AccountEvent))]
    #[ignores(AccountEvent::Opened, AccountEvent::Tagged)]
    pub struct Orders<DB: Backend> {
        store: EventStore<DB>,
    }

    #[on(AccountEvent::Deposited)]
    async fn deposited(
        &self,
        amount: i64,
        event: &EventInfo,
        tx: &mut DB::Connection,
    ) -> anyhow::Result<()> {
        let stream = format!("order-{}", event.global_position());
        let event = mire::Event::new(OrderEvent::Placed { amount });
        self.store
            .append_in_tx(tx, &stream, "order", mire::ExpectedVersion::Any, &[event])
            .await?;
        Ok(())
    }
);

/// Every form of adding a projection to a runner.
pub async fn run(postgres: &EventStore, sqlite: &EventStore<mire::Sqlite>) {
    let _ = WelcomeMail::default().runner(postgres).build();
    let _ = WelcomeMail::default().runner(sqlite).build();
    let _ = Ledger.runner(postgres).worker_id("a").build();
    let _ = ProjectionRunner::builder(sqlite.clone())
        .subscribe_projection(WelcomeMail::default())
        .subscribe_projection(SqliteLedger("INSERT INTO ledger VALUES (-$1)"))
        .subscribe_pages("again", WelcomeMail::default())
        .subscribe_projection(Orders {
            store: sqlite.clone(),
        })
        .build();
}

fn main() {
    let _ = run;
    assert_eq!(WelcomeMail::SUBSCRIPTION, "welcome-mail");
    assert_eq!(Orders::<mire::Postgres>::SUBSCRIPTION, "orders");
}
