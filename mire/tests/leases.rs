//! Leases on a real server: who may lead, who may commit, and who hears of it.
#![cfg(feature = "postgres")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::common::backends::TestBackend;
use crate::common::projections::{
    CREATE_SEEN, Plain, Writer, append, caught_up, fast, leader, seen, start, stop, until,
};
use crate::common::{Account, AccountEvent};
use mire::{
    EventHandler, EventStore, FailurePolicy, HandledEvent, Postgres, Subscription,
    TransactionalEventHandler,
};
use mire_testkit::TestDatabase;
use sqlx::{PgConnection, PgPool};
use tokio::sync::Semaphore;

conformance!(a_release_wakes_a_follower_of_the_same_process);

async fn a_release_wakes_a_follower_of_the_same_process<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let patient = |worker| {
        fast(&store, worker)
            .lease_ttl(Duration::from_secs(120))
            .lease_recheck_interval(Duration::from_secs(120))
            .subscribe("s", Plain::new())
    };
    let a = start(patient("a"));
    until("a leads", || async { leader(&store, "s").await.is_some() }).await;
    let b = start(patient("b"));
    // Long enough for b to have looked, and to wait for the next time.
    tokio::time::sleep(Duration::from_millis(700)).await;
    stop(a).await;
    until("b leads", || async {
        leader(&store, "s").await == Some(("b".into(), 2))
    })
    .await;
    stop(b).await;
}

async fn set_up() -> (EventStore, TestDatabase) {
    let (store, database) = crate::common::store().await;
    sqlx::raw_sql(CREATE_SEEN)
        .execute(store.pool())
        .await
        .unwrap();
    (store, database)
}

async fn listeners(store: &EventStore) -> i64 {
    let listening = "SELECT count(*) FROM pg_stat_activity
                      WHERE datname = current_database()
                        AND application_name LIKE '%mire listener%' AND query LIKE '%LISTEN%'";
    Postgres::number(store, listening).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_is_heard_by_other_processes_at_once() {
    let (store, database) = set_up().await;
    let far = EventStore::new(PgPool::connect(database.url()).await.unwrap());
    let patient = |store, worker| {
        fast(store, worker)
            .lease_ttl(Duration::from_secs(120))
            .lease_recheck_interval(Duration::from_secs(120))
            .subscribe("s", Plain::new())
    };
    let a = start(patient(&store, "a"));
    until("a leads", || async { leader(&store, "s").await.is_some() }).await;
    let b = start(patient(&far, "b"));
    until("b listens", || async { listeners(&store).await == 2 }).await;
    // It looks once more when it has begun to listen.
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop(a).await;
    let released = Instant::now();
    until("b leads", || async {
        leader(&store, "s").await == Some(("b".into(), 2))
    })
    .await;
    assert!(released.elapsed() < Duration::from_secs(5));
    stop(b).await;
}

/// The leader that loses its lease by it may be at rest, and would not notice for a third of its ttl.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_is_heard_by_followers_in_other_processes_at_once() {
    let (store, database) = set_up().await;
    let far = EventStore::new(PgPool::connect(database.url()).await.unwrap());
    append(&store, "account-1", [1, 2]).await;
    let patient = |store, worker, plain| {
        fast(store, worker)
            .poll_interval(Duration::from_secs(600))
            .lease_ttl(Duration::from_secs(600))
            .lease_recheck_interval(Duration::from_secs(600))
            .subscribe("s", plain)
    };
    let (first, second) = (Plain::new(), Plain::new());
    let a = start(patient(&far, "a", first));
    caught_up(&store).await;
    let follower = EventStore::new(PgPool::connect(database.url()).await.unwrap());
    let b = start(patient(&follower, "b", second.clone()));
    until("both listen", || async { listeners(&store).await == 2 }).await;
    // It looks once more when it has begun to listen.
    tokio::time::sleep(Duration::from_millis(300)).await;
    store.reset_checkpoint("s", 1).await.unwrap();
    until("a replay", || async { second.got() == [2] }).await;
    stop(a).await;
    stop(b).await;
}

/// Nor does a leader have to look for what is asked of it elsewhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_of_a_leader_of_another_process_is_done_at_once() {
    let (store, database) = set_up().await;
    let far = EventStore::new(PgPool::connect(database.url()).await.unwrap());
    append(&store, "account-1", [1, 2]).await;
    let failing = Arc::new(AtomicBool::new(true));
    let plain = {
        let failing = Arc::clone(&failing);
        Writer::with(move |n| (n == 2 && failing.load(Ordering::SeqCst)).then_some("panic"))
    };
    let subscription = Subscription::new("s")
        .on_failure(FailurePolicy::Park)
        .max_attempts(1);
    let patient = fast(&far, "a")
        .poll_interval(Duration::from_secs(600))
        .lease_ttl(Duration::from_secs(600))
        .lease_recheck_interval(Duration::from_secs(600))
        .subscribe_transactional(subscription, plain);
    let running = start(patient);
    caught_up(&store).await;
    until("it listens", || async { listeners(&store).await == 1 }).await;
    failing.store(false, Ordering::SeqCst);
    // It looks once more when it has begun to listen.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(store.retry_parked("s", "account-1").await.unwrap(), 1);
    until("nothing is parked", || async {
        store.parked("s", 0, 1).await.unwrap().is_empty()
    })
    .await;
    assert_eq!(
        Postgres::number(&store, "SELECT count(*) FROM seen").await,
        2
    );
    stop(running).await;
}

/// The user's own work may take every connection of the pool for as long as it likes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_without_a_free_connection_costs_no_lease() {
    let (store, database) = set_up().await;
    let far = EventStore::new(PgPool::connect(database.url()).await.unwrap());
    let running = start(fast(&store, "a").subscribe("s", Plain::new()));
    until("a leads", || async { leader(&far, "s").await.is_some() }).await;
    let mut taken = Vec::new();
    for _ in 0..store.pool().options().get_max_connections() {
        taken.push(store.pool().acquire().await.unwrap());
    }
    let status = || async {
        let status = mire::lease::status(far.pool(), "s").await.unwrap();
        status.unwrap()
    };
    let since = status().await.heartbeat_at;
    // Longer than the ttl, twice.
    until("heartbeats", || async {
        (status().await.heartbeat_at - since).num_seconds() >= 5
    })
    .await;
    assert_eq!(leader(&far, "s").await, Some(("a".into(), 1)));
    drop(taken);
    append(&far, "account-1", [1]).await;
    caught_up(&far).await;
    assert_eq!(leader(&far, "s").await, Some(("a".into(), 1)));
    stop(running).await;
}

/// Notes the event, then waits until it may go on.
struct Held {
    worker: &'static str,
    go: Arc<Semaphore>,
    calls: Arc<AtomicUsize>,
}

impl TransactionalEventHandler for Held {
    type Aggregate = Account;

    async fn handle(
        &self,
        event: HandledEvent<AccountEvent>,
        conn: &mut PgConnection,
    ) -> anyhow::Result<()> {
        Postgres::note(conn, &event, self.worker).await?;
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.go.acquire().await?.forget();
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_whose_lease_was_taken_commits_nothing_also_when_nobody_moved_on() {
    let (store, _database) = set_up().await;
    append(&store, "account-1", [1]).await;
    let held = |worker| Held {
        worker,
        go: Arc::new(Semaphore::new(0)),
        calls: Arc::default(),
    };
    // Neither its heartbeats nor its own clock tell the old leader anything.
    let slow = |worker| fast(&store, worker).lease_ttl(Duration::from_secs(120));
    let old = held("old");
    let (go_old, calls_old) = (Arc::clone(&old.go), Arc::clone(&old.calls));
    let a = start(slow("old").subscribe_transactional("s", old));
    until("the old one is at it", || async {
        calls_old.load(Ordering::SeqCst) == 1
    })
    .await;
    sqlx::raw_sql("UPDATE mire_leases SET leased_until = clock_timestamp()")
        .execute(store.pool())
        .await
        .unwrap();
    let new = held("new");
    let (go_new, calls_new) = (Arc::clone(&new.go), Arc::clone(&new.calls));
    let b = start(slow("new").subscribe_transactional("s", new));
    until("the new one is at it", || async {
        calls_new.load(Ordering::SeqCst) == 1
    })
    .await;

    // The checkpoint is where the old one takes it to be. Only the token is not.
    go_old.add_permits(1);
    until("the old one is through", || async {
        go_old.available_permits() == 0
    })
    .await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(seen(&store).await, []);
    assert_eq!(store.checkpoint("s").await.unwrap(), Some(0));
    assert_eq!(leader(&store, "s").await, Some(("new".into(), 2)));

    go_new.add_permits(1);
    caught_up(&store).await;
    assert_eq!(seen(&store).await.len(), 1);
    let by = "SELECT count(*) FROM seen WHERE worker = 'new'";
    assert_eq!(Postgres::number(&store, by).await, 1);
    stop(a).await;
    stop(b).await;
}

/// Stays in the first event, and says when it is dropped.
struct Endless {
    inside: Arc<AtomicBool>,
    dropped: Arc<AtomicBool>,
}

struct SaysDropped(Arc<AtomicBool>);

impl Drop for SaysDropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl EventHandler for Endless {
    type Aggregate = Account;

    async fn handle(&self, _: HandledEvent<AccountEvent>) -> anyhow::Result<()> {
        let _says = SaysDropped(Arc::clone(&self.dropped));
        self.inside.store(true, Ordering::SeqCst);
        std::future::pending().await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_cannot_extend_its_lease_stops_before_it_runs_out() {
    let (store, _database) = set_up().await;
    append(&store, "account-1", [1]).await;
    let (inside, dropped) = (Arc::new(AtomicBool::new(false)), Arc::default());
    let handler = Endless {
        inside: Arc::clone(&inside),
        dropped: Arc::clone(&dropped),
    };
    let running = start(fast(&store, "a").subscribe("s", handler));
    until("the handler runs", || async {
        inside.load(Ordering::SeqCst)
    })
    .await;
    // As long as heartbeats come through, it may stay.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert!(!dropped.load(Ordering::SeqCst));

    // Somebody locks the row: heartbeats are answered, and extend nothing.
    let mut lock = store.pool().begin().await.unwrap();
    sqlx::raw_sql("SELECT * FROM mire_leases FOR UPDATE")
        .execute(&mut *lock)
        .await
        .unwrap();
    until("the handler is dropped", || async {
        dropped.load(Ordering::SeqCst)
    })
    .await;
    let status = mire::lease::status(store.pool(), "s").await.unwrap();
    assert!(status.unwrap().live, "it stops first, then the lease ends");
    lock.rollback().await.unwrap();
    // It leads again, under a larger token.
    until("it leads again", || async {
        leader(&store, "s").await == Some(("a".into(), 2))
    })
    .await;
    running.0.cancel();
    running.1.abort();
}

/// Takes its time within the transaction, at the second event.
struct Slow {
    calls: Arc<AtomicUsize>,
}

impl TransactionalEventHandler for Slow {
    type Aggregate = Account;

    async fn handle(
        &self,
        event: HandledEvent<AccountEvent>,
        conn: &mut PgConnection,
    ) -> anyhow::Result<()> {
        Postgres::note(conn, &event, "a").await?;
        if event.stream_version() == 2 {
            self.calls.fetch_add(1, Ordering::SeqCst);
            sqlx::query("SELECT pg_sleep(5)").execute(conn).await?;
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_pool_and_a_slow_handler_lose_no_lease() {
    let (store, _database) = set_up().await;
    append(&store, "account-1", 1..=3).await;
    let calls = Arc::new(AtomicUsize::new(0));
    let handler = Slow {
        calls: Arc::clone(&calls),
    };
    let running = start(fast(&store, "a").subscribe_transactional("s", handler));
    until("the handler runs", || async {
        calls.load(Ordering::SeqCst) == 1
    })
    .await;
    // Nothing is left of the pool for two leases' time: whoever wants a connection of it stands in
    // line behind those that take what comes back.
    let all = store.pool().options().get_max_connections() as usize - 1;
    let (mut taken, started) = (Vec::new(), Instant::now());
    while started.elapsed() < Duration::from_secs(4) {
        let conn = tokio::time::timeout(Duration::from_millis(100), store.pool().acquire());
        taken.extend(conn.await.ok().map(Result::unwrap));
    }
    assert_eq!(taken.len(), all, "all but the handler's own");
    drop(taken);
    caught_up(&store).await;
    assert_eq!(calls.load(Ordering::SeqCst), 1, "it was handled once");
    assert_eq!(seen(&store).await.len(), 3);
    assert_eq!(leader(&store, "s").await, Some(("a".into(), 1)));
    stop(running).await;
}
