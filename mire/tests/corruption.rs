//! A stream with a hole, cut off, or with a wrong version on record: every way to read it says so, and
//! none answers a wrong state.

use crate::common::backends::TestBackend;
use crate::common::projections::append;
use crate::common::{Account, AccountEvent, deposited};
use mire::{
    AggregateRoot, CommandError, DbErrorKind, EventStore, EventStoreError, ReadDirection,
    StoreOptions, StreamQuery,
};

conformance!(
    a_hole_is_seen_by_whoever_reads_over_it,
    a_stream_whose_row_is_gone_takes_no_append,
    a_stream_that_was_cut_off_is_seen_also_from_the_cache_and_a_snapshot,
    what_lies_before_a_page_is_not_its_business,
    a_hole_is_seen_beyond_the_first_page,
);

async fn change<DB: TestBackend>(store: &EventStore<DB>, sql: &'static str) {
    DB::run(&mut *store.pool().acquire().await.unwrap(), sql).await;
}

fn cold<DB: TestBackend>(store: &EventStore<DB>) -> EventStore<DB> {
    let options = StoreOptions::default().cache_bytes(0);
    EventStore::with_options(store.pool().clone(), options)
}

/// Stream, the last version in order, and the version on record.
fn corruption<T: std::fmt::Debug>(result: Result<T, EventStoreError>) -> (i64, i64) {
    match result {
        Err(EventStoreError::StreamCorruption {
            stream_id,
            after,
            recorded,
            ..
        }) => {
            assert_eq!(stream_id, "account-ann");
            (after, recorded)
        }
        other => panic!("{other:?}"),
    }
}

/// Every way that folds the stream; each has to refuse.
async fn folds<DB: TestBackend>(store: &EventStore<DB>) -> Vec<(i64, i64)> {
    let mut all = vec![
        corruption(store.load::<Account>("ann").await),
        corruption(store.load_or_default::<Account>("ann").await),
        corruption(store.load_snapshotted::<Account>("ann").await),
    ];
    let mut scope = store.begin_transaction().await.unwrap();
    all.push(corruption(scope.load::<Account>("ann").await));
    all.push(corruption(scope.load_for_update::<Account>("ann").await));
    scope.rollback().await.unwrap();
    let refused = store
        .execute("ann", |_: &Account| {
            Err::<AccountEvent, _>("on a wrong state")
        })
        .await;
    match refused {
        Err(CommandError::Store(error)) => all.push(corruption::<()>(Err(error))),
        other => panic!("{other:?}"),
    }
    // Many at once are read together.
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { corruption(store.load::<Account>("ann").await) })
        })
        .collect();
    for task in tasks {
        all.push(task.await.unwrap());
    }
    all
}

async fn a_hole_is_seen_by_whoever_reads_over_it<DB: TestBackend>() {
    for (sql, after) in [
        ("DELETE FROM mire_events WHERE stream_version = 1", 0),
        ("DELETE FROM mire_events WHERE stream_version = 3", 2),
        ("DELETE FROM mire_events WHERE stream_version IN (3, 4)", 2),
        ("DELETE FROM mire_events WHERE stream_version = 6", 5),
        ("DELETE FROM mire_events", 0),
        ("UPDATE mire_streams SET version = 9", 6),
    ] {
        let (store, _database) = DB::fresh().await;
        append(&store, "account-ann", 1..=6).await;
        change(&store, sql).await;
        let recorded = if sql.contains("= 9") { 9 } else { 6 };
        for found in folds(&store).await {
            assert_eq!(found, (after, recorded), "{sql}");
        }
        let forward = store.read_stream("account-ann", StreamQuery::default());
        assert_eq!(corruption(forward.await), (after, recorded), "{sql}");
        assert!(store.read_stream_all("account-ann", 0).await.is_err());
        let backward = StreamQuery {
            direction: ReadDirection::Backward,
            ..StreamQuery::default()
        };
        corruption(store.read_stream("account-ann", backward).await);
        // Nobody can write on top of it by mistake, and others are not affected.
        append(&store, "account-bob", [1]).await;
        assert_eq!(
            store.load::<Account>("bob").await.unwrap().unwrap().version,
            1
        );
    }
}

/// Nobody can tell it from a stream that never was, without a second look at each load of a new one.
/// But its versions are taken.
async fn a_stream_whose_row_is_gone_takes_no_append<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    append(&store, "account-ann", 1..=3).await;
    change(&store, "DELETE FROM mire_streams").await;
    assert!(cold(&store).load::<Account>("ann").await.unwrap().is_none());
    let mut root = AggregateRoot::<Account>::new("ann");
    root.record(deposited(1));
    let error = store.save(&mut root).await.unwrap_err();
    assert_eq!(
        error.db_kind(),
        Some(DbErrorKind::UniqueViolation),
        "{error:?}"
    );
    assert!(!error.is_retryable());
    assert_eq!(root.pending_count(), 1);
    assert_eq!(
        DB::number(&store, "SELECT count(*) FROM mire_events").await,
        3
    );
}

async fn a_stream_that_was_cut_off_is_seen_also_from_the_cache_and_a_snapshot<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    append(&store, "account-ann", 1..=4).await;
    let root = store.load::<Account>("ann").await.unwrap().unwrap();
    store.save_snapshot(&root).await.unwrap();
    append(&store, "account-ann", 5..=8).await;
    change(&store, "DELETE FROM mire_events WHERE stream_version = 6").await;
    assert_eq!(corruption(store.load::<Account>("ann").await), (5, 8));
    let without_cache = cold(&store);
    let snapshotted = without_cache.load_snapshotted::<Account>("ann").await;
    assert_eq!(corruption(snapshotted), (5, 8));
    assert_eq!(
        corruption(without_cache.load::<Account>("ann").await),
        (5, 8)
    );

    // Cut off, with the record: as after a restored backup. What is cached is ahead of it.
    change(
        &store,
        "DELETE FROM mire_events WHERE stream_version > 3;
         UPDATE mire_streams SET version = 3",
    )
    .await;
    for store in [&store, &without_cache] {
        for _ in 0..2 {
            let root = store.load::<Account>("ann").await.unwrap().unwrap();
            assert_eq!((root.version, root.state.balance), (3, 6));
            let root = store.load_snapshotted::<Account>("ann").await.unwrap();
            let root = root.unwrap();
            assert_eq!((root.version, root.state.balance), (3, 6));
        }
    }
    let done = store
        .execute("ann", |account: &Account| match account.balance {
            6 => Ok(deposited(10)),
            _ => Err("a state of events that are gone"),
        })
        .await;
    assert_eq!(done.unwrap().version, 4);
    let root = store.load::<Account>("ann").await.unwrap().unwrap();
    assert_eq!((root.version, root.state.balance), (4, 16));
}

async fn what_lies_before_a_page_is_not_its_business<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    append(&store, "account-ann", 1..=6).await;
    change(&store, "DELETE FROM mire_events WHERE stream_version = 2").await;
    let page = |direction, from_version, limit| {
        let query = StreamQuery {
            direction,
            from_version,
            limit,
        };
        store.read_stream("account-ann", query)
    };
    let forward = page(ReadDirection::Forward, 3, 10).await.unwrap();
    assert_eq!(forward.len(), 4);
    let backward = page(ReadDirection::Backward, 0, 4).await.unwrap();
    assert_eq!(backward.len(), 4);
    assert_eq!(corruption(page(ReadDirection::Forward, 2, 2).await), (1, 6));
    corruption(page(ReadDirection::Backward, 0, 5).await);
    // Who reads the log by position can look at what is left.
    assert_eq!(store.read_all_after(0, 10).await.unwrap().len(), 5);
}

async fn a_hole_is_seen_beyond_the_first_page<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    for _ in 0..5 {
        append(&store, "account-ann", vec![1; 500]).await;
    }
    let root = store.load::<Account>("ann").await.unwrap().unwrap();
    assert_eq!((root.version, root.state.balance), (2500, 2500));
    change(
        &store,
        "DELETE FROM mire_events WHERE stream_version = 2200",
    )
    .await;
    for found in folds(&cold(&store)).await {
        assert_eq!(found, (2199, 2500));
    }
    change(
        &store,
        "DELETE FROM mire_events WHERE stream_version > 1000",
    )
    .await;
    for found in folds(&cold(&store)).await {
        assert_eq!(found, (1000, 2500));
    }
}
