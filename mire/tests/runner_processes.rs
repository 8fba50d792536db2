//! Two processes, one subscription: the leader is killed, or stopped for longer than its lease
//! lasts. The test binary starts itself again as the other processes.
#![cfg(feature = "postgres")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::common::backends::TestBackend;
use crate::common::process::{self, Process, say};
use crate::common::projections::{CREATE_SEEN, append, caught_up, fast, leader, seen, until};
use crate::common::{Account, AccountEvent, deposited};
use mire::{EventStore, HandledEvent, Postgres, TransactionalEventHandler};
use sqlx::PgConnection;

/// `fast` has a ttl of 2 s and a recheck of 200 ms; the rest is for a loaded machine.
const TAKE_OVER: Duration = Duration::from_millis(2200 + 1500);

/// A handler at this amount stays in its transaction for a while, with the checkpoint locked and
/// nothing under way.
const IDLE_IN_TRANSACTION: i64 = 1_000_013;
/// And at this one, with a statement under way that outlasts the lease.
const BUSY_IN_TRANSACTION: i64 = 1_000_014;

struct Slow {
    worker: String,
}

impl TransactionalEventHandler for Slow {
    type Aggregate = Account;

    async fn handle(
        &self,
        event: HandledEvent<AccountEvent>,
        conn: &mut PgConnection,
    ) -> anyhow::Result<()> {
        // A lock that every leader wants, as on a row that they all update.
        sqlx::query("SELECT pg_advisory_xact_lock(1)")
            .execute(&mut *conn)
            .await?;
        Postgres::note(conn, &event, &self.worker).await?;
        if event.event == deposited(IDLE_IN_TRANSACTION) {
            // As if it were stopped between the checkpoint's statement and the commit: its successor
            // can't have the row before the server ends this transaction.
            sqlx::query("SELECT position FROM mire_checkpoints FOR UPDATE")
                .execute(conn)
                .await?;
            say("inside");
            tokio::time::sleep(Duration::from_secs(1)).await;
        } else if event.event == deposited(BUSY_IN_TRANSACTION) {
            say("inside");
            sqlx::query("SELECT pg_sleep(5)").execute(conn).await?;
        } else {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }
}

#[tokio::test]
async fn child_that_runs() {
    let Some((url, worker)) = process::child() else {
        return;
    };
    let store = EventStore::<Postgres>::open(&url).await.unwrap();
    process::run(fast(&store, &worker).subscribe_transactional("s", Slow { worker })).await;
}

/// A store with the table `seen`, and its URL.
async fn set_up() -> (EventStore, mire_testkit::TestDatabase) {
    let (store, database) = crate::common::store().await;
    sqlx::raw_sql(CREATE_SEEN)
        .execute(store.pool())
        .await
        .unwrap();
    (store, database)
}

/// Waits until `worker` leads under a token above `above`, and answers it. Mostly it is the next one,
/// but on a machine that stalls an acquisition can be answered when it is no longer to be trusted,
/// and then the worker acquires anew.
async fn leads(store: &EventStore, worker: &str, above: i64) -> i64 {
    let found = std::sync::atomic::AtomicI64::new(0);
    until(worker, || async {
        let leader = leader(store, "s").await;
        let token = leader.filter(|(leader, token)| leader == worker && *token > above);
        token
            .inspect(|(_, token)| found.store(*token, Ordering::SeqCst))
            .is_some()
    })
    .await;
    found.into_inner()
}

/// Every event of the log took effect once, whoever handled it.
async fn assert_exactly_once(store: &EventStore) {
    let log = store.read_all_after(0, 100_000).await.unwrap();
    let log: Vec<(String, i64)> = log
        .into_iter()
        .map(|event| (event.stream_id, event.stream_version))
        .collect();
    let seen = seen(store).await;
    assert_eq!(seen.len(), log.len());
    assert_eq!(seen, log);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_leaders_are_replaced_within_the_bound_and_each_event_takes_effect_once() {
    let (store, database) = set_up().await;
    let stop = Arc::new(AtomicBool::new(false));
    let load = tokio::spawn({
        let (store, stop) = (store.clone(), Arc::clone(&stop));
        async move {
            let mut n = 0;
            while !stop.load(Ordering::SeqCst) {
                append(&store, &format!("account-{}", n % 7), [n]).await;
                n += 1;
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
        }
    });
    let mut leading = Process::start(module_path!(), database.url(), "worker-1");
    let mut token = leads(&store, "worker-1", 0).await;
    for n in 2..=4 {
        let next = format!("worker-{n}");
        let following = Process::start(module_path!(), database.url(), &next);
        let found = store.checkpoint("s").await.unwrap();
        until("the leader is at work", || async {
            store.checkpoint("s").await.unwrap() > found.max(Some(0))
        })
        .await;
        leading.kill();
        let died = Instant::now();
        token = leads(&store, &next, token).await;
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
async fn a_leader_that_was_stopped_idle_in_its_transaction_commits_nothing() {
    stopped(IDLE_IN_TRANSACTION).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_was_stopped_busy_in_its_transaction_commits_nothing() {
    stopped(BUSY_IN_TRANSACTION).await;
}

/// Stops the leader's process within a handler, and wakes it when another one leads.
async fn stopped(amount: i64) {
    let (store, database) = set_up().await;
    let a = Process::start(module_path!(), database.url(), "a");
    let token_of_a = leads(&store, "a", 0).await;
    append(&store, "account-1", 1..=5).await;
    caught_up(&store).await;

    append(&store, "account-1", [amount, 6]).await;
    a.hear("inside");
    a.signal("-STOP");
    let stopped = Instant::now();
    assert_eq!(seen(&store).await.len(), 5, "it was stopped too late");
    let b = Process::start(module_path!(), database.url(), "b");
    let token_of_b = leads(&store, "b", token_of_a).await;
    assert!(stopped.elapsed() < TAKE_OVER, "{:?}", stopped.elapsed());
    if amount == BUSY_IN_TRANSACTION {
        // The same event holds its successor up for as long. Wake the old leader meanwhile.
        b.hear("inside");
    } else {
        caught_up(&store).await;
    }

    a.signal("-CONT");
    append(&store, "account-2", 1..=5).await;
    caught_up(&store).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_exactly_once(&store).await;
    let by = "SELECT count(*) FROM seen WHERE worker = 'a'";
    assert_eq!(Postgres::number(&store, by).await, 5);
    assert_eq!(
        leader(&store, "s").await,
        Some(("b".to_owned(), token_of_b))
    );

    // And it is as good a follower as any.
    b.kill();
    leads(&store, "a", token_of_b).await;
    append(&store, "account-2", 6..=8).await;
    caught_up(&store).await;
    assert_exactly_once(&store).await;
    assert_eq!(Postgres::number(&store, by).await, 8);
}
