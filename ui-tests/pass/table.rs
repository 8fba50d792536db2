//! Projections that keep a table: everything that the form has.

#![deny(missing_docs, warnings, clippy::pedantic)]
#![allow(clippy::assigning_clones, clippy::struct_field_names)]

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use mire::table::{IntoPage, Page};
use mire::{Backend, EventInfo, EventStore, ProjectionRunner};

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
    fn noted(&mut self, r#type: &str, tags: &[String]) {}

    #[event]
    fn closed(&mut self) {}
);

mire::aggregate!(
    /// An order of a customer.
    #[aggregate(category = "order", id(OrderId))]
    pub struct Order;

    #[event]
    fn placed(&mut self, customer: AccountId, amount: u32) {}

    #[event]
    fn cancelled(&mut self, customer: AccountId) {}

    #[event]
    fn sent(&mut self) {}
);

/// A state of an account, kept as text.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Status {
    /// Nobody opened it.
    #[default]
    Unknown,
    /// In use.
    Open,
}

impl mire::ColumnType for Status {
    type Stored = String;

    fn to_stored(&self) -> Result<String, mire::ColumnError> {
        Ok(format!("{self:?}"))
    }

    fn from_stored(stored: String) -> Result<Self, mire::ColumnError> {
        Ok(match stored.as_str() {
            "Open" => Self::Open,
            _ => Self::Unknown,
        })
    }
}

mire::projection!(
    /// What every account holds now.
    #[projection(subscription = "balances", reads(AccountEvent))]
    #[derive(Debug, Clone, PartialEq)]
    pub struct Balance {
        /// Whose row it is.
        #[key]
        pub account: AccountId,
        owner: String,
        #[index]
        balance: i64,
        #[index]
        r#type: Option<String>,
        #[json]
        tags: BTreeMap<String, i64>,
        status: Status,
        changed: Option<DateTime<Utc>>,
    }

    /// Doc comments and lint levels may stand on functions.
    #[on(AccountEvent::Opened)]
    #[allow(clippy::unnecessary_wraps)]
    fn opened(&mut self, owner: &str, at: &EventInfo) {
        self.owner = owner.to_owned();
        self.status = Status::Open;
        self.changed = Some(at.created_at());
    }

    #[on(AccountEvent::Deposited)]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }

    #[on(AccountEvent::Noted)]
    fn noted(&mut self, tags: &[String], r#type: String, event: &EventInfo) {
        self.r#type = Some(r#type);
        for tag in tags {
            self.tags.insert(tag.clone(), event.global_position());
        }
    }

    #[on(AccountEvent::Closed, delete)]
    fn closed(&mut self) {}
);

mire::projection!(
    /// What each customer has ordered, across aggregates.
    #[projection(
        subscription = "customer orders",
        revision = 2,
        table = "customer_orders",
        reads(OrderEvent, AccountEvent)
    )]
    #[ignores(OrderEvent::Sent, AccountEvent::Deposited, AccountEvent::Noted)]
    struct CustomerOrders {
        #[key]
        customer: AccountId,
        #[index]
        name: String,
        orders: u32,
        spent: i64,
    }

    #[on(OrderEvent::Placed, key(customer))]
    fn placed(&mut self, amount: u32) {
        self.orders += 1;
        self.spent += i64::from(amount);
    }

    #[on(OrderEvent::Cancelled, key(customer), delete)]
    fn cancelled(&mut self) {}

    #[on(AccountEvent::Opened)]
    fn opened(&mut self, owner: &str) {
        self.name = owner.to_owned();
    }

    #[on(AccountEvent::Closed, delete)]
    fn closed(&mut self) {}
);

/// What a runner and the look-ups look like.
///
/// # Errors
///
/// When the database does not answer.
pub async fn look_up<DB: Backend>(
    store: &EventStore<DB>,
    id: AccountId,
) -> Result<(), mire::EventStoreError> {
    let _ = Balance::runner(store).worker_id("a").build();
    let _ = ProjectionRunner::builder(store.clone())
        .subscribe_table::<Balance>()
        .subscribe_table::<CustomerOrders>()
        .build();
    Balance::wait_for(store, 5, Duration::from_secs(1)).await?;
    let balance: Option<Balance> = Balance::get(store, &id).await?;
    let balances: Vec<Balance> = Balance::get_many(store, &[id]).await?;
    let first = Balance::list(store, 10).await?;
    let more = Balance::list(store, Page::of(10).after(&id)).await?;
    let richest = Page::of(10).descending();
    let rich = Balance::by_balance_range(store, 1_000.., richest).await?;
    let next = richest.after((&rich[9].balance, &rich[9].account));
    let rich = Balance::by_balance_range(store, 1_000.., next).await?;
    let poor = Balance::by_balance(store, &0, 10).await?;
    let typed = Balance::by_type(store, &None, 10).await?;
    let status = Balance::status(store).await?;
    drop((
        balance,
        balances,
        first,
        more,
        rich,
        poor,
        typed,
        status.serving().is_some(),
    ));
    let orders = CustomerOrders::get(store, &id).await?;
    drop(CustomerOrders::by_name(store, "Ann", 10).await?);
    drop(orders.map(|row| (row.name, row.customer, row.orders, row.spent)));
    Ok(())
}

/// A page that is passed on needn't live as long as the store.
///
/// # Errors
///
/// As the look-up.
pub async fn listed<DB: Backend>(
    store: &EventStore<DB>,
    page: impl IntoPage<&AccountId>,
) -> Result<Vec<Balance>, mire::EventStoreError> {
    Balance::list(store, page).await
}

/// A query of one's own answers rows of the same type.
///
/// # Errors
///
/// When the database does not answer.
pub async fn query(pool: &sqlx::SqlitePool) -> Result<Vec<Balance>, sqlx::Error> {
    sqlx::query_as("SELECT * FROM balances WHERE balance < 0")
        .fetch_all(pool)
        .await
}

fn main() {
    use mire::TableProjection;

    let _ = (look_up::<mire::Postgres>, look_up::<mire::Sqlite>, query);
    let table = Balance::TABLE;
    assert_eq!(Balance::SUBSCRIPTION, "balances");
    assert_eq!((table.subscription, table.table), ("balances", "balances"));
    assert_eq!(table.categories, ["account"]);
    let columns = table.columns.iter();
    let columns: Vec<_> = columns
        .map(|column| (column.name(), column.is_key(), column.is_indexed()))
        .collect();
    assert_eq!(
        columns,
        [
            ("account", true, false),
            ("owner", false, false),
            ("balance", false, true),
            ("type", false, true),
            ("tags", false, false),
            ("status", false, false),
            ("changed", false, false),
        ]
    );
    assert_eq!(CustomerOrders::TABLE.categories, ["order", "account"]);
    assert_eq!(CustomerOrders::TABLE.table, "customer_orders");
}
