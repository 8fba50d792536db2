//! A dump that is restored into another server, whose transaction ids start over: the log and its
//! projections go on where they were.
#![cfg(feature = "postgres")]

use std::path::Path;
use std::process::Command;

use crate::common::projections::{
    CREATE_SEEN, Writer, append, caught_up, fast, head, leader, seen, start, stop,
};
use mire::{Append, Event, EventStore, ExpectedVersion};
use mire_testkit::{ClusterOptions, PrivateCluster};
use sqlx::postgres::PgPoolOptions;

async fn open(cluster: &PrivateCluster) -> EventStore {
    let pool = PgPoolOptions::new()
        .max_connections(10)
        .connect(&cluster.url())
        .await
        .unwrap();
    EventStore::new(pool)
}

fn run(program: &Path, args: &[&str]) {
    let output = Command::new(program).args(args).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

async fn transaction_id(store: &EventStore) -> i64 {
    sqlx::query_scalar("SELECT pg_current_xact_id()::text::bigint")
        .fetch_one(store.pool())
        .await
        .unwrap()
}

/// Appends under a key, and says whether that had been done before.
async fn append_once(store: &EventStore, key: &str) -> bool {
    let append = Append::new("account-keyed", ExpectedVersion::Any)
        .unwrap()
        .idempotency_key(key)
        .event(&Event::new(crate::common::deposited(1)))
        .unwrap();
    store.append_all([append]).await.unwrap()[0].repeated
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_dump_carries_on() {
    let first = PrivateCluster::start(ClusterOptions::new()).unwrap();
    let store = open(&first).await;
    store.migrate().await.unwrap();
    sqlx::raw_sql(CREATE_SEEN)
        .execute(store.pool())
        .await
        .unwrap();
    // So many transactions that the new server is far behind.
    for _ in 0..20 {
        sqlx::raw_sql(
            "DO $$ BEGIN FOR i IN 1 .. 500 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$",
        )
        .execute(store.pool())
        .await
        .unwrap();
    }
    let running = start(fast(&store, "old").subscribe_transactional("s", Writer::new()));
    for n in 0..40 {
        append(&store, &format!("account-{}", n % 4), [n]).await;
    }
    assert!(!append_once(&store, "k").await);
    caught_up(&store).await;
    let done = head(&store).await;
    // The projection is stopped, and the log goes on: the dump has a part that is not handled.
    stop(running).await;
    for n in 0..10 {
        append(&store, &format!("account-{}", n % 4), [n]).await;
    }
    let (_, old_token) = {
        let status = mire::lease::status(store.pool(), "s")
            .await
            .unwrap()
            .unwrap();
        (status.worker_id, status.fence_token)
    };

    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("dump.sql");
    let dump = dump.to_str().unwrap();
    let (from, bin) = (first.url(), first.bin_dir());
    tokio::task::block_in_place(|| run(&bin.join("pg_dump"), &["-f", dump, &from]));
    let old_id = transaction_id(&store).await;
    let before: Vec<_> = store.read_all_after(0, 1000).await.unwrap();
    store.pool().close().await;
    drop(first);

    let second = PrivateCluster::start(ClusterOptions::new()).unwrap();
    let (to, bin) = (second.url(), second.bin_dir());
    tokio::task::block_in_place(|| {
        run(
            &bin.join("psql"),
            &["-q", "-v", "ON_ERROR_STOP=1", "-f", dump, &to],
        );
    });
    let store = open(&second).await;
    store.migrate().await.unwrap();
    let new_id = transaction_id(&store).await;
    assert!(
        new_id + 5000 < old_id,
        "transaction ids start over: {new_id} after {old_id}"
    );
    assert_eq!(store.read_all_after(0, 1000).await.unwrap(), before);
    assert_eq!(store.checkpoint("s").await.unwrap(), Some(done));
    assert_eq!(seen(&store).await.len(), 41);

    let running = start(fast(&store, "new").subscribe_transactional("s", Writer::new()));
    caught_up(&store).await;
    assert_eq!(seen(&store).await.len(), 51, "the part that was left");
    let (worker, token) = leader(&store, "s").await.unwrap();
    assert_eq!((worker.as_str(), token), ("new", old_token + 1));

    let last = head(&store).await;
    append(&store, "account-0", [1]).await;
    append(&store, "account-new", [1]).await;
    assert_eq!(head(&store).await, last + 2, "positions go on");
    assert!(append_once(&store, "k").await, "a key is remembered");
    caught_up(&store).await;
    let log = store.read_all_after(0, 1000).await.unwrap();
    let log: Vec<(String, i64)> = log
        .into_iter()
        .map(|event| (event.stream_id, event.stream_version))
        .collect();
    assert_eq!(seen(&store).await, log, "each took effect once, in order");
    stop(running).await;
}
