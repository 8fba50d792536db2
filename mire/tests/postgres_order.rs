//! Global order on PostgreSQL: readers miss nothing, see nothing twice, and wait for nobody who is
//! not appending.
#![cfg(feature = "postgres")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::common::{Dice, deposited, store, store_with};
use mire::{Event, EventStoreError, ExpectedVersion};
use sqlx::{Connection, PgConnection};

const WRITERS: u64 = 40;
const APPENDS: u64 = 20;

/// One append in a transaction of its own, with pauses, that may roll back or lose its connection.
async fn append(store: &mire::EventStore, writer: u64, dice: &mut Dice) {
    // Half of the streams are shared, so that row locks are waited for.
    let stream = match dice.roll(2) {
        0 => format!("account-shared{}", dice.roll(8)),
        _ => format!("account-own{writer}"),
    };
    let mut tx = store.pool().begin().await.unwrap();
    let events: Vec<_> = (0..=dice.roll(3))
        .map(|n| Event::new(deposited(n as i64)))
        .collect();
    let appended = store
        .append_in_tx(&mut tx, &stream, "account", ExpectedVersion::Any, &events)
        .await;
    appended.unwrap();
    tokio::time::sleep(Duration::from_millis(dice.roll(25))).await;
    match dice.roll(10) {
        0 | 1 => tx.rollback().await.unwrap(),
        2 => {
            // The connection dies with the transaction open.
            let killed = sqlx::query("SELECT pg_terminate_backend(pg_backend_pid())");
            assert!(killed.execute(&mut *tx).await.is_err());
            drop(tx);
        }
        _ => tx.commit().await.unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_beside_40_writers_misses_none_and_sees_none_twice() {
    let (store, database) = store_with(60).await;
    // Somebody else's transaction stays open all the while; it must not matter.
    let mut bystander = PgConnection::connect(database.url()).await.unwrap();
    let mut open = bystander.begin().await.unwrap();
    sqlx::raw_sql("CREATE TABLE unrelated (x int); INSERT INTO unrelated VALUES (1)")
        .execute(&mut *open)
        .await
        .unwrap();

    let running = Arc::new(AtomicUsize::new(WRITERS as usize));
    for writer in 0..WRITERS {
        let (store, running) = (store.clone(), Arc::clone(&running));
        tokio::spawn(async move {
            let mut dice = Dice::new(writer + 1);
            for _ in 0..APPENDS {
                append(&store, writer, &mut dice).await;
                // And one through the group commit.
                let stream = format!("account-saved{}", dice.roll(4));
                let event = [Event::new(deposited(1))];
                let any = ExpectedVersion::Any;
                store.append(&stream, "account", any, &event).await.unwrap();
            }
            running.fetch_sub(1, Ordering::SeqCst);
        });
    }

    let mut seen = BTreeSet::new();
    let mut versions = std::collections::HashMap::<String, i64>::new();
    let mut position = 0;
    loop {
        // Looked at before the read: what was written by then is in it.
        let done = running.load(Ordering::SeqCst) == 0;
        let page = store.read_all_after(position, 50).await.unwrap();
        for event in &page {
            assert!(event.global_position > position, "not in order");
            position = event.global_position;
            assert!(seen.insert(position), "position {position} came twice");
            let last = versions.entry(event.stream_id.clone()).or_default();
            assert_eq!(
                event.stream_version,
                *last + 1,
                "stream {}",
                event.stream_id
            );
            *last += 1;
        }
        if done && page.is_empty() {
            break;
        }
    }
    open.rollback().await.unwrap();

    let committed: Vec<i64> =
        sqlx::query_scalar("SELECT global_position FROM mire_events ORDER BY 1")
            .fetch_all(store.pool())
            .await
            .unwrap();
    assert!(
        committed.len() as u64 > WRITERS * APPENDS,
        "too few events to prove anything"
    );
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), committed);
}

#[tokio::test]
async fn an_open_append_holds_readers_back_and_is_named_and_nobody_else_is() {
    let (store, database) = store().await;
    let event = [Event::new(deposited(1))];
    let any = ExpectedVersion::Any;
    store
        .append("account-a", "account", any, &event)
        .await
        .unwrap();
    assert_eq!(store.safe_head().await.unwrap().position, 1);

    let mut slow = store.pool().begin().await.unwrap();
    store
        .append_in_tx(&mut slow, "account-slow", "account", any, &event)
        .await
        .unwrap();
    store
        .append("account-b", "account", any, &event)
        .await
        .unwrap();
    let head = store.safe_head().await.unwrap();
    assert_eq!((head.position, head.allocated), (1, 3));
    let held_by = head.held_by.expect("someone holds it");
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&mut *slow)
        .await
        .unwrap();
    assert_eq!(held_by.process_id, pid);
    assert_eq!(store.read_all_after(0, 10).await.unwrap().len(), 1);

    slow.commit().await.unwrap();
    let head = store.safe_head().await.unwrap();
    assert_eq!((head.position, head.allocated, head.held_by), (3, 3, None));
    assert_eq!(store.read_all_after(0, 10).await.unwrap().len(), 3);

    // A scope draws its positions at the commit: however long it is open, nobody waits for it.
    let mut scope = store.begin_transaction().await.unwrap();
    scope
        .append("account-c", "account", any, &event)
        .await
        .unwrap();
    let in_server = async |sql: &'static str| {
        let mut other = PgConnection::connect(database.url()).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut other).await.unwrap();
        other
    };
    let _unrelated = in_server("BEGIN; CREATE TABLE unrelated (x int)").await;
    store
        .append("account-d", "account", any, &event)
        .await
        .unwrap();
    let started = Instant::now();
    assert_eq!(store.read_all_after(0, 10).await.unwrap().len(), 4);
    assert!(started.elapsed() < Duration::from_secs(1));
    scope.commit().await.unwrap();
    assert_eq!(store.read_all_after(0, 10).await.unwrap().len(), 5);
}

#[tokio::test]
async fn marks_are_unwrapped_beyond_32_bits() {
    let (store, _database) = store().await;
    let event = [Event::new(deposited(1))];
    let any = ExpectedVersion::Any;
    for start in [
        i64::from(i32::MAX) - 1,
        i64::from(u32::MAX) - 1,
        (1 << 40) - 2,
    ] {
        sqlx::query("SELECT setval('mire_position', $1)")
            .bind(start)
            .execute(store.pool())
            .await
            .unwrap();
        for _ in 0..2 {
            let before = store.safe_head().await.unwrap();
            let mut slow = store.pool().begin().await.unwrap();
            store
                .append_in_tx(&mut slow, "account-slow", "account", any, &event)
                .await
                .unwrap();
            for n in 0..3 {
                let stream = format!("account-{n}");
                store.append(&stream, "account", any, &event).await.unwrap();
            }
            let held = store.safe_head().await.unwrap();
            assert_eq!(held.position, before.allocated);
            assert_eq!(held.allocated, before.allocated + 4);
            slow.commit().await.unwrap();
            assert_eq!(
                store.safe_head().await.unwrap().position,
                before.allocated + 4
            );
        }
    }
}

#[tokio::test]
async fn another_isolation_level_is_refused_with_the_mend() {
    let (store, _database) = store().await;
    let event = [Event::new(deposited(1))];
    let mut tx = store
        .pool()
        .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ")
        .await
        .unwrap();
    let error = store
        .append_in_tx(
            &mut tx,
            "account-a",
            "account",
            ExpectedVersion::Any,
            &event,
        )
        .await
        .unwrap_err();
    let EventStoreError::Database(source) = &error else {
        panic!("{error:?}");
    };
    assert!(source.to_string().contains("READ COMMITTED"), "{source}");
}

#[tokio::test]
async fn a_sequence_that_caches_is_refused() {
    let (store, _database) = store().await;
    sqlx::raw_sql("ALTER SEQUENCE mire_position CACHE 20")
        .execute(store.pool())
        .await
        .unwrap();
    let error = store.migrate().await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("ALTER SEQUENCE mire_position CACHE 1"),
        "{error}"
    );
}
