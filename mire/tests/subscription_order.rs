//! What holds a subscription up, and what must not: other people's transactions, and a log that is
//! not in order.

use crate::common::backends::TestBackend;
use crate::common::projections::{PATIENCE, Plain, Running, append, caught_up, fast, start, stop};
use mire::{EventStore, EventStoreError};

conformance!(
    a_hole_in_a_stream_ends_the_runner_each_time_it_is_started,
    events_that_changed_places_end_the_runner,
);

async fn violation(running: Running) -> (String, i64, i64) {
    let ended = tokio::time::timeout(PATIENCE, running.1).await;
    let error = ended.expect("it ends").unwrap().unwrap_err();
    match error.downcast_ref() {
        Some(EventStoreError::OrderingViolation {
            subscription_id,
            stream_id,
            version,
            last_delivered,
        }) => {
            assert_eq!(subscription_id, "s");
            (stream_id.clone(), *version, *last_delivered)
        }
        _ => panic!("{error:?}"),
    }
}

async fn run_sql<DB: TestBackend>(store: &EventStore<DB>, sql: &'static str) {
    DB::run(&mut *store.pool().acquire().await.unwrap(), sql).await;
}

async fn a_hole_in_a_stream_ends_the_runner_each_time_it_is_started<DB: TestBackend>() {
    for batch_size in [1, 100] {
        let (store, _database) = DB::fresh().await;
        append(&store, "account-1", 1..=5).await;
        append(&store, "account-2", 1..=2).await;
        run_sql(&store, "DELETE FROM mire_events WHERE global_position = 3").await;
        let plain = Plain::new();
        for _ in 0..2 {
            let running = start(
                fast(&store, "a")
                    .batch_size(batch_size)
                    .subscribe("s", plain.clone()),
            );
            assert_eq!(
                violation(running).await,
                ("account-1".to_owned(), 4, 2),
                "batches of {batch_size}"
            );
            assert!(plain.got().iter().all(|position| *position <= 2));
            assert!(store.checkpoint("s").await.unwrap() <= Some(2));
        }
    }
}

async fn events_that_changed_places_end_the_runner<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    append(&store, "account-1", 1..=2).await;
    let plain = Plain::new();
    let running = start(fast(&store, "a").subscribe("s", plain.clone()));
    caught_up(&store).await;
    // A version that was handled comes again, as if the log had been tampered with.
    run_sql(
        &store,
        "UPDATE mire_events SET stream_version = 30 WHERE global_position = 2;
         UPDATE mire_streams SET version = 1",
    )
    .await;
    append(&store, "account-1", [3]).await;
    assert_eq!(violation(running).await, ("account-1".to_owned(), 2, 2));
    assert_eq!(plain.got(), [1, 2]);

    // A start in the middle of sound streams is no violation.
    let (store, _database) = DB::fresh().await;
    append(&store, "account-1", 1..=4).await;
    append(&store, "account-2", 1..=4).await;
    store.reset_checkpoint("s", 2).await.unwrap();
    let plain = Plain::new();
    let running = start(
        fast(&store, "a")
            .batch_size(3)
            .subscribe("s", plain.clone()),
    );
    caught_up(&store).await;
    assert_eq!(plain.got(), [3, 4, 5, 6, 7, 8]);
    stop(running).await;
}

#[cfg(feature = "postgres")]
mod bystanders {
    use std::time::{Duration, Instant};

    use mire::{Event, ExpectedVersion};
    use sqlx::{Connection, PgConnection};

    use crate::common::deposited;
    use crate::common::projections::{
        CREATE_SEEN, Writer, append, caught_up, fast, head, leader, seen, start, stop, until,
    };

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_open_transaction_of_somebody_else_delays_no_runner() {
        let (store, database) = crate::common::store().await;
        sqlx::raw_sql(CREATE_SEEN)
            .execute(store.pool())
            .await
            .unwrap();
        append(&store, "account-0", [1]).await;
        // It has an id and a snapshot, has written and locked, and the oldest one of the server.
        let mut bystander = PgConnection::connect(database.url()).await.unwrap();
        let mut open = bystander
            .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ")
            .await
            .unwrap();
        sqlx::raw_sql(
            "CREATE TABLE unrelated (x int); INSERT INTO unrelated VALUES (1);
             SELECT count(*) FROM mire_events; SELECT pg_advisory_xact_lock_shared(1, 1);
             SELECT pg_advisory_xact_lock(7)",
        )
        .execute(&mut *open)
        .await
        .unwrap();
        // One of the other databases of the server.
        let other = mire_testkit::test_database().await;
        let mut elsewhere = PgConnection::connect(other.url()).await.unwrap();
        sqlx::raw_sql("BEGIN; CREATE TABLE unrelated (x int)")
            .execute(&mut elsewhere)
            .await
            .unwrap();
        // And a scope of our own that has saved something and stays open.
        let event = [Event::new(deposited(1))];
        let mut scope = store.begin_transaction().await.unwrap();
        scope
            .append("account-scope", "account", ExpectedVersion::Any, &event)
            .await
            .unwrap();

        let running = start(
            fast(&store, "a")
                .poll_interval(Duration::from_secs(60))
                .subscribe_transactional("s", Writer::new()),
        );
        until("it leads", || async { leader(&store, "s").await.is_some() }).await;
        caught_up(&store).await;
        let mut slowest = Duration::ZERO;
        for n in 0..50 {
            let started = Instant::now();
            append(&store, &format!("account-{n}"), [n]).await;
            let end = head(&store).await;
            store
                .wait_for("s", end, Duration::from_secs(5))
                .await
                .unwrap();
            slowest = slowest.max(started.elapsed());
        }
        assert!(slowest < Duration::from_secs(1), "{slowest:?}");
        assert_eq!(seen(&store).await.len(), 51);
        assert_eq!(store.safe_head().await.unwrap().held_by, None);

        open.rollback().await.unwrap();
        scope.commit().await.unwrap();
        caught_up(&store).await;
        assert_eq!(seen(&store).await.len(), 52);
        stop(running).await;
    }
}
