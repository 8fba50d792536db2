//! Projections as `projection!` declares them, from a save to the row and to the effect, on every
//! backend.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::backends::TestBackend;
use crate::common::projections::{PATIENCE, fast, head, start, stop, until};
use chrono::{DateTime, Utc};
use mire::table::Page;
use mire::{
    AggregateRoot, Backend, Event, EventInfo, EventStore, EventStoreError, ExpectedVersion,
    RunnerError, StreamQuery, TableProjection,
};

mire::aggregate!(
    /// A bank account.
    #[aggregate(category = "account", id(AccountId))]
    pub struct Account {
        balance: i64,
    }

    #[event]
    fn opened(&mut self, owner: &str) {}

    #[event]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }

    #[event(name = "tagged-with")]
    fn tagged(&mut self, tag: &str) {}

    #[event]
    fn closed(&mut self) {}
);

mire::aggregate!(
    /// An order.
    #[aggregate(category = "order", id(OrderId))]
    pub struct Order;

    #[event]
    fn placed(&mut self, customer: AccountId, amount: u32) {}

    #[event]
    fn forgotten(&mut self, customer: AccountId) {}

    #[event]
    fn sent(&mut self) {}
);

mire::projection!(
    /// What every account holds now.
    #[projection(subscription = "balances", reads(AccountEvent))]
    #[derive(Debug, Clone, PartialEq)]
    pub struct Balance {
        #[key]
        pub account: AccountId,
        owner: String,
        #[index]
        balance: i64,
        #[json]
        tags: BTreeMap<String, i64>,
        opened_at: Option<DateTime<Utc>>,
    }

    #[on(AccountEvent::Opened)]
    fn opened(&mut self, owner: &str, event: &EventInfo) {
        self.owner = owner.to_owned();
        self.opened_at = Some(event.created_at());
    }

    #[on(AccountEvent::Deposited)]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }

    #[on(AccountEvent::Tagged)]
    fn tagged(&mut self, tag: &str, event: &EventInfo) {
        self.tags.insert(tag.to_owned(), event.stream_version());
    }

    #[on(AccountEvent::Closed, delete)]
    fn closed(&mut self) {}
);

mire::projection!(
    /// What each customer has ordered.
    #[projection(
        subscription = "customer-orders",
        table = "orders_of_customers",
        reads(OrderEvent, AccountEvent)
    )]
    #[ignores(OrderEvent::Sent, AccountEvent::Deposited, AccountEvent::Tagged)]
    #[derive(Debug, PartialEq)]
    pub struct CustomerOrders {
        #[key]
        customer: AccountId,
        name: String,
        #[index]
        orders: u32,
        spent: u64,
    }

    #[on(OrderEvent::Placed, key(customer))]
    fn placed(&mut self, amount: u32) {
        self.orders += 1;
        self.spent += u64::from(amount);
    }

    #[on(OrderEvent::Forgotten, key(customer), delete)]
    fn forgotten(&mut self) {}

    #[on(AccountEvent::Opened)]
    fn opened(&mut self, owner: &str) {
        self.name = owner.to_owned();
    }

    #[on(AccountEvent::Closed, delete)]
    fn closed(&mut self) {}
);

mire::projection!(
    /// Greets new owners; at least once.
    #[projection(subscription = "welcome-mail", reads(AccountEvent))]
    #[ignores(AccountEvent::Deposited, AccountEvent::Tagged, AccountEvent::Closed)]
    #[derive(Default)]
    pub struct WelcomeMail {
        sent: Arc<Mutex<Vec<(String, i64, String)>>>,
        failures: Arc<AtomicUsize>,
    }

    #[on(AccountEvent::Opened)]
    async fn welcome(&self, owner: &str, event: &EventInfo) -> anyhow::Result<()> {
        if owner == "Bob" && self.failures.fetch_add(1, Ordering::SeqCst) < 2 {
            anyhow::bail!("the mail server is away");
        }
        let sent = (
            owner.to_owned(),
            event.stream_version(),
            event.stream_id().to_owned(),
        );
        self.sent.lock().unwrap().push(sent);
        Ok(())
    }
);

mire::projection!(
    /// Places an order for each deposit, in the transaction that counts the deposit as handled.
    #[projection(subscription = "orders", reads(AccountEvent))]
    #[ignores(AccountEvent::Opened, AccountEvent::Tagged, AccountEvent::Closed)]
    pub struct OrderOnDeposit<DB: Backend> {
        store: EventStore<DB>,
        failures: Arc<AtomicUsize>,
    }

    #[on(AccountEvent::Deposited)]
    async fn deposited(
        &self,
        amount: i64,
        tx: &mut DB::Connection,
        event: &EventInfo,
    ) -> anyhow::Result<()> {
        let order = OrderEvent::Placed {
            customer: event.aggregate_id::<Account>()?,
            amount: u32::try_from(amount)?,
        };
        let other = event.aggregate_id::<Order>().unwrap_err();
        assert!(
            matches!(other, EventStoreError::CategoryMismatch { .. }),
            "{other}"
        );
        self.store
            .append_in_tx(
                tx,
                "order-all",
                "order",
                ExpectedVersion::Any,
                &[order.into()],
            )
            .await?;
        // It has written already: what a failure leaves behind would show.
        if amount == 13 && self.failures.fetch_add(1, Ordering::SeqCst) < 3 {
            anyhow::bail!("bad luck");
        }
        Ok(())
    }
);

conformance!(
    a_fold_does_not_move_its_row,
    events_become_rows_of_a_declared_table,
    rows_are_keyed_by_fields_and_fed_by_several_aggregates,
    a_plain_projection_acts_at_least_once_and_sees_the_events_info,
    a_transactional_projection_acts_exactly_once,
    an_event_that_no_version_of_the_enum_knows_stops_the_runner,
    several_projections_share_one_runner,
);

async fn save<DB: Backend>(store: &EventStore<DB>, id: AccountId, events: Vec<AccountEvent>) {
    let mut account = store
        .load::<Account>(id)
        .await
        .unwrap()
        .unwrap_or_else(|| AggregateRoot::new(&id));
    account.record_many(events);
    store.save(&mut account).await.unwrap();
}

fn opened(owner: &str) -> AccountEvent {
    AccountEvent::Opened {
        owner: owner.to_owned(),
    }
}

fn deposited(amount: i64) -> AccountEvent {
    AccountEvent::Deposited { amount }
}

fn tagged(tag: &str) -> AccountEvent {
    AccountEvent::Tagged {
        tag: tag.to_owned(),
    }
}

async fn events_become_rows_of_a_declared_table<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let running = start(fast(&store, "a").subscribe_table::<Balance>());
    let (ann, bob, cat) = (AccountId::new(), AccountId::new(), AccountId::new());
    save(&store, ann, vec![opened("Ann"), deposited(50)]).await;
    save(
        &store,
        bob,
        vec![opened("Bob"), tagged("vip"), tagged("new")],
    )
    .await;
    save(&store, cat, vec![opened("Cat"), deposited(7)]).await;
    save(&store, ann, vec![deposited(-20), tagged("vip")]).await;
    save(&store, cat, vec![AccountEvent::Closed]).await;
    Balance::wait_for(&store, head(&store).await, PATIENCE)
        .await
        .unwrap();

    let row = Balance::get(&store, &ann).await.unwrap().unwrap();
    assert_eq!(
        (row.account, row.owner.as_str(), row.balance),
        (ann, "Ann", 30)
    );
    assert_eq!(row.tags, [("vip".to_owned(), 4)].into());
    let first = store
        .read_stream(
            Account::stream(&ann).unwrap().as_str(),
            StreamQuery::default(),
        )
        .await
        .unwrap();
    assert_eq!(row.opened_at, Some(first[0].created_at));
    assert_eq!(Balance::get(&store, &cat).await.unwrap(), None);

    let all = Balance::list(&store, 10).await.unwrap();
    let mut keys = [ann, bob];
    keys.sort();
    assert_eq!(all.iter().map(|row| row.account).collect::<Vec<_>>(), keys);
    let behind = Balance::list(&store, Page::of(10).after(&keys[0]))
        .await
        .unwrap();
    assert_eq!(behind, all[1..]);
    let some = Balance::get_many(&store, &[bob, cat]).await.unwrap();
    assert_eq!(
        some.iter().map(|row| row.account).collect::<Vec<_>>(),
        [bob]
    );
    let empty = Balance::by_balance(&store, &0, 10).await.unwrap();
    assert_eq!(
        empty.iter().map(|row| row.account).collect::<Vec<_>>(),
        [bob]
    );
    let rich = Balance::by_balance_range(&store, 1.., 10).await.unwrap();
    assert_eq!(
        rich.iter().map(|row| row.account).collect::<Vec<_>>(),
        [ann]
    );

    // A row that was removed begins anew.
    save(&store, cat, vec![deposited(5)]).await;
    Balance::wait_for(&store, head(&store).await, PATIENCE)
        .await
        .unwrap();
    let row = Balance::get(&store, &cat).await.unwrap().unwrap();
    assert_eq!((row.owner.as_str(), row.balance), ("", 5));
    let status = Balance::status(&store).await.unwrap();
    assert_eq!(
        status.serving().map(|it| it.position),
        Some(head(&store).await)
    );
    stop(running).await;
}

async fn rows_are_keyed_by_fields_and_fed_by_several_aggregates<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let (ann, bob) = (AccountId::new(), AccountId::new());
    save(&store, ann, vec![opened("Ann"), deposited(50)]).await;
    let placed = |customer, amount| OrderEvent::Placed { customer, amount };
    for (customer, amounts) in [(ann, [4, 5]), (bob, [1, 2])] {
        let order = OrderId::new();
        let mut root = AggregateRoot::<Order>::new(&order);
        root.record_many(amounts.map(|amount| placed(customer, amount)));
        root.record(OrderEvent::Sent);
        store.save(&mut root).await.unwrap();
    }
    let running = start(CustomerOrders::runner(&store).worker_id("a"));
    let caught_up = || async {
        let end = head(&store).await;
        CustomerOrders::wait_for(&store, end, PATIENCE)
            .await
            .unwrap();
    };
    until("the table is there", || async {
        CustomerOrders::list(&store, 1).await.is_ok()
    })
    .await;
    caught_up().await;
    let row = CustomerOrders::get(&store, &ann).await.unwrap();
    let expected = CustomerOrders {
        customer: ann,
        name: "Ann".to_owned(),
        orders: 2,
        spent: 9,
    };
    assert_eq!(row, Some(expected));
    let twice = CustomerOrders::by_orders(&store, &2, 10).await.unwrap();
    assert_eq!(twice.len(), 2, "{twice:?}");

    let mut order = AggregateRoot::<Order>::new(&OrderId::new());
    order.record(OrderEvent::Forgotten { customer: bob });
    store.save(&mut order).await.unwrap();
    save(&store, ann, vec![AccountEvent::Closed]).await;
    caught_up().await;
    assert_eq!(CustomerOrders::list(&store, 10).await.unwrap(), []);
    stop(running).await;
}

async fn a_plain_projection_acts_at_least_once_and_sees_the_events_info<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let (ann, bob) = (AccountId::new(), AccountId::new());
    save(&store, ann, vec![deposited(1), opened("Ann")]).await;
    save(&store, bob, vec![opened("Bob"), deposited(2)]).await;
    let mail = WelcomeMail::default();
    let (sent, failures) = (Arc::clone(&mail.sent), Arc::clone(&mail.failures));
    let running = start(fast(&store, "a").subscribe_projection(mail));
    let end = head(&store).await;
    WelcomeMail::wait_for(&store, end, PATIENCE).await.unwrap();
    assert_eq!(
        *sent.lock().unwrap(),
        [
            ("Ann".to_owned(), 2, format!("account-{ann}")),
            ("Bob".to_owned(), 1, format!("account-{bob}")),
        ]
    );
    assert_eq!(
        failures.load(Ordering::SeqCst),
        3,
        "two failures, then none"
    );
    stop(running).await;
}

async fn a_transactional_projection_acts_exactly_once<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let ann = AccountId::new();
    save(
        &store,
        ann,
        vec![opened("Ann"), deposited(1), deposited(13), deposited(2)],
    )
    .await;
    let end = head(&store).await;
    let failures = Arc::new(AtomicUsize::new(0));
    let running = start(fast(&store, "a").subscribe_projection(OrderOnDeposit {
        store: store.clone(),
        failures: Arc::clone(&failures),
    }));
    let name = OrderOnDeposit::<DB>::SUBSCRIPTION;
    store.wait_for(name, end, PATIENCE).await.unwrap();
    stop(running).await;
    let placed = store
        .read_stream("order-all", StreamQuery::default())
        .await
        .unwrap();
    let amounts: Vec<_> = placed.iter().map(|it| it.data["amount"].as_i64()).collect();
    assert_eq!(amounts, [Some(1), Some(13), Some(2)]);
    assert!(
        failures.load(Ordering::SeqCst) >= 4,
        "three failures, then none"
    );
}

/// An event of a later version of the program, in a category that the projections read.
#[derive(serde::Serialize, serde::Deserialize, mire::EventData)]
#[mire(entity = "account")]
enum Later {
    Renamed,
}

async fn an_event_that_no_version_of_the_enum_knows_stops_the_runner<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let ann = AccountId::new();
    save(&store, ann, vec![opened("Ann")]).await;
    store
        .append(
            Account::stream(&ann).unwrap().as_str(),
            "account",
            ExpectedVersion::Any,
            &[Event::new(Later::Renamed)],
        )
        .await
        .unwrap();
    for builder in [
        fast(&store, "a").subscribe_projection(WelcomeMail::default()),
        fast(&store, "a").subscribe_table::<Balance>(),
    ] {
        let ended = tokio::time::timeout(PATIENCE, start(builder).1).await;
        let error = ended.unwrap().unwrap().unwrap_err();
        let Some(RunnerError::Stopped {
            event_type,
            attempts,
            ..
        }) = error.downcast_ref()
        else {
            panic!("{error:?}");
        };
        // Trying again can't help.
        assert_eq!((event_type.as_str(), *attempts), ("account.renamed", 1));
        let told = format!("{error:#}");
        assert!(told.contains("account.tagged-with"), "{told}");
    }
}

async fn several_projections_share_one_runner<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let mail = WelcomeMail::default();
    let sent = Arc::clone(&mail.sent);
    let builder = mire::runner!(&store, Balance, CustomerOrders, WelcomeMail = mail);
    let running = start(
        builder
            .worker_id("a")
            .poll_interval(Duration::from_millis(100))
            .subscribe_pages("a second mail", WelcomeMail::default()),
    );
    let ann = AccountId::new();
    save(&store, ann, vec![opened("Ann")]).await;
    let end = head(&store).await;
    for subscription in [WelcomeMail::SUBSCRIPTION, "a second mail"] {
        store.wait_for(subscription, end, PATIENCE).await.unwrap();
    }
    Balance::wait_for(&store, end, PATIENCE).await.unwrap();
    CustomerOrders::wait_for(&store, end, PATIENCE)
        .await
        .unwrap();
    assert_eq!(sent.lock().unwrap().len(), 1);
    assert!(Balance::get(&store, &ann).await.unwrap().is_some());
    assert!(CustomerOrders::get(&store, &ann).await.unwrap().is_some());
    stop(running).await;
}

/// A change of what decides the rows is another version of the table; others are not.
#[test]
fn a_fingerprint_tells_declarations_apart() {
    mod changed {
        use super::AccountEvent;
        use super::AccountId;

        macro_rules! declared {
            ($name:ident, $ignored:ident, $by:literal, $($docs:literal)?) => {
                mire::projection!(
                    $(#[doc = $docs])?
                    #[projection(subscription = "sums", reads(AccountEvent))]
                    #[ignores(AccountEvent::Opened, AccountEvent::Tagged, AccountEvent::$ignored)]
                    pub struct $name {
                        $(#[doc = $docs])?
                        #[key]
                        pub account: AccountId,
                        pub sum: i64,
                    }

                    #[on(AccountEvent::Deposited)]
                    fn deposited(&mut self, amount: i64) {
                        self.sum += amount * $by;
                    }
                );
            };
        }
        declared!(Plain, Closed, 1,);
        declared!(Documented, Closed, 1, "With another text.");
        declared!(Doubled, Closed, 2,);
    }
    let fingerprint = changed::Plain::TABLE.fingerprint;
    assert_eq!(fingerprint, changed::Documented::TABLE.fingerprint);
    assert_ne!(fingerprint, changed::Doubled::TABLE.fingerprint);
}

mire::projection!(
    #[projection(subscription = "moved", reads(AccountEvent))]
    #[ignores(AccountEvent::Opened, AccountEvent::Tagged, AccountEvent::Closed)]
    struct Moved {
        #[key]
        account: String,
        sum: i64,
    }

    #[on(AccountEvent::Deposited)]
    fn deposited(&mut self, amount: i64) {
        self.sum += amount;
        std::mem::take(&mut self.account);
    }
);

/// What a fold does to the key is undone: a row would be stored where nobody looks for it.
async fn a_fold_does_not_move_its_row<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let id = AccountId::new();
    save(&store, id, vec![deposited(5), deposited(5)]).await;
    let running = start(fast(&store, "a").subscribe_table::<Moved>());
    let wait = || async {
        let head = head(&store).await;
        Moved::wait_for(&store, head, PATIENCE).await.unwrap();
    };
    wait().await;
    save(&store, id, vec![deposited(5)]).await;
    wait().await;
    let row = Moved::get(&store, &id.to_string()).await.unwrap().unwrap();
    assert_eq!((row.account, row.sum), (id.to_string(), 15));
    assert_eq!(Moved::list(&store, 10).await.unwrap().len(), 1);
    stop(running).await;
}

/// What a projection reads is declared elsewhere. An event in another version is folded anew, wherever
/// the projection handles it: the same fields can mean something else.
#[test]
fn a_fingerprint_tells_what_is_read_apart() {
    macro_rules! deployed {
        ($deployment:ident, $paid:meta, $left:meta) => {
            deployed!($deployment, "till", $paid, $left);
        };
        ($deployment:ident, $category:literal, $paid:meta, $left:meta) => {
            mod $deployment {
                #[allow(unused)]
                fn same(payload: serde_json::Value) -> Result<serde_json::Value, String> {
                    Ok(payload)
                }

                mire::aggregate!(
                    #[aggregate(category = $category)]
                    struct Till {
                        cents: i64,
                    }

                    #[$paid]
                    fn paid(&mut self, cents: i64) {
                        self.cents += cents;
                    }

                    #[$left]
                    fn left(&mut self) {}
                );

                mire::projection!(
                    #[projection(subscription = "tills", reads(TillEvent))]
                    #[ignores(TillEvent::Left)]
                    pub struct Sum {
                        #[key]
                        till: String,
                        cents: i64,
                    }

                    #[on(TillEvent::Paid)]
                    fn paid(&mut self, cents: i64) {
                        self.cents += cents;
                    }
                );
            }
        };
    }
    deployed!(first, event, event);
    deployed!(second, event(version = 2, upcast(same)), event);
    deployed!(third, event(version = 3, upcast(same, same)), event);
    deployed!(ignored, event, event(version = 2, upcast(same)));
    deployed!(renamed, "register", event, event);
    let first = first::Sum::TABLE.fingerprint;
    let (second, third) = (
        second::Sum::TABLE.fingerprint,
        third::Sum::TABLE.fingerprint,
    );
    assert_ne!(first, second);
    assert_ne!(first, third);
    assert_ne!(second, third);
    assert_eq!(first, ignored::Sum::TABLE.fingerprint);
    // Other streams are read, so a checkpoint that has passed these can't stand.
    assert_ne!(first, renamed::Sum::TABLE.fingerprint);
}
