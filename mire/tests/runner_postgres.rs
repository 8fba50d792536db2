//! What projections do on a server alone: wake-ups between processes, connections that are ended,
//! and a lease that is taken over while its holder's transaction is open.
#![cfg(feature = "postgres")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::common::projections::{
    PATIENCE, Writer, append, caught_up, elsewhere, fast, leader, seen, start, stop, until,
    with_seen,
};
use crate::common::{Account, AccountEvent, deposited};
use mire::{Event, ExpectedVersion, HandledEvent, Postgres, TransactionalBatchEventHandler};
use sqlx::PgConnection;

#[tokio::test]
async fn another_process_takes_over_at_once_when_the_leader_is_cancelled() {
    let (store, _database) = with_seen::<Postgres>().await;
    let far = elsewhere(&store, 4);
    let [a, b] = [(&store, "a"), (&far, "b")].map(|(store, worker)| {
        fast(store, worker)
            .lease_ttl(Duration::from_secs(60))
            .lease_recheck_interval(Duration::from_secs(60))
            .subscribe_transactional("s", Writer::new())
    });
    let a = start(a);
    until("a leads", || async {
        leader(&store, "s").await == Some(("a".into(), 1))
    })
    .await;
    let b = start(b);
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
    stop(b).await;
}

#[tokio::test]
async fn a_leader_that_lost_its_lease_in_the_middle_commits_nothing() {
    let (store, _database) = with_seen::<Postgres>().await;
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
    caught_up(&store).await;
    go.add_permits(1);
    append(&store, "account-2", 1..=2).await;
    caught_up(&store).await;
    stop(stale).await;
    assert_eq!(seen(&store).await.len(), 7, "each event took effect once");
    stop(fresh).await;
}

#[tokio::test]
async fn killed_connections_lose_neither_the_lease_nor_an_event() {
    let (store, _database) = with_seen::<Postgres>().await;
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
async fn another_process_is_woken_long_before_it_polls() {
    let (store, _database) = with_seen::<Postgres>().await;
    let far = elsewhere(&store, 10);
    let slow_poll = fast(&far, "a").poll_interval(Duration::from_secs(60));
    let running = start(slow_poll.subscribe_transactional("s", Writer::new()));
    until("it leads", || async { leader(&store, "s").await.is_some() }).await;
    append(&store, "account-1", [1]).await;
    caught_up(&store).await;
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
