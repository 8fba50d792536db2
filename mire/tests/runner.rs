//! Projections on a real server: delivery, leases, fencing, failures.

#![cfg(feature = "postgres")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::projections::{
    CREATE_SEEN, PATIENCE, Plain, Writer, append, fast, head, leader, seen, start, stop, until,
};
use common::{Account, AccountEvent, deposited};
use mire::{
    Event, EventStore, ExpectedVersion, FailurePolicy, HandledEvent, ParkedState, ProjectionRunner,
    RunnerError, Subscription, TransactionalBatchEventHandler, lease,
};
use mire_testkit::{TestDatabase, test_database};
use sqlx::{PgConnection, PgPool};
use tokio_util::sync::CancellationToken;

async fn set_up() -> (TestDatabase, EventStore) {
    let database = test_database().await;
    let store = EventStore::new(database.pool());
    store.migrate().await.unwrap();
    sqlx::raw_sql(CREATE_SEEN)
        .execute(store.pool())
        .await
        .unwrap();
    (database, store)
}

#[tokio::test]
async fn a_transactional_handler_gets_every_event_once_and_moves_the_checkpoint() {
    let (_database, store) = set_up().await;
    append(&store, "account-1", 1..=30).await;
    append(&store, "other-1", 1..=3).await;
    let running = start(
        fast(&store, "a")
            .batch_size(7)
            .subscribe_transactional("s", Writer::new()),
    );
    let end = head(&store).await;
    store.wait_for("s", end, PATIENCE).await.unwrap();
    assert_eq!(store.projection_lag("s").await.unwrap(), 0);
    let versions: Vec<i64> = seen(&store).await.into_iter().map(|(_, v)| v).collect();
    assert_eq!(versions, (1..=30).collect::<Vec<_>>());
    stop(running).await;
    assert!(
        leader(&store, "s").await.is_none(),
        "the lease was released"
    );
}

#[tokio::test]
async fn the_checkpoint_moves_over_events_of_other_categories() {
    let (_database, store) = set_up().await;
    append(&store, "other-1", 1..=10).await;
    let running = start(fast(&store, "a").subscribe("s", Plain::new()));
    let end = head(&store).await;
    store.wait_for("s", end, PATIENCE).await.unwrap();
    stop(running).await;
}

#[tokio::test]
async fn a_leader_that_is_cancelled_hands_over_at_once_under_a_larger_token() {
    let (_database, store) = set_up().await;
    let long = |worker| {
        fast(&store, worker)
            .lease_ttl(Duration::from_secs(60))
            .lease_recheck_interval(Duration::from_secs(60))
            .subscribe_transactional("s", Writer::new())
    };
    let a = start(long("a"));
    until("a leads", || async {
        leader(&store, "s").await == Some(("a".into(), 1))
    })
    .await;
    let b = start(long("b"));
    append(&store, "account-1", 1..=5).await;
    store
        .wait_for("s", head(&store).await, PATIENCE)
        .await
        .unwrap();
    // b has to listen before it can hear of the release.
    until("b follows", || async {
        let listeners: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity
              WHERE datname = current_database() AND application_name LIKE '%mire listener%'",
        )
        .fetch_one(store.pool())
        .await
        .unwrap();
        listeners == 2
    })
    .await;
    stop(a).await;
    until("b leads", || async {
        leader(&store, "s").await == Some(("b".into(), 2))
    })
    .await;
    append(&store, "account-1", 6..=10).await;
    store
        .wait_for("s", head(&store).await, PATIENCE)
        .await
        .unwrap();
    assert_eq!(seen(&store).await.len(), 10);
    stop(b).await;
}

#[tokio::test]
async fn two_workers_of_one_name_are_two_and_the_token_grows_at_every_acquisition() {
    let (_database, store) = set_up().await;
    for token in 1..=3 {
        let a = start(fast(&store, "same").subscribe_transactional("s", Writer::new()));
        until("one leads", || async {
            leader(&store, "s").await == Some(("same".into(), token))
        })
        .await;
        let b = start(fast(&store, "same").subscribe_transactional("s", Writer::new()));
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert_eq!(leader(&store, "s").await, Some(("same".into(), token)));
        // The follower goes first, so that it never leads.
        stop(b).await;
        stop(a).await;
    }
}

#[tokio::test]
async fn a_leader_that_lost_its_lease_commits_nothing() {
    let (_database, store) = set_up().await;
    struct Slow(Arc<tokio::sync::Semaphore>, Arc<AtomicUsize>);
    impl TransactionalBatchEventHandler for Slow {
        type Aggregate = Account;
        async fn handle_batch(
            &self,
            events: Vec<HandledEvent<AccountEvent>>,
            conn: &mut PgConnection,
        ) -> anyhow::Result<()> {
            for event in &events {
                sqlx::query("INSERT INTO seen VALUES ($1, $2, $3)")
                    .bind(event.global_position())
                    .bind(event.stream_id())
                    .bind(event.stream_version())
                    .execute(&mut *conn)
                    .await?;
            }
            self.1.fetch_add(1, Ordering::SeqCst);
            self.0.acquire().await?.forget();
            Ok(())
        }
    }
    append(&store, "account-1", 1..=5).await;
    let (go, calls) = (
        Arc::new(tokio::sync::Semaphore::new(0)),
        Arc::new(AtomicUsize::new(0)),
    );
    // Heartbeats so rare that only the fence can tell this leader.
    let stale = start(
        fast(&store, "stale")
            .lease_ttl(Duration::from_secs(60))
            .subscribe_transactional_batch("s", Slow(Arc::clone(&go), Arc::clone(&calls))),
    );
    until("it handles", || async { calls.load(Ordering::SeqCst) == 1 }).await;
    sqlx::query("UPDATE mire_leases SET leased_until = clock_timestamp()")
        .execute(store.pool())
        .await
        .unwrap();
    let fresh = start(fast(&store, "fresh").subscribe_transactional("s", Writer::new()));
    store
        .wait_for("s", head(&store).await, PATIENCE)
        .await
        .unwrap();
    go.add_permits(1);
    append(&store, "account-2", 1..=2).await;
    store
        .wait_for("s", head(&store).await, PATIENCE)
        .await
        .unwrap();
    stop(stale).await;
    assert_eq!(seen(&store).await.len(), 7, "each event took effect once");
    stop(fresh).await;
}

#[tokio::test]
async fn a_dead_leaders_lease_is_taken_over_within_the_bound() {
    let (_database, store) = set_up().await;
    let a = start(fast(&store, "a").subscribe_transactional("s", Writer::new()));
    until("a leads", || async { leader(&store, "s").await.is_some() }).await;
    let b = start(fast(&store, "b").subscribe_transactional("s", Writer::new()));
    tokio::time::sleep(Duration::from_millis(300)).await;
    a.1.abort();
    let died = Instant::now();
    until("b leads", || async {
        leader(&store, "s").await == Some(("b".into(), 2))
    })
    .await;
    // ttl and recheck, and as much again for a loaded machine.
    assert!(
        died.elapsed() < Duration::from_millis(4400),
        "{:?}",
        died.elapsed()
    );
    stop(b).await;
}

#[tokio::test]
async fn killed_connections_lose_neither_the_lease_nor_an_event() {
    let (_database, store) = set_up().await;
    let running = start(fast(&store, "a").subscribe_transactional("s", Writer::new()));
    until("a leads", || async { leader(&store, "s").await.is_some() }).await;
    for n in 1..=6 {
        let killed = sqlx::query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
              WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .execute(store.pool())
        .await;
        drop(killed);
        let event = [Event::new(deposited(n))];
        until("an append", || async {
            store
                .append(
                    "account-1",
                    "account",
                    ExpectedVersion::after(n - 1),
                    &event,
                )
                .await
                .map_or_else(|error| error.is_conflict(), |_| true)
        })
        .await;
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    store.wait_for("s", 6, PATIENCE).await.unwrap();
    let versions: Vec<i64> = seen(&store).await.into_iter().map(|(_, v)| v).collect();
    assert_eq!(versions, (1..=6).collect::<Vec<_>>());
    assert_eq!(leader(&store, "s").await, Some(("a".into(), 1)));
    stop(running).await;
}

#[tokio::test]
async fn by_default_a_failing_event_stops_the_runner_loudly() {
    let (_database, store) = set_up().await;
    append(&store, "account-1", 1..=5).await;
    let writer = Writer::with(|n| (n == 3).then_some("fail"));
    let calls = Arc::clone(&writer.calls);
    let running = start(
        fast(&store, "a")
            .max_attempts(3)
            .subscribe_transactional("s", writer),
    );
    let error = running.1.await.unwrap().unwrap_err();
    let Some(RunnerError::Stopped {
        position,
        stream_id,
        attempts,
        ..
    }) = error.downcast_ref()
    else {
        panic!("{error:?}");
    };
    assert_eq!(
        (*position, stream_id.as_str(), *attempts),
        (3, "account-1", 3)
    );
    assert_eq!(
        calls.load(Ordering::SeqCst),
        3,
        "delivered as often as it says"
    );
    assert_eq!(store.checkpoint("s").await.unwrap(), Some(2));
    assert_eq!(
        seen(&store).await.len(),
        2,
        "all before it is committed, once"
    );
    assert!(leader(&store, "s").await.is_none());
}

#[tokio::test]
async fn a_parked_event_holds_its_stream_up_and_no_other_until_it_is_retried() {
    let (_database, store) = set_up().await;
    append(&store, "account-1", [1, 13]).await;
    append(&store, "account-2", 2..=4).await;
    append(&store, "account-1", 5..=6).await;
    let broken = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let writer = {
        let broken = Arc::clone(&broken);
        Writer::with(move |n| (n == 13 && broken.load(Ordering::SeqCst)).then_some("panic"))
    };
    let subscription = Subscription::new("s")
        .on_failure(FailurePolicy::Park)
        .max_attempts(2);
    let running = start(fast(&store, "a").subscribe_transactional(subscription, writer));
    store
        .wait_for("s", head(&store).await, PATIENCE)
        .await
        .unwrap();
    append(&store, "account-1", [7]).await;
    store
        .wait_for("s", head(&store).await, PATIENCE)
        .await
        .unwrap();
    let of = |stream: &'static str, rows: Vec<(String, i64)>| -> Vec<i64> {
        rows.into_iter()
            .filter(|(s, _)| s == stream)
            .map(|(_, v)| v)
            .collect()
    };
    assert_eq!(of("account-2", seen(&store).await), [1, 2, 3]);
    assert_eq!(of("account-1", seen(&store).await), [1]);
    let parked = store.parked("s", 0, 100).await.unwrap();
    let listed: Vec<_> = parked
        .iter()
        .map(|p| (p.stream_version, p.attempts))
        .collect();
    assert_eq!(listed, [(2, 2), (3, 0), (4, 0), (5, 0)]);
    assert!(
        parked[0]
            .error
            .as_deref()
            .unwrap()
            .contains("broken handler")
    );

    broken.store(false, Ordering::SeqCst);
    assert_eq!(store.retry_parked("s", "account-1").await.unwrap(), 4);
    until("nothing is parked", || async {
        store.parked("s", 0, 1).await.unwrap().is_empty()
    })
    .await;
    append(&store, "account-1", [8]).await;
    store
        .wait_for("s", head(&store).await, PATIENCE)
        .await
        .unwrap();
    let rows = seen(&store).await;
    assert_eq!(of("account-1", rows), [1, 2, 3, 4, 5, 6]);
    stop(running).await;
}

#[tokio::test]
async fn a_hanging_handler_is_bounded_and_a_skipped_event_is_recorded() {
    let (_database, store) = set_up().await;
    append(&store, "account-1", 1..=4).await;
    let subscription = Subscription::new("s")
        .on_failure(FailurePolicy::Skip)
        .max_attempts(2)
        .handler_timeout(Duration::from_millis(100));
    let writer = Writer::with(|n| (n == 2).then_some("hang"));
    let running = start(fast(&store, "a").subscribe_transactional(subscription, writer));
    store
        .wait_for("s", head(&store).await, PATIENCE)
        .await
        .unwrap();
    let versions: Vec<i64> = seen(&store).await.into_iter().map(|(_, v)| v).collect();
    assert_eq!(versions, [1, 3, 4]);
    let skipped = store.parked("s", 0, 10).await.unwrap();
    assert_eq!((skipped.len(), skipped[0].state), (1, ParkedState::Skipped));
    assert!(
        store
            .drop_parked("s", skipped[0].global_position)
            .await
            .unwrap()
    );
    stop(running).await;
}

#[tokio::test]
async fn a_batch_handler_fails_at_one_event_and_keeps_the_others() {
    struct Whole;
    impl TransactionalBatchEventHandler for Whole {
        type Aggregate = Account;
        async fn handle_batch(
            &self,
            events: Vec<HandledEvent<AccountEvent>>,
            conn: &mut PgConnection,
        ) -> anyhow::Result<()> {
            for event in &events {
                anyhow::ensure!(event.event != deposited(13), "unlucky");
                sqlx::query("INSERT INTO seen VALUES ($1, $2, $3)")
                    .bind(event.global_position())
                    .bind(event.stream_id())
                    .bind(event.stream_version())
                    .execute(&mut *conn)
                    .await?;
            }
            Ok(())
        }
    }
    let (_database, store) = set_up().await;
    append(&store, "account-1", 1..=40).await;
    let subscription = Subscription::new("s")
        .on_failure(FailurePolicy::Skip)
        .max_attempts(1);
    let running = start(fast(&store, "a").subscribe_transactional_batch(subscription, Whole));
    store
        .wait_for("s", head(&store).await, PATIENCE)
        .await
        .unwrap();
    let versions: Vec<i64> = seen(&store).await.into_iter().map(|(_, v)| v).collect();
    assert_eq!(versions, (1..=40).filter(|n| *n != 13).collect::<Vec<_>>());
    stop(running).await;
}

#[tokio::test]
async fn a_reset_delivers_again_and_fences_the_running_leader() {
    let (_database, store) = set_up().await;
    append(&store, "account-1", 1..=3).await;
    let plain = Plain::new();
    let running = start(fast(&store, "a").subscribe("s", plain.clone()));
    store.wait_for("s", 3, PATIENCE).await.unwrap();
    until("all are handled", || async { plain.got().len() == 3 }).await;
    store.reset_checkpoint("s", 1).await.unwrap();
    append(&store, "account-1", [4]).await;
    until("a replay", || async {
        let got = plain.got();
        got.get(3..)
            .is_some_and(|again| again.ends_with(&[2, 3, 4]))
    })
    .await;
    stop(running).await;
}

#[tokio::test]
async fn another_process_is_woken_long_before_it_polls() {
    let (database, store) = set_up().await;
    let far = EventStore::new(PgPool::connect(database.url()).await.unwrap());
    let slow_poll = fast(&far, "a").poll_interval(Duration::from_secs(60));
    let running = start(slow_poll.subscribe_transactional("s", Writer::new()));
    until("it leads", || async { leader(&store, "s").await.is_some() }).await;
    append(&store, "account-1", [1]).await;
    store
        .wait_for("s", head(&store).await, PATIENCE)
        .await
        .unwrap();
    let mut took = Vec::new();
    for n in 2..=21 {
        let started = Instant::now();
        append(&store, "account-1", [n]).await;
        until("the event", || async {
            seen(&store).await.len() as i64 == n
        })
        .await;
        took.push(started.elapsed());
    }
    took.sort();
    println!("p50 {:?}, max {:?}", took[10], took[19]);
    assert!(took[10] < Duration::from_secs(1), "{took:?}");
    stop(running).await;
}

#[tokio::test]
async fn wrong_settings_are_refused_before_anything_starts() {
    let (database, store) = set_up().await;
    let with = |id: &str| fast(&store, "a").subscribe(id, Plain::new());
    let one = sqlx::postgres::PgPoolOptions::new()
        .max_connections(1)
        .connect_lazy(database.url())
        .unwrap();
    for (builder, says) in [
        (with("s").max_attempts(0), "max_attempts"),
        (with("s").batch_size(0), "batch_size"),
        (with("s").poll_interval(Duration::ZERO), "poll_interval"),
        (with("s").lease_ttl(Duration::from_millis(50)), "lease_ttl"),
        (
            with("s").heartbeat_interval(Duration::from_secs(2)),
            "two heartbeats",
        ),
        (with("s").subscribe("s", Plain::new()), "there twice"),
        (with(""), "it is empty"),
        (with(" s"), "white space"),
        (with("s").worker_id(""), "worker_id"),
        (fast(&store, "a"), "no subscription"),
        (
            fast(&EventStore::new(one), "a").subscribe("s", Plain::new()),
            "max_connections",
        ),
    ] {
        let error = builder
            .build()
            .run(CancellationToken::new())
            .await
            .unwrap_err();
        assert!(error.downcast_ref::<RunnerError>().is_some(), "{error:?}");
        assert!(error.to_string().contains(says), "{error}");
    }
    let bare = test_database().await;
    let bare = fast(&EventStore::new(bare.pool()), "a").subscribe("s", Plain::new());
    let error = bare
        .build()
        .run(CancellationToken::new())
        .await
        .unwrap_err();
    assert!(
        matches!(error.downcast_ref(), Some(RunnerError::NotMigrated)),
        "{error:?}"
    );
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn the_same_runner_works_on_sqlite() {
    let store = mire::open::<sqlx::Sqlite>("sqlite::memory:").await.unwrap();
    store.migrate().await.unwrap();
    let plain = Plain::new();
    let run = |worker: &str| {
        let cancel = CancellationToken::new();
        let runner = ProjectionRunner::builder(store.clone())
            .worker_id(worker)
            .subscribe("s", plain.clone())
            .build();
        let task = tokio::spawn(runner.run(cancel.clone()));
        (cancel, task)
    };
    for token in 1..=2 {
        let running = run("a");
        let events = [Event::new(deposited(token))];
        store
            .append("account-1", "account", ExpectedVersion::Any, &events)
            .await
            .unwrap();
        store.wait_for("s", token, PATIENCE).await.unwrap();
        let status = lease::status(store.pool(), "s").await.unwrap().unwrap();
        assert_eq!((status.fence_token, status.live), (token, true));
        stop(running).await;
    }
    assert_eq!(plain.got(), [1, 2]);
}
