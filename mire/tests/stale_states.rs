//! States that a store has cached, of streams that somebody else has written to since: they save time
//! and decide nothing.

use std::future::Future;

use mire::{Command, CommandError, EventStore, EventStoreError, Repository, StoreOptions};
use tokio::runtime::Handle;

use crate::common::backends::TestBackend;
use crate::common::projections::append;
use crate::common::{Account, AccountEvent, deposited};

conformance!(
    a_refusal_is_given_on_the_newest_state_alone,
    nothing_to_do_is_said_of_the_newest_state_alone,
    after_a_conflict_the_newest_state_decides,
    a_conflict_is_given_back_when_the_attempts_are_used_up,
    a_conflict_leaves_nothing_of_what_was_decided_in_the_cache,
    a_command_is_decided_on_the_newest_state,
    a_load_answers_what_others_wrote,
);

/// A store with 10 in the account in its cache, and one that has put 90 more there.
async fn behind<DB: TestBackend>() -> (EventStore<DB>, EventStore<DB>, impl Send) {
    let (other, database) = DB::fresh().await;
    let store = EventStore::new(other.pool().clone());
    deposit(&store, 10).await;
    append(&other, "account-ann", [90]).await;
    (store, other, database)
}

async fn deposit<DB: TestBackend>(store: &EventStore<DB>, amount: i64) {
    store
        .execute("ann", |_: &Account| deposited(amount))
        .await
        .unwrap();
}

/// Has something happen in the middle of a decision.
fn meanwhile<T>(future: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| Handle::current().block_on(future))
}

async fn balance<DB: TestBackend>(store: &EventStore<DB>) -> (i64, i64) {
    let root = store.load::<Account>("ann").await.unwrap().unwrap();
    (root.version, root.state.balance)
}

async fn a_refusal_is_given_on_the_newest_state_alone<DB: TestBackend>() {
    let (store, _other, _database) = behind::<DB>().await;
    let mut decided_on = Vec::new();
    let done = store
        .execute("ann", |account: &Account| {
            decided_on.push(account.balance);
            match account.balance {
                10 => Err("overdrawn"),
                _ => Ok(AccountEvent::Withdrawn { amount: 50 }),
            }
        })
        .await
        .unwrap();
    assert_eq!(decided_on, [10, 100]);
    assert_eq!(done.version, 3);
    assert_eq!(balance(&store).await, (3, 50));
}

async fn nothing_to_do_is_said_of_the_newest_state_alone<DB: TestBackend>() {
    let (store, _other, _database) = behind::<DB>().await;
    let done = store
        .execute("ann", |account: &Account| match account.balance {
            10 => vec![],
            balance => vec![AccountEvent::Withdrawn { amount: balance }],
        })
        .await
        .unwrap();
    assert_eq!(done.version, 3);
    assert_eq!(balance(&store).await, (3, 0));
}

async fn after_a_conflict_the_newest_state_decides<DB: TestBackend>() {
    let (store, _other, _database) = behind::<DB>().await;
    let mut decided_on = Vec::new();
    let done = store
        .execute("ann", |account: &Account| {
            decided_on.push(account.balance);
            AccountEvent::Withdrawn {
                amount: account.balance,
            }
        })
        .await
        .unwrap();
    assert_eq!(decided_on, [10, 100]);
    assert_eq!(done.version, 3);
    assert_eq!(balance(&store).await, (3, 0));
}

async fn a_conflict_is_given_back_when_the_attempts_are_used_up<DB: TestBackend>() {
    let (other, _database) = DB::fresh().await;
    let options = StoreOptions::default().max_attempts(3);
    let store = EventStore::with_options(other.pool().clone(), options);
    let mut decided = 0;
    let error = store
        .execute("ann", |_: &Account| {
            decided += 1;
            assert!(decided < 10, "it has no end");
            meanwhile(append(&other, "account-ann", [1]));
            deposited(100)
        })
        .await
        .unwrap_err();
    assert_eq!(decided, 3);
    let CommandError::Store(EventStoreError::ConcurrencyConflict {
        expected, actual, ..
    }) = error
    else {
        panic!("{error:?}");
    };
    assert_eq!((expected, actual), (2, 3));
}

async fn a_conflict_leaves_nothing_of_what_was_decided_in_the_cache<DB: TestBackend>() {
    let (other, _database) = DB::fresh().await;
    let options = StoreOptions::default().max_attempts(1);
    let store = EventStore::with_options(other.pool().clone(), options);
    deposit(&store, 10).await;
    append(&other, "account-ann", [90]).await;
    let failed = store
        .execute("ann", |_: &Account| deposited(1000))
        .await
        .unwrap_err();
    assert!(matches!(failed, CommandError::Store(error) if error.is_conflict()));
    assert_eq!(balance(&store).await, (2, 100));
    deposit(&store, 1).await;
    assert_eq!(balance(&store).await, (3, 101));
}

/// Takes all that is there.
struct Empty;

impl Command for Empty {
    type Aggregate = Account;
    type Error = &'static str;
    type Events = [AccountEvent; 1];

    fn handle(self, account: &Account) -> Result<Self::Events, Self::Error> {
        let amount = account.balance;
        Ok([AccountEvent::Withdrawn { amount }])
    }
}

async fn a_command_is_decided_on_the_newest_state<DB: TestBackend>() {
    let (store, _other, _database) = behind::<DB>().await;
    let accounts: Repository<Account, DB> = store.repository();
    let done = accounts.send("ann", Empty).await.unwrap();
    assert_eq!(done.version, 3);
    assert_eq!(balance(&store).await, (3, 0));
}

async fn a_load_answers_what_others_wrote<DB: TestBackend>() {
    let (store, other, _database) = behind::<DB>().await;
    assert_eq!(balance(&store).await, (2, 100));
    append(&other, "account-ann", [5]).await;
    let root = store.load_snapshotted::<Account>("ann").await.unwrap();
    assert_eq!(root.unwrap().state.balance, 105);
    append(&other, "account-ann", [5]).await;
    let mut scope = store.begin_transaction().await.unwrap();
    let root = scope.load::<Account>("ann").await.unwrap();
    assert_eq!(root.unwrap().state.balance, 110);
    scope.rollback().await.unwrap();
    // More than a batch of loads carries, while many load at once.
    append(&other, "account-ann", [1; 100]).await;
    let loads: Vec<_> = (0..20)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { balance(&store).await })
        })
        .collect();
    for load in loads {
        assert_eq!(load.await.unwrap(), (104, 210));
    }
}
