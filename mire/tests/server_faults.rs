//! Connections that the server ends, and a server that goes away and comes back: slower, never
//! wrong.
#![cfg(feature = "postgres")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::common::backends::TestBackend;
use crate::common::projections::{
    CREATE_SEEN, PATIENCE, Plain, Running, Writer, append, caught_up, fast, leader, seen, seen_of,
    start, stop, until,
};
use crate::common::proxy;
use crate::common::tables::Balance;
use crate::common::{Account, AccountEvent, deposited};
use mire::{
    AggregateRoot, Append, Event, EventStore, ExpectedVersion, FailurePolicy, HandledEvent,
    Postgres, Subscription, TransactionalEventHandler,
};
use mire_testkit::{ClusterOptions, PrivateCluster, StopMode, TestDatabase};
use sqlx::{PgConnection, PgPool};

async fn set_up() -> (EventStore, TestDatabase) {
    let (store, database) = crate::common::store().await;
    sqlx::raw_sql(CREATE_SEEN)
        .execute(store.pool())
        .await
        .unwrap();
    (store, database)
}

/// Ends the connections of this name, and says how many they were.
async fn end_connections(pool: &PgPool, name: &str) -> usize {
    sqlx::query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND application_name LIKE '%' || $1 || '%'",
    )
    .bind(name)
    .fetch_all(pool)
    .await
    .unwrap()
    .len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heartbeats_find_another_connection_in_time() {
    let (store, _database) = set_up().await;
    // Long enough that a busy machine connects anew and renews in time.
    let ttl = Duration::from_secs(4);
    let runner = fast(&store, "a").lease_ttl(ttl);
    let running = start(runner.subscribe_transactional("s", Writer::new()));
    until("a leads", || async { leader(&store, "s").await.is_some() }).await;
    let started = Instant::now();
    let mut ended = 0;
    while started.elapsed() < ttl * 2 + ttl / 4 {
        ended += end_connections(store.pool(), "mire heartbeat").await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert!(ended >= 5, "{ended} connections were there to be ended");
    assert_eq!(leader(&store, "s").await, Some(("a".into(), 1)));
    append(&store, "account-1", 1..=3).await;
    caught_up(&store).await;
    assert_eq!(seen(&store).await.len(), 3);
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_told_while_nobody_listened_is_looked_for() {
    let (store, database) = set_up().await;
    let far = EventStore::new(PgPool::connect(database.url()).await.unwrap());
    // No poll comes to the rescue.
    let slow_poll = fast(&far, "a").poll_interval(Duration::from_secs(120));
    let running = start(slow_poll.subscribe_transactional("s", Writer::new()));
    until("a leads", || async { leader(&store, "s").await.is_some() }).await;
    for n in 1..=5 {
        until("a listener", || async {
            end_connections(store.pool(), "mire listener").await == 1
        })
        .await;
        append(&store, "account-1", [n]).await;
        until("the event", || async {
            seen(&store).await.len() as i64 == n
        })
        .await;
    }
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_could_not_be_told_is_told_again() {
    let (store, database) = set_up().await;
    let far = EventStore::new(PgPool::connect(database.url()).await.unwrap());
    // No poll comes to the rescue.
    let slow_poll = fast(&far, "a").poll_interval(Duration::from_secs(600));
    let running = start(slow_poll.subscribe_transactional("s", Writer::new()));
    until("a leads", || async { leader(&store, "s").await.is_some() }).await;
    append(&store, "account-1", [1]).await;
    caught_up(&store).await;
    for n in 2..=5 {
        until("a notifier", || async {
            end_connections(store.pool(), "mire notifier").await == 1
        })
        .await;
        append(&store, "account-1", [n]).await;
        caught_up(&store).await;
        assert_eq!(seen(&store).await.len() as i64, n);
    }
    stop(running).await;
}

/// A table of the same name is a mistake, and takes the name; what its other owner has yet to do is not
/// lost by it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failure_a_leader_goes_on_from_its_own_checkpoint() {
    let (store, _database) = set_up().await;
    let run = async |sql: &'static str| {
        sqlx::raw_sql(sql).execute(store.pool()).await.unwrap();
    };
    let acting = Plain::new();
    let running = start(fast(&store, "a").subscribe("balances", acting.clone()));
    append(&store, "account-1", [1]).await;
    until("it acts", || async { acting.got() == [1] }).await;
    run("CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN RAISE EXCEPTION 'it breaks' USING ERRCODE = '08006'; END $$;
         CREATE TRIGGER fail BEFORE UPDATE ON mire_checkpoints FOR EACH ROW
         WHEN (NEW.subscription_id = 'balances') EXECUTE FUNCTION fail()")
    .await;
    append(&store, "account-1", [2, 3]).await;
    let far = EventStore::new(store.pool().clone());
    let table = start(fast(&far, "b").subscribe_table::<Balance<1>>());
    store
        .wait_for("balances@00000001", 3, PATIENCE)
        .await
        .unwrap();
    // It fails on while the table is ahead.
    let tried = acting.got().len();
    until("it has tried again", || async {
        acting.got().len() > tried + 2
    })
    .await;
    run("DROP TRIGGER fail ON mire_checkpoints").await;
    until("its own checkpoint is there", || async {
        let own = "SELECT position FROM mire_checkpoints WHERE subscription_id = 'balances'";
        <Postgres as TestBackend>::number(&store, own).await == 3
    })
    .await;
    stop(table).await;
    stop(running).await;
}

/// Ends every connection to the database but that of `pool`, and waits until they are gone.
async fn end_all_connections(pool: &PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let others = "FROM pg_stat_activity
                  WHERE datname = current_database() AND pid <> pg_backend_pid()";
    loop {
        let ended = format!("SELECT count(pg_terminate_backend(pid)) {others}");
        let left: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(ended))
            .fetch_one(&mut *conn)
            .await
            .unwrap();
        if left == 0 {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_end_between_two_calls_are_no_error_of_the_next() {
    let (store, database) = set_up().await;
    let direct = PgPool::connect(database.url()).await.unwrap();
    let mut root = AggregateRoot::<Account>::new("ann");
    for n in 1..=10 {
        // Each leaves a connection behind that has just answered.
        root.record(deposited(1));
        store.save(&mut root).await.unwrap();
        end_all_connections(&direct).await;
        root.record(deposited(1));
        store.save(&mut root).await.unwrap();
        end_all_connections(&direct).await;
        let loaded = store.load::<Account>("ann").await.unwrap().unwrap();
        assert_eq!((loaded.version, loaded.state.balance), (2 * n, 2 * n));
        end_all_connections(&direct).await;
        let keyed = Append::new("account-keyed", ExpectedVersion::Any).unwrap();
        let keyed = keyed.idempotency_key(format!("{n}"));
        let keyed = keyed.event(&Event::new(deposited(1))).unwrap();
        let appended = store.append_all([keyed]).await.unwrap();
        assert_eq!((appended[0].version, appended[0].repeated), (n, false));
    }
}

/// Ends its own connection at each tenth event, once.
struct Unlucky {
    last: AtomicI64,
}

impl TransactionalEventHandler for Unlucky {
    type Aggregate = Account;

    async fn handle(
        &self,
        event: HandledEvent<AccountEvent>,
        conn: &mut PgConnection,
    ) -> anyhow::Result<()> {
        Postgres::note(conn, &event, "a").await?;
        let version = event.stream_version();
        if version % 10 == 0 && self.last.swap(version, Ordering::SeqCst) != version {
            sqlx::query("SELECT pg_terminate_backend(pg_backend_pid())")
                .execute(conn)
                .await?;
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handlers_lost_connection_is_no_failure_of_the_event() {
    let (store, _database) = set_up().await;
    append(&store, "account-1", 1..=35).await;
    // If it were, the first would stop the runner.
    let subscription = Subscription::new("s")
        .max_attempts(1)
        .on_failure(FailurePolicy::Stop);
    let last = AtomicI64::new(0);
    let running = start(
        fast(&store, "a")
            .batch_size(12)
            .subscribe_transactional(subscription, Unlucky { last }),
    );
    caught_up(&store).await;
    let versions = seen_of(&store, "account-1").await;
    assert_eq!(versions, (1..=35).collect::<Vec<_>>());
    assert_eq!(leader(&store, "s").await, Some(("a".into(), 1)));
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_end_at_random_under_load_lose_and_double_nothing() {
    let (store, _database) = set_up().await;
    let load = Load::start(&store, 4);
    let a = start(fast(&store, "a").subscribe_transactional("s", Writer::new()));
    let b = start(fast(&store, "b").subscribe_transactional("s", Writer::new()));
    let started = Instant::now();
    let mut dice = crate::common::Dice::new(7);
    let mut ended = 0;
    while started.elapsed() < Duration::from_secs(6) {
        // Any but our own: heartbeats, listeners, leases, appends, handlers, reads.
        let killed = sqlx::query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
              WHERE datname = current_database() AND pid <> pg_backend_pid()
              ORDER BY random() LIMIT $1",
        )
        .bind(1 + dice.roll(3) as i64)
        .fetch_all(store.pool())
        .await;
        ended += killed.map_or(0, |rows| rows.len());
        tokio::time::sleep(Duration::from_millis(20 + dice.roll(60))).await;
    }
    assert!(ended > 50, "{ended}");
    load.end(&store).await;
    stop_running(a).await;
    stop_running(b).await;
}

/// Stops a runner that has not ended by itself.
async fn stop_running(running: Running) {
    if running.1.is_finished() {
        panic!("the runner ended by itself: {:?}", running.1.await);
    }
    stop(running).await;
}

/// Tasks that append one event after the other, each until it is acknowledged.
struct Load {
    end: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    fn start(store: &EventStore, tasks: usize) -> Self {
        let (end, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let tasks = (0..tasks)
            .map(|task| {
                let (store, end) = (store.clone(), Arc::clone(&end));
                let acknowledged: Arc<AtomicUsize> = Arc::clone(&acknowledged);
                tokio::spawn(async move {
                    for n in 0.. {
                        if end.load(Ordering::SeqCst) {
                            return;
                        }
                        let append =
                            Append::new(&format!("account-{task}-{}", n % 3), ExpectedVersion::Any)
                                .unwrap()
                                .idempotency_key(format!("{n}"))
                                .event(&Event::new(deposited(n)))
                                .unwrap();
                        while let Err(error) = store.append_all([append.clone()]).await {
                            assert!(error.is_retryable(), "{error:?}");
                            tokio::time::sleep(Duration::from_millis(20)).await;
                        }
                        acknowledged.fetch_add(1, Ordering::SeqCst);
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                })
            })
            .collect();
        Self {
            end,
            acknowledged,
            tasks,
        }
    }

    /// Ends it, and checks that the log has each event once and that each took effect once, in the
    /// order of the log.
    async fn end(self, store: &EventStore) {
        self.end.store(true, Ordering::SeqCst);
        for task in self.tasks {
            task.await.unwrap();
        }
        let acknowledged = self.acknowledged.load(Ordering::SeqCst);
        assert!(acknowledged > 50, "{acknowledged} is too little of a load");
        let log = store.read_all_after(0, 100_000).await.unwrap();
        let log: Vec<(String, i64)> = log
            .into_iter()
            .map(|event| (event.stream_id, event.stream_version))
            .collect();
        assert_eq!(log.len(), acknowledged, "in the log, once");
        caught_up(store).await;
        assert_eq!(seen(store).await, log, "took effect, once");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_crashes_under_load_is_waited_for() {
    let (cluster, store) = private().await;
    let load = Load::start(&store, 4);
    let a = start(fast(&store, "a").subscribe_transactional("s", Writer::new()));
    let b = start(fast(&store, "b").subscribe_transactional("s", Writer::new()));
    until("one leads", || async {
        leader(&store, "s").await.is_some()
    })
    .await;
    // Back before the lease has run out, and long after.
    for away in [Duration::ZERO, Duration::from_secs(3)] {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let before = store.checkpoint("s").await.unwrap().unwrap_or(0);
        let crash = tokio::task::block_in_place(|| cluster.stop(StopMode::Immediate));
        crash.unwrap();
        tokio::time::sleep(away).await;
        tokio::task::block_in_place(|| cluster.start_again()).unwrap();
        let back = Instant::now();
        until("progress", || async {
            let position = store.checkpoint("s").await;
            position.is_ok_and(|position| position > Some(before + 20))
        })
        .await;
        println!("going on {:?} after the start", back.elapsed());
    }
    load.end(&store).await;
    stop_running(a).await;
    stop_running(b).await;
}

/// A server of the test's own, and a store on it.
async fn private() -> (PrivateCluster, EventStore) {
    let cluster = PrivateCluster::start(ClusterOptions::new()).unwrap();
    let pool = PgPool::connect(&cluster.url()).await.unwrap();
    let store = EventStore::new(pool);
    store.migrate().await.unwrap();
    sqlx::raw_sql(CREATE_SEEN)
        .execute(store.pool())
        .await
        .unwrap();
    (cluster, store)
}

fn signal(signal: &str, process: i32) {
    let status = std::process::Command::new("kill")
        .args([signal, &process.to_string()])
        .status();
    assert!(status.unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_answers_no_more_is_given_up() {
    let (_cluster, store) = private().await;
    // Time for several attempts, also on a busy machine.
    let patient = fast(&store, "a")
        .lease_ttl(Duration::from_secs(4))
        .heartbeat_interval(Duration::from_millis(400));
    let running = start(patient.subscribe_transactional("s", Writer::new()));
    until("a leads", || async { leader(&store, "s").await.is_some() }).await;
    append(&store, "account-1", [1]).await;
    caught_up(&store).await;
    // What a dead network looks like: no error, and no answer. The first heartbeat comes a while after
    // the lease. Who is stopped within a statement holds its locks for ever, which no network does.
    let idle = async || -> Vec<(String, i32)> {
        let connections = sqlx::query_as(
            "SELECT substring(application_name FROM 'mire (heartbeat|notifier|lease)'), pid
               FROM pg_stat_activity
              WHERE application_name ~ 'mire (heartbeat|notifier|lease)' AND state = 'idle'
              ORDER BY 1",
        );
        connections.fetch_all(store.pool()).await.unwrap()
    };
    let stop_all = async || loop {
        let connections = idle().await;
        for (_, process) in &connections {
            signal("-STOP", *process);
        }
        let mut purposes: Vec<_> = connections.iter().map(|side| &*side.0).collect();
        purposes.dedup();
        if purposes == ["heartbeat", "lease", "notifier"] && idle().await == connections {
            return connections.into_iter().map(|side| side.1);
        }
        for (_, process) in &connections {
            signal("-CONT", *process);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let stopped = tokio::time::timeout(crate::common::projections::PATIENCE, stop_all()).await;
    let stopped: Vec<i32> = stopped.expect("a connection for each purpose").collect();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(leader(&store, "s").await, Some(("a".into(), 1)));
    append(&store, "account-1", [2]).await;
    caught_up(&store).await;
    assert_eq!(seen_of(&store, "account-1").await, [1, 2]);
    stop(running).await;
    for process in &stopped {
        signal("-CONT", *process);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_was_away_looks_for_what_it_missed() {
    let (cluster, store) = private().await;
    let far = EventStore::new(PgPool::connect(&cluster.url()).await.unwrap());
    // No poll comes to the rescue, and the lease outlasts it all.
    let patient = fast(&far, "a")
        .poll_interval(Duration::from_secs(120))
        .lease_ttl(Duration::from_secs(120));
    let running = start(patient.subscribe_transactional("s", Writer::new()));
    until("a leads", || async { leader(&store, "s").await.is_some() }).await;
    append(&store, "account-1", [1]).await;
    caught_up(&store).await;

    tokio::task::block_in_place(|| cluster.stop(StopMode::Fast)).unwrap();
    // Long enough for it to pause between its attempts.
    tokio::time::sleep(Duration::from_secs(2)).await;
    tokio::task::block_in_place(|| cluster.start_again()).unwrap();
    let event = [Event::new(deposited(2))];
    until("an append", || async {
        store
            .append("account-1", "account", ExpectedVersion::Exact(1), &event)
            .await
            .is_ok()
    })
    .await;
    until("the event", || async {
        seen_of(&store, "account-1").await == [1, 2]
    })
    .await;
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_told_while_the_network_was_away_is_looked_for_at_once() {
    let (far, store, proxy, _database) = proxy::set_up().await;
    // Neither a poll nor a change of leaders comes to the rescue.
    let patient = fast(&far, "a")
        .poll_interval(Duration::from_secs(600))
        .lease_ttl(Duration::from_secs(600));
    let running = start(patient.subscribe_transactional("s", Writer::new()));
    until("a leads", || async { leader(&store, "s").await.is_some() }).await;
    append(&store, "account-1", [1]).await;
    caught_up(&store).await;

    proxy.shut();
    // The listener's own attempt to go on has failed, and those to start anew do.
    until("a listener that is turned away", || async {
        proxy.turned_away("mire listener") >= 3
    })
    .await;
    // Told to nobody.
    append(&store, "account-1", [2]).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(seen_of(&store, "account-1").await, [1]);
    proxy.open();
    caught_up(&store).await;
    assert_eq!(seen_of(&store, "account-1").await, [1, 2]);
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_at_the_start_is_waited_for() {
    let (cluster, store) = private().await;
    append(&store, "account-1", 1..=3).await;
    tokio::task::block_in_place(|| cluster.stop(StopMode::Fast)).unwrap();
    let waiting = start(fast(&store, "a").subscribe_transactional("s", Writer::new()));
    let cancelled = start(fast(&store, "b").subscribe_transactional("s", Writer::new()));
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!waiting.1.is_finished());
    let ended = tokio::time::timeout(Duration::from_secs(2), stop_running(cancelled));
    ended.await.expect("a wait can be cancelled");

    tokio::task::block_in_place(|| cluster.start_again()).unwrap();
    until("the events", || async {
        let position = store.checkpoint("s").await;
        position.is_ok_and(|position| position == Some(3))
    })
    .await;
    assert_eq!(seen_of(&store, "account-1").await, [1, 2, 3]);
    stop_running(waiting).await;
}
