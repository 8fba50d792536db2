//! A declaration that changes between two releases of a service: both run for a while, each reads its
//! table by the functions that `projection!` gave it, and none of them ever sees a gap.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use crate::common::backends::TestBackend;
use crate::common::projections::{PATIENCE, Running, head, start, stop, until};
use mire::table::{TableStatus, TableVersion};
use mire::{Backend, Event, EventStore, EventStoreError, ExpectedVersion, ProjectionRunnerBuilder};
use tokio::task::JoinHandle;

mire::aggregate!(
    /// A bank account.
    #[aggregate(category = "account", id(AccountId))]
    pub struct Account;

    #[event]
    fn deposited(&mut self, amount: i64) {}
);

/// As it was first released.
mod first {
    use super::{AccountEvent, AccountId};

    mire::projection!(
        /// What every account holds.
        #[projection(subscription = "balances", reads(AccountEvent))]
        #[derive(Debug, Clone, PartialEq)]
        pub struct Balance {
            #[key]
            pub account: AccountId,
            pub events: i64,
            #[index]
            pub balance: i64,
        }

        #[on(AccountEvent::Deposited)]
        fn deposited(&mut self, amount: i64) {
            self.events += 1;
            self.balance += amount;
        }
    );
}

/// The next release: the columns are the same, and a body counts otherwise.
mod doubled {
    use super::{AccountEvent, AccountId};

    mire::projection!(
        /// What every account holds, twice.
        #[projection(subscription = "balances", reads(AccountEvent))]
        #[derive(Debug, Clone, PartialEq)]
        pub struct Balance {
            #[key]
            pub account: AccountId,
            pub events: i64,
            #[index]
            pub balance: i64,
        }

        #[on(AccountEvent::Deposited)]
        fn deposited(&mut self, amount: i64) {
            self.events += 1;
            self.balance += 2 * amount;
        }
    );
}

/// Another next release: with other columns.
mod reshaped {
    use super::{AccountEvent, AccountId};
    use mire::EventInfo;

    mire::projection!(
        /// What every account holds, as a text, and when it last changed.
        #[projection(subscription = "balances", reads(AccountEvent))]
        #[derive(Debug, Clone, PartialEq)]
        pub struct Balance {
            #[key]
            pub account: AccountId,
            #[index]
            pub events: i64,
            pub balance: String,
            pub changed: Option<i64>,
        }

        #[on(AccountEvent::Deposited)]
        fn deposited(&mut self, amount: i64, event: &EventInfo) {
            let before: i64 = self.balance.parse().unwrap_or(0);
            self.events += 1;
            self.balance = (before + amount).to_string();
            self.changed = Some(event.stream_version());
        }
    );
}

/// A runner that does everything soon.
fn soon<DB: Backend>(
    builder: ProjectionRunnerBuilder<DB>,
    worker: &str,
) -> ProjectionRunnerBuilder<DB> {
    builder
        .worker_id(worker)
        .lease_ttl(Duration::from_secs(2))
        .lease_recheck_interval(Duration::from_millis(200))
        .poll_interval(Duration::from_millis(100))
        .take_over_after(Duration::from_millis(300))
}

/// Deposits of 1 on each account in turn.
async fn deposit<DB: Backend>(store: &EventStore<DB>, id: AccountId, times: usize) {
    let events: Vec<_> = (0..times)
        .map(|_| Event::new(AccountEvent::Deposited { amount: 1 }))
        .collect();
    let stream = Account::stream(&id).unwrap();
    store
        .append(stream.as_str(), "account", ExpectedVersion::Any, &events)
        .await
        .unwrap();
}

const ACCOUNTS: usize = 10;
const EACH: usize = 100;
const FIRST: i64 = (ACCOUNTS * EACH) as i64;

/// A store in which the first release serves.
async fn served_by_the_first<DB: TestBackend>() -> (
    EventStore<DB>,
    Vec<AccountId>,
    Running,
    Box<dyn std::any::Any + Send>,
) {
    let (store, database) = DB::fresh().await;
    let ids: Vec<AccountId> = (0..ACCOUNTS).map(|_| AccountId::new()).collect();
    for id in &ids {
        deposit(&store, *id, EACH).await;
    }
    let old = start(soon(first::Balance::runner(&store), "old"));
    until("the first version serves", || async {
        first::Balance::list(&store, 1).await.is_ok()
    })
    .await;
    first::Balance::wait_for(&store, FIRST, PATIENCE)
        .await
        .unwrap();
    (store, ids, old, database)
}

/// What goes on while releases come and go.
struct Traffic {
    ended: Arc<AtomicBool>,
    /// How often readers have looked.
    reads: Arc<AtomicI64>,
    tasks: Vec<JoinHandle<()>>,
}

impl Traffic {
    fn of<DB: Backend>(store: &EventStore<DB>, ids: &[AccountId]) -> Self {
        let mut traffic = Self {
            ended: Arc::default(),
            reads: Arc::default(),
            tasks: Vec::new(),
        };
        let (store, ids, ended) = (store.clone(), ids.to_vec(), Arc::clone(&traffic.ended));
        traffic.tasks.push(tokio::spawn(async move {
            for id in ids.iter().cycle() {
                if ended.load(Ordering::SeqCst) {
                    break;
                }
                deposit(&store, *id, 1).await;
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }));
        traffic
    }

    /// Looks again and again until the end.
    fn reader<F: Future<Output = ()> + Send>(
        &mut self,
        mut look: impl FnMut() -> F + Send + 'static,
    ) {
        let (ended, reads) = (Arc::clone(&self.ended), Arc::clone(&self.reads));
        self.tasks.push(tokio::spawn(async move {
            while !ended.load(Ordering::SeqCst) {
                look().await;
                reads.fetch_add(1, Ordering::SeqCst);
            }
        }));
    }

    /// Every reader has looked some more times.
    async fn goes_on(&self) {
        let before = self.reads.load(Ordering::SeqCst);
        until("readers read on", || async {
            self.reads.load(Ordering::SeqCst) > before + 30
                || self.tasks.iter().any(JoinHandle::is_finished)
        })
        .await;
    }

    async fn end(self) {
        self.ended.store(true, Ordering::SeqCst);
        for task in self.tasks {
            task.await.unwrap();
        }
    }
}

/// What a reader has seen: later it may see more, never less.
#[derive(Default)]
struct Seen(AtomicI64);

impl Seen {
    fn events(&self, rows: impl Iterator<Item = i64>) {
        let (mut sum, mut count) = (0, 0);
        for events in rows {
            assert!(
                events >= EACH as i64,
                "a row was half-built, of {events} events"
            );
            sum += events;
            count += 1;
        }
        assert_eq!(count, ACCOUNTS, "rows are missing");
        let before = self.0.swap(sum, Ordering::SeqCst);
        assert!(sum >= before, "it went back from {before} events to {sum}");
    }
}

/// The old release's code looks: by key, by index and page by page.
fn old_code_reads<DB: Backend>(traffic: &mut Traffic, store: &EventStore<DB>, ids: &[AccountId]) {
    let (seen, store, id) = (Arc::new(Seen::default()), store.clone(), ids[0]);
    traffic.reader(move || {
        let (seen, store) = (Arc::clone(&seen), store.clone());
        async move {
            let rows = first::Balance::list(&store, 100).await.unwrap();
            assert!(rows.iter().all(|row| row.balance == row.events), "{rows:?}");
            seen.events(rows.iter().map(|row| row.events));
            let row = first::Balance::get(&store, &id).await.unwrap().unwrap();
            assert!(row.events >= EACH as i64, "{row:?}");
            let rich = first::Balance::by_balance_range(&store, EACH as i64.., 100).await;
            assert_eq!(rich.unwrap().len(), ACCOUNTS);
        }
    });
}

fn own(status: &TableStatus) -> TableVersion {
    status.own().cloned().expect("it has been run")
}

fn serves(status: &TableStatus) -> bool {
    status.own().is_some_and(|version| version.serving)
}

/// The old release's runner and look-ups are as good as ever.
async fn old_code_works<DB: Backend>(store: &EventStore<DB>) {
    let end = head(store).await;
    first::Balance::wait_for(store, end, PATIENCE)
        .await
        .unwrap();
    let rows = first::Balance::list(store, 100).await.unwrap();
    assert!(rows.iter().all(|row| row.balance == row.events), "{rows:?}");
    let events: i64 = rows.iter().map(|row| row.events).sum();
    assert!(events >= end, "{events} of {end} events");
}

/// Only a body changed. Code of the new release reads the rows of the old one until its own are
/// complete, then its own, and never a mixture.
async fn a_changed_body_is_rebuilt_under_load_and_rolled_back<DB: TestBackend>() {
    use doubled::Balance as New;

    let (store, ids, old, _database) = served_by_the_first::<DB>().await;
    let mut traffic = Traffic::of(&store, &ids);
    old_code_reads(&mut traffic, &store, &ids);
    let (seen, is_new) = (Arc::new(Seen::default()), Arc::new(AtomicBool::new(false)));
    {
        let (store, is_new) = (store.clone(), Arc::clone(&is_new));
        traffic.reader(move || {
            let (seen, store, is_new) = (Arc::clone(&seen), store.clone(), Arc::clone(&is_new));
            async move {
                // Read your writes, whichever version answers.
                let end = head(&store).await;
                New::wait_for(&store, end, PATIENCE).await.unwrap();
                let rows = New::list(&store, 100).await.unwrap();
                let events: i64 = rows.iter().map(|row| row.events).sum();
                assert!(events >= end, "{events} events after waiting for {end}");
                seen.events(rows.iter().map(|row| row.events));
                let of_new = rows
                    .iter()
                    .filter(|row| row.balance == 2 * row.events)
                    .count();
                let of_old = rows.iter().filter(|row| row.balance == row.events).count();
                let found_new = of_new == ACCOUNTS;
                assert!(found_new || of_old == ACCOUNTS, "a mixture: {rows:?}");
                let before = is_new.swap(found_new, Ordering::SeqCst);
                assert!(found_new || !before, "the old rows are back");
            }
        });
    }
    traffic.goes_on().await;
    assert!(!is_new.load(Ordering::SeqCst));

    let new = start(soon(New::runner(&store), "new").batch_size(50));
    until("the new version serves", || async {
        serves(&New::status(&store).await.unwrap())
    })
    .await;
    traffic.goes_on().await;
    old_code_works(&store).await;
    assert!(is_new.load(Ordering::SeqCst));

    // Rolled back: nobody runs the new release any more, and then again.
    stop(new).await;
    until("the first version serves again", || async {
        serves(&first::Balance::status(&store).await.unwrap())
    })
    .await;
    old_code_works(&store).await;
    let new = start(soon(New::runner(&store), "new"));
    until("the new version serves again", || async {
        serves(&New::status(&store).await.unwrap())
    })
    .await;
    traffic.goes_on().await;
    traffic.end().await;

    let end = head(&store).await;
    New::wait_for(&store, end, PATIENCE).await.unwrap();
    old_code_works(&store).await;
    for id in &ids {
        let one = first::Balance::get(&store, id).await.unwrap().unwrap();
        let two = New::get(&store, id).await.unwrap().unwrap();
        assert_eq!((two.events, two.balance), (one.events, 2 * one.balance));
    }
    stop(old).await;
    stop(new).await;
}

/// Columns changed. Code of the new release is told so until its table is complete, and reads that
/// from then on.
async fn changed_columns_are_rebuilt_under_load_and_rolled_back<DB: TestBackend>() {
    use reshaped::Balance as New;

    let (store, ids, old, _database) = served_by_the_first::<DB>().await;
    let mut traffic = Traffic::of(&store, &ids);
    old_code_reads(&mut traffic, &store, &ids);
    let (seen, is_new) = (Arc::new(Seen::default()), Arc::new(AtomicBool::new(false)));
    {
        let (store, is_new, id) = (store.clone(), Arc::clone(&is_new), ids[0]);
        traffic.reader(move || {
            let (seen, store, is_new) = (Arc::clone(&seen), store.clone(), Arc::clone(&is_new));
            async move {
                let rows = match New::list(&store, 100).await {
                    Ok(rows) => rows,
                    Err(error) => {
                        let not_ready = matches!(error, EventStoreError::TableNotReady { .. });
                        assert!(not_ready, "{error:?}");
                        assert!(!is_new.load(Ordering::SeqCst), "it was ready: {error}");
                        return;
                    }
                };
                is_new.store(true, Ordering::SeqCst);
                for row in &rows {
                    assert_eq!(row.balance, row.events.to_string());
                    assert_eq!(row.changed, Some(row.events));
                }
                seen.events(rows.iter().map(|row| row.events));
                New::get(&store, &id).await.unwrap().unwrap();
                let many = New::by_events_range(&store, EACH as i64.., 100)
                    .await
                    .unwrap();
                assert_eq!(many.len(), ACCOUNTS);
            }
        });
    }
    traffic.goes_on().await;
    assert!(!is_new.load(Ordering::SeqCst));

    let new = start(soon(New::runner(&store), "new").batch_size(50));
    until("the new version serves", || async {
        serves(&New::status(&store).await.unwrap())
    })
    .await;
    traffic.goes_on().await;
    old_code_works(&store).await;
    assert!(is_new.load(Ordering::SeqCst));

    stop(new).await;
    until("the first version serves again", || async {
        serves(&first::Balance::status(&store).await.unwrap())
    })
    .await;
    old_code_works(&store).await;
    traffic.goes_on().await;
    let new = start(soon(New::runner(&store), "new"));
    until("the new version serves again", || async {
        serves(&New::status(&store).await.unwrap())
    })
    .await;
    traffic.end().await;

    New::wait_for(&store, head(&store).await, PATIENCE)
        .await
        .unwrap();
    old_code_works(&store).await;
    for id in &ids {
        let one = first::Balance::get(&store, id).await.unwrap().unwrap();
        let two = New::get(&store, id).await.unwrap().unwrap();
        assert_eq!(
            (two.events, two.balance),
            (one.events, one.balance.to_string())
        );
    }
    stop(old).await;
    stop(new).await;
}

/// Its position, its rate and the time that is left show while it builds, it goes on from where it
/// was stopped, and the old release notices nothing.
async fn a_rebuild_says_how_far_it_is_and_goes_on_after_a_stop<DB: TestBackend>() {
    use reshaped::Balance as New;

    let (store, ids, old, _database) = served_by_the_first::<DB>().await;
    let mut reached = 0;
    for _ in 0..3 {
        let new = start(soon(New::runner(&store), "new").batch_size(1));
        // A rate needs some time to have passed, and SQLite's clock counts milliseconds.
        let seen = std::sync::Mutex::new(None);
        until("it comes forward at some rate", || async {
            let status = New::status(&store).await.unwrap();
            let version = status.own().cloned();
            let position = version.as_ref().map_or(reached, |it| it.position);
            assert!(position >= reached, "from {reached} back to {position}");
            let further = version.filter(|it| it.position > reached && it.rate.is_some());
            *seen.lock().unwrap() = further.map(|version| (status, version));
            seen.lock().unwrap().is_some()
        })
        .await;
        stop(new).await;
        let (status, building) = seen.into_inner().unwrap().unwrap();
        assert!(
            building.own && building.live && !building.serving,
            "{building:?}"
        );
        assert_eq!(
            (status.head, building.lag),
            (FIRST, FIRST - building.position)
        );
        assert!(building.left > Some(Duration::ZERO), "{building:?}");
        let first = status.serving().expect("the old version serves");
        assert_eq!((first.own, first.lag), (false, 0), "{first:?}");

        let stopped = own(&New::status(&store).await.unwrap());
        assert!(!stopped.live && stopped.ready_at.is_none(), "{stopped:?}");
        assert!(
            (building.position..FIRST).contains(&stopped.position),
            "{stopped:?}"
        );
        let error = New::get(&store, &ids[0]).await.unwrap_err();
        let not_ready = matches!(error, EventStoreError::TableNotReady { .. });
        assert!(not_ready, "{error:?}");
        old_code_works(&store).await;
        reached = stopped.position;
    }
    let new = start(soon(New::runner(&store), "new"));
    until("it serves", || async {
        let version = own(&New::status(&store).await.unwrap());
        assert!(version.position >= reached, "{version:?} after {reached}");
        version.serving
    })
    .await;
    New::wait_for(&store, FIRST, PATIENCE).await.unwrap();
    let rows = New::list(&store, 100).await.unwrap();
    assert_eq!(rows.len(), ACCOUNTS);
    for row in rows {
        assert_eq!((row.events, row.balance.as_str()), (100, "100"));
    }
    let done = own(&New::status(&store).await.unwrap());
    assert_eq!((done.lag, done.left), (0, Some(Duration::ZERO)));
    stop(new).await;
    stop(old).await;
}

conformance!(
    a_changed_body_is_rebuilt_under_load_and_rolled_back,
    changed_columns_are_rebuilt_under_load_and_rolled_back,
    a_rebuild_says_how_far_it_is_and_goes_on_after_a_stop,
);
