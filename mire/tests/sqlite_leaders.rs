//! Two processes on one SQLite file, one subscription: the leader is killed, or stopped for longer
//! than its lease lasts, within a transaction and outside of one.
#![cfg(feature = "sqlite")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::common::backends::TestBackend;
use crate::common::process::{self, Process, say};
use crate::common::projections::{
    append, caught_up, elsewhere, fast, leader, seen, until, with_seen,
};
use crate::common::{Account, AccountEvent, deposited};
use mire::{
    DbErrorKind, Event, EventStore, ExpectedVersion, HandledEvent, Sqlite, StoreOptions,
    TransactionalEventHandler,
};

/// `fast` has a ttl of 2 s and a recheck of 200 ms; the rest is for a loaded machine.
const TTL: Duration = Duration::from_secs(2);
const TAKE_OVER: Duration = Duration::from_millis(2200 + 1500);

/// A handler at this amount stays in its transaction for longer than the lease lasts.
const LONG: i64 = 1_000_013;

struct Slow {
    worker: String,
}

impl TransactionalEventHandler<Sqlite> for Slow {
    type Aggregate = Account;

    async fn handle(
        &self,
        event: HandledEvent<AccountEvent>,
        conn: &mut sqlx::SqliteConnection,
    ) -> anyhow::Result<()> {
        Sqlite::note(conn, &event, &self.worker).await?;
        let pause = if event.event == deposited(LONG) {
            say("inside");
            TTL + TTL / 2
        } else {
            Duration::from_millis(2)
        };
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

#[tokio::test]
async fn child_that_runs() {
    let Some((url, worker)) = process::child() else {
        return;
    };
    let store = mire::open::<Sqlite>(&url).await.unwrap();
    process::run(fast(&store, &worker).subscribe_transactional("s", Slow { worker })).await;
}

fn url(store: &EventStore<Sqlite>) -> String {
    let options = store.pool().connect_options();
    format!("sqlite:{}", options.get_filename().display())
}

async fn leads(store: &EventStore<Sqlite>, worker: &str, token: i64) {
    until(worker, || async {
        leader(store, "s").await == Some((worker.to_owned(), token))
    })
    .await;
}

/// Every event of the log took effect once, whoever handled it.
async fn assert_exactly_once(store: &EventStore<Sqlite>) {
    let log = store.read_all_after(0, 100_000).await.unwrap();
    let log: Vec<(String, i64)> = log
        .into_iter()
        .map(|event| (event.stream_id, event.stream_version))
        .collect();
    assert_eq!(seen(store).await, log);
}

async fn handled_by(store: &EventStore<Sqlite>, worker: &str) -> i64 {
    let count = "SELECT count(*) FROM seen WHERE worker = $1";
    let count = sqlx::query_scalar(count).bind(worker);
    count.fetch_one(store.pool()).await.unwrap()
}

/// Tries to write for a short time only.
async fn can_write(store: &EventStore<Sqlite>, stream: &str) -> bool {
    let options = store.pool().connect_options().as_ref().clone();
    let pool = sqlx::pool::PoolOptions::new()
        .connect_lazy_with(options.busy_timeout(Duration::from_millis(100)));
    let soon = StoreOptions::default().lock_timeout(Duration::from_millis(200));
    let events = [Event::new(deposited(1))];
    let appended = EventStore::<Sqlite>::with_options(pool, soon)
        .append(stream, "account", ExpectedVersion::Any, &events)
        .await;
    if let Err(error) = &appended {
        assert_eq!(error.db_kind(), Some(DbErrorKind::LockTimeout), "{error:?}");
    }
    appended.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_leaders_are_replaced_within_the_bound_and_each_event_takes_effect_once() {
    let (store, _folder) = with_seen::<Sqlite>().await;
    let stop = Arc::new(AtomicBool::new(false));
    let load = tokio::spawn({
        let (store, stop) = (elsewhere(&store, 2), Arc::clone(&stop));
        async move {
            let mut n = 0;
            while !stop.load(Ordering::SeqCst) {
                append(&store, &format!("account-{}", n % 7), [n]).await;
                n += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    });
    let mut leading = Process::start(module_path!(), &url(&store), "worker-1");
    leads(&store, "worker-1", 1).await;
    for token in 2..=4 {
        let next = format!("worker-{token}");
        let following = Process::start(module_path!(), &url(&store), &next);
        tokio::time::sleep(Duration::from_millis(500)).await;
        let position = store.checkpoint("s").await.unwrap();
        assert!(position > Some(0), "it was at work: {position:?}");
        leading.kill();
        let died = Instant::now();
        leads(&store, &next, token).await;
        let took = died.elapsed();
        assert!(took < TAKE_OVER, "{next} took over after {took:?}");
        leading = following;
    }
    stop.store(true, Ordering::SeqCst);
    load.await.unwrap();
    caught_up(&store).await;
    assert_exactly_once(&store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_killed_within_its_transaction_commits_nothing_of_it() {
    let (store, _folder) = with_seen::<Sqlite>().await;
    let a = Process::start(module_path!(), &url(&store), "a");
    leads(&store, "a", 1).await;
    append(&store, "account-1", 1..=3).await;
    caught_up(&store).await;
    append(&store, "account-1", [LONG, 5]).await;
    a.hear("inside");
    a.kill();
    let b = Process::start(module_path!(), &url(&store), "b");
    b.hear("inside");
    caught_up(&store).await;
    assert_exactly_once(&store).await;
    assert_eq!(handled_by(&store, "a").await, 3);
    assert_eq!(leader(&store, "s").await, Some(("b".to_owned(), 2)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_was_stopped_within_its_transaction_still_leads_when_it_goes_on() {
    let (store, _folder) = with_seen::<Sqlite>().await;
    let a = Process::start(module_path!(), &url(&store), "a");
    leads(&store, "a", 1).await;
    let _b = Process::start(module_path!(), &url(&store), "b");
    append(&store, "account-1", 1..=3).await;
    caught_up(&store).await;

    append(&store, "account-1", [LONG, 5]).await;
    a.hear("inside");
    a.signal("-STOP");
    tokio::time::sleep(TTL * 2).await;
    // Nobody can write, so nobody can take over; reading goes on.
    assert!(!can_write(&store, "account-2").await);
    assert_eq!(seen(&store).await.len(), 3);
    assert_eq!(leader(&store, "s").await, None, "it shows as expired");
    a.signal("-CONT");
    caught_up(&store).await;
    assert_exactly_once(&store).await;
    assert_eq!(handled_by(&store, "a").await, 5);
    assert_eq!(leader(&store, "s").await, Some(("a".to_owned(), 1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_was_stopped_between_transactions_is_replaced_and_commits_nothing() {
    let (store, _folder) = with_seen::<Sqlite>().await;
    let a = Process::start(module_path!(), &url(&store), "a");
    leads(&store, "a", 1).await;
    append(&store, "account-1", 1..=3).await;
    caught_up(&store).await;
    let b = Process::start(module_path!(), &url(&store), "b");
    // Not in the middle of a heartbeat, which would hold the file.
    let mut tries = 0;
    loop {
        a.signal("-STOP");
        if can_write(&store, "account-2").await {
            break;
        }
        a.signal("-CONT");
        tokio::time::sleep(Duration::from_millis(100)).await;
        tries += 1;
        assert!(tries < 20, "it is always in a transaction");
    }
    let stopped = Instant::now();
    leads(&store, "b", 2).await;
    assert!(stopped.elapsed() < TAKE_OVER, "{:?}", stopped.elapsed());
    caught_up(&store).await;

    a.signal("-CONT");
    for n in 1..=5 {
        append(&store, "account-2", [n]).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    caught_up(&store).await;
    assert_exactly_once(&store).await;
    assert_eq!(handled_by(&store, "a").await, 3);
    assert_eq!(leader(&store, "s").await, Some(("b".to_owned(), 2)));

    // And it is as good a follower as any.
    b.kill();
    leads(&store, "a", 3).await;
    append(&store, "account-2", 6..=8).await;
    caught_up(&store).await;
    assert_exactly_once(&store).await;
    assert_eq!(handled_by(&store, "a").await, 6);
}
