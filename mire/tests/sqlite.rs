//! What is SQLite's own: one writer, the store in memory, files and their settings.
#![cfg(feature = "sqlite")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::common::projections::fast;
use crate::common::tables::Balance;
use crate::common::{Account, deposited};
use mire::{
    AggregateRoot, Appended, DbErrorKind, Event, EventStore, EventStoreError, ExpectedVersion,
    Sqlite, StoreOptions,
};
use sqlx::Connection;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use tokio_util::sync::CancellationToken;

fn url(folder: &tempfile::TempDir) -> String {
    format!("sqlite:{}/bank.db", folder.path().display())
}

fn options(folder: &tempfile::TempDir) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(folder.path().join("bank.db"))
        .create_if_missing(true)
}

async fn deposit(store: &EventStore<Sqlite>, stream: &str) -> Result<Appended, EventStoreError> {
    let events = [Event::new(deposited(1))];
    store
        .append(stream, "account", ExpectedVersion::Any, &events)
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_writers_and_as_many_readers_get_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = mire::open::<Sqlite>(&url(&folder)).await.unwrap();
    let mut tasks = Vec::new();
    for n in 0..64 {
        let writer = store.clone();
        tasks.push(tokio::spawn(async move {
            for _ in 0..5 {
                deposit(&writer, &format!("account-{n}")).await.unwrap();
                let mut scope = writer.begin_transaction().await.unwrap();
                let mut root = scope.load_or_default::<Account>("all").await.unwrap();
                root.record(deposited(1));
                scope.save(&mut root).await.unwrap();
                scope.commit().await.unwrap();
            }
        }));
        let reader = store.clone();
        tasks.push(tokio::spawn(async move {
            let mut last = 0;
            for _ in 0..20 {
                let events = reader.read_all_after(last, 100).await.unwrap();
                for event in events {
                    assert_eq!(
                        event.global_position,
                        last + 1,
                        "a position was stepped over"
                    );
                    last = event.global_position;
                }
                reader.load::<Account>("all").await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let all = store.load::<Account>("all").await.unwrap().unwrap();
    assert_eq!((all.version, all.state.balance), (320, 320));
    assert_eq!(store.safe_head().await.unwrap().position, 640);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_go_on_while_a_writer_is_open() {
    for url in ["file", "memory"] {
        let folder = tempfile::tempdir().unwrap();
        let url = if url == "file" {
            self::url(&folder)
        } else {
            "sqlite::memory:".to_owned()
        };
        let store = mire::open::<Sqlite>(&url).await.unwrap();
        deposit(&store, "account-ann").await.unwrap();
        let mut scope = store.begin_transaction().await.unwrap();
        sqlx::raw_sql("CREATE TABLE mine (x)")
            .execute(&mut **scope.tx())
            .await
            .unwrap();
        let started = Instant::now();
        assert!(store.load::<Account>("ann").await.unwrap().is_some());
        assert_eq!(store.read_all_after(0, 10).await.unwrap().len(), 1);
        assert!(started.elapsed() < Duration::from_secs(2), "{url}");
    }
}

#[tokio::test]
async fn a_save_beside_the_tasks_own_scope_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let store = EventStore::<Sqlite>::with_options(
        SqlitePoolOptions::new().connect_lazy_with(options(&folder)),
        StoreOptions::default().lock_timeout(Duration::from_millis(200)),
    );
    store.migrate().await.unwrap();
    let scope = store.begin_transaction().await.unwrap();
    let mut root = AggregateRoot::<Account>::new("ann");
    root.record(deposited(1));
    let error = store.save(&mut root).await.unwrap_err();
    assert!(
        matches!(error, EventStoreError::WriterBusy { .. }),
        "{error:?}"
    );
    assert_eq!(error.db_kind(), Some(DbErrorKind::LockTimeout));
    assert!(error.to_string().contains("TransactionScope"), "{error}");
    assert!(root.has_pending());
    drop(scope);
    store.save(&mut root).await.unwrap();
}

#[tokio::test]
async fn a_store_in_memory_is_its_own_and_goes_with_its_last_handle() {
    let started = Instant::now();
    let one = mire::open::<Sqlite>("sqlite::memory:").await.unwrap();
    let two = mire::open::<Sqlite>("sqlite::memory:").await.unwrap();
    assert!(
        started.elapsed() < Duration::from_secs(1),
        "{:?}",
        started.elapsed()
    );
    deposit(&one, "account-ann").await.unwrap();
    assert_eq!(one.read_all_after(0, 10).await.unwrap().len(), 1);
    assert!(two.read_all_after(0, 10).await.unwrap().is_empty());

    let file = one.pool().connect_options().get_filename().to_owned();
    let pool = one.pool().clone();
    drop(one);
    assert!(file.exists(), "the pool still lives");
    pool.close().await;
    drop(pool);
    let deadline = Instant::now() + Duration::from_secs(5);
    while file.exists() {
        assert!(
            Instant::now() < deadline,
            "{} was left behind",
            file.display()
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!file.parent().is_some_and(Path::exists));
}

#[tokio::test]
async fn pools_that_would_break_a_promise_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let pool = SqlitePoolOptions::new()
        .connect_lazy_with(options(&folder).synchronous(SqliteSynchronous::Normal));
    let error = EventStore::<Sqlite>::new(pool)
        .migrate()
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("synchronous") && error.contains("FULL"),
        "{error}"
    );

    let pool = SqlitePoolOptions::new()
        .connect("sqlite::memory:")
        .await
        .unwrap();
    let error = EventStore::<Sqlite>::new(pool)
        .migrate()
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("mire::open(\"sqlite::memory:\")"), "{error}");

    // A file in another journal mode is changed over.
    let pool = SqlitePoolOptions::new()
        .connect_with(options(&folder).journal_mode(SqliteJournalMode::Delete))
        .await
        .unwrap();
    let store = EventStore::<Sqlite>::new(pool);
    store.migrate().await.unwrap();
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode")
        .fetch_one(store.pool())
        .await
        .unwrap();
    assert_eq!(mode, "wal");
}

/// SQLite answers at once that such a file is locked, whatever its busy timeout is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_in_use_without_wal_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let old = options(&folder).journal_mode(SqliteJournalMode::Delete);
    let mut other = SqliteConnection::connect_with(&old).await.unwrap();
    sqlx::query("CREATE TABLE theirs (a INTEGER)")
        .execute(&mut other)
        .await
        .unwrap();

    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut other)
        .await
        .unwrap();
    let pool = SqlitePoolOptions::new()
        .connect_with(options(&folder).synchronous(SqliteSynchronous::Full))
        .await
        .unwrap();
    let store = EventStore::<Sqlite>::new(pool);
    let limit = Duration::from_millis(200);
    let locked = store.migrate_with_lock_timeout(limit).await.unwrap_err();
    assert_eq!(locked.db_kind(), Some(DbErrorKind::LockTimeout), "{locked}");

    let waiting = store.clone();
    let waiting = tokio::spawn(async move { waiting.migrate().await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!waiting.is_finished());
    sqlx::query("COMMIT").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    waiting.await.unwrap().unwrap();
    assert_eq!(deposit(&store, "account-a").await.unwrap().version, 1);
}

#[tokio::test]
async fn a_url_of_another_kind_is_refused() {
    let error = mire::open::<Sqlite>("postgres://localhost/x")
        .await
        .unwrap_err();
    assert!(error.to_string().contains("sqlite:bank.db"), "{error}");
    let error = mire::open_any("mysql://localhost/x").await.unwrap_err();
    assert!(error.to_string().contains("`mysql`"), "{error}");
    let error = mire::open::<Sqlite>("sqlite:/no/such/folder/bank.db")
        .await
        .unwrap_err();
    assert!(matches!(error, EventStoreError::File { .. }), "{error:?}");
    assert!(
        error.to_string().contains("/no/such/folder/bank.db"),
        "{error}"
    );
}

#[tokio::test]
async fn a_full_disk_is_a_clear_error_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    // A limit on pages fails as a full disk does.
    let pool = SqlitePoolOptions::new()
        .max_connections(2)
        .connect_with(options(&folder).pragma("max_page_count", "60"))
        .await
        .unwrap();
    let store = EventStore::<Sqlite>::new(pool);
    store.migrate().await.unwrap();
    let mut acknowledged = 0;
    let error = loop {
        let mut root = store.load_or_default::<Account>("ann").await.unwrap();
        root.record_many((0..20).map(|_| deposited(1)));
        match store.save(&mut root).await {
            Ok(_) => acknowledged = root.version,
            Err(error) => {
                assert!(root.has_pending());
                break error;
            }
        }
    };
    assert_eq!(error.db_kind(), Some(DbErrorKind::Storage), "{error:?}");
    assert!(acknowledged > 0);
    for _ in 0..5 {
        // Neither a connection nor the turn is spoilt.
        let error = store
            .append(
                "account-bob",
                "account",
                ExpectedVersion::Any,
                &vec![Event::new(deposited(1)); 2000],
            )
            .await
            .unwrap_err();
        assert_eq!(error.db_kind(), Some(DbErrorKind::Storage), "{error:?}");
    }
    let reopened = mire::open::<Sqlite>(&url(&folder)).await.unwrap();
    let root = reopened.load::<Account>("ann").await.unwrap().unwrap();
    assert_eq!(root.version, acknowledged);
    assert!(!reopened.stream_exists::<Account>("bob").await.unwrap());
    deposit(&reopened, "account-bob").await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_read_only_is_a_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    let store = mire::open::<Sqlite>(&url(&folder)).await.unwrap();
    deposit(&store, "account-ann").await.unwrap();
    let pool = SqlitePoolOptions::new()
        .connect_with(options(&folder).create_if_missing(false).read_only(true))
        .await
        .unwrap();
    let reader = EventStore::<Sqlite>::new(pool);
    let error = deposit(&reader, "account-ann").await.unwrap_err();
    assert_eq!(error.db_kind(), Some(DbErrorKind::Storage), "{error:?}");
    assert_eq!(reader.read_all_after(0, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_store_on_a_url_that_only_reads_reads_and_refuses_to_write() {
    let folder = tempfile::tempdir().unwrap();
    let store = mire::open::<Sqlite>(&url(&folder)).await.unwrap();
    deposit(&store, "account-ann").await.unwrap();
    let read_only = format!("{}?mode=ro", url(&folder));
    let reader = mire::open::<Sqlite>(&read_only).await.unwrap();
    assert_eq!(reader.read_all_after(0, 10).await.unwrap().len(), 1);
    let missing = read_only.replace("bank.db", "missing.db");
    for error in [
        deposit(&reader, "account-ann").await.unwrap_err(),
        mire::open::<Sqlite>(&missing).await.unwrap_err(),
    ] {
        assert!(matches!(error, EventStoreError::File { .. }), "{error:?}");
        assert!(error.to_string().contains("mode=ro"), "{error}");
        assert_eq!(error.db_kind(), Some(DbErrorKind::Storage));
        assert!(!error.is_retryable());
    }
    deposit(&store, "account-ann").await.unwrap();
}

/// A store whose connections wait for a moment only.
async fn hasty(folder: &tempfile::TempDir) -> EventStore<Sqlite> {
    let options = options(folder).busy_timeout(Duration::from_millis(100));
    let pool = SqlitePoolOptions::new().connect_lazy_with(options);
    let store = EventStore::<Sqlite>::new(pool);
    store.migrate().await.unwrap();
    store
}

async fn deposit_in(
    store: &EventStore<Sqlite>,
    tx: &mut sqlx::SqliteTransaction<'_>,
) -> Result<Appended, EventStoreError> {
    let events = [Event::new(deposited(1))];
    store
        .append_in_tx(tx, "account-ann", "account", ExpectedVersion::Any, &events)
        .await
}

#[tokio::test]
async fn an_append_in_a_transaction_of_ones_own_is_no_matter_of_luck() {
    let folder = tempfile::tempdir().unwrap();
    let store = hasty(&folder).await;

    // It begins to write before it reads, so what others wrote since it began doesn't matter.
    let mut tx = store.pool().begin().await.unwrap();
    deposit(&store, "account-ann").await.unwrap();
    assert_eq!(deposit_in(&store, &mut tx).await.unwrap().version, 2);
    tx.commit().await.unwrap();

    // One that has read can't go on from there.
    let read = "SELECT count(*) FROM mire_events";
    let mut tx = store.pool().begin().await.unwrap();
    sqlx::query(read).fetch_one(&mut *tx).await.unwrap();
    deposit(&store, "account-ann").await.unwrap();
    let error = deposit_in(&store, &mut tx).await.unwrap_err();
    assert!(
        matches!(error, EventStoreError::DeferredTransaction(_)),
        "{error:?}"
    );
    assert!(error.to_string().contains("BEGIN IMMEDIATE"), "{error}");
    assert!(error.is_retryable());
    tx.rollback().await.unwrap();

    // Nor can one that finds somebody else at it.
    let scope = store.begin_transaction().await.unwrap();
    let mut tx = store.pool().begin().await.unwrap();
    let error = deposit_in(&store, &mut tx).await.unwrap_err();
    assert!(
        matches!(error, EventStoreError::DeferredTransaction(_)),
        "{error:?}"
    );
    tx.rollback().await.unwrap();
    scope.rollback().await.unwrap();

    // As the message says.
    let begin = store.pool().begin_with("BEGIN IMMEDIATE");
    let mut tx = begin.await.unwrap();
    sqlx::query(read).fetch_one(&mut *tx).await.unwrap();
    assert_eq!(deposit_in(&store, &mut tx).await.unwrap().version, 4);
    tx.commit().await.unwrap();
    assert_eq!(store.read_all_after(0, 10).await.unwrap().len(), 4);
}

/// Two stores that know nothing of each other, as those of two processes do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_is_slow_time_after_time_lets_others_in() {
    let folder = tempfile::tempdir().unwrap();
    let slow = mire::open::<Sqlite>(&url(&folder)).await.unwrap();
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    let slow = tokio::spawn(async move {
        loop {
            let scope = slow.begin_transaction().await.unwrap();
            tokio::time::sleep(Duration::from_millis(150)).await;
            scope.commit().await.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    // Its schema is there, so opening it takes no turn.
    let pool = SqlitePoolOptions::new().connect_lazy_with(options(&folder));
    let store = EventStore::<Sqlite>::with_options(
        pool,
        StoreOptions::default().lock_timeout(Duration::from_secs(3)),
    );
    store
        .migrate_with_lock_timeout(Duration::ZERO)
        .await
        .unwrap();
    for _ in 0..20 {
        deposit(&store, "account-ann").await.unwrap();
        // Else several would get in through one gap.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    slow.abort();
    // One for each save, had everybody been on time.
    let written = written.load(Ordering::SeqCst);
    assert!(written < 35, "{written}");
}

/// A store whose writers wait for a moment only.
fn impatient(options: SqliteConnectOptions) -> EventStore<Sqlite> {
    EventStore::with_options(
        SqlitePoolOptions::new().connect_lazy_with(options),
        StoreOptions::default().lock_timeout(Duration::from_millis(300)),
    )
}

#[tokio::test]
async fn a_wait_for_another_store_on_the_file_is_told_in_full() {
    let folder = tempfile::tempdir().unwrap();
    let other = mire::open::<Sqlite>(&url(&folder)).await.unwrap();
    let store = impatient(options(&folder));
    let scope = other.begin_transaction().await.unwrap();
    let started = Instant::now();
    let error = deposit(&store, "account-ann").await.unwrap_err();
    assert!(
        started.elapsed() < Duration::from_secs(3),
        "{:?}",
        started.elapsed()
    );
    let EventStoreError::WriterBusy { waited } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(*waited, Duration::from_millis(300));
    for part in [
        "300ms",
        "TransactionScope",
        "another process",
        "lock_timeout",
    ] {
        assert!(error.to_string().contains(part), "{error}");
    }
    scope.rollback().await.unwrap();
    deposit(&store, "account-ann").await.unwrap();

    // Its connections wait as they did before.
    let waits: i64 = sqlx::query_scalar("PRAGMA busy_timeout")
        .fetch_one(store.pool())
        .await
        .unwrap();
    assert_eq!(waits, 5000);
}

#[tokio::test]
async fn saves_that_travel_together_fail_alike() {
    let folder = tempfile::tempdir().unwrap();
    let store = mire::open::<Sqlite>(&url(&folder)).await.unwrap();
    let reader = mire::open::<Sqlite>(&format!("{}?mode=ro", url(&folder)))
        .await
        .unwrap();
    let impatient = impatient(options(&folder));
    let scope = store.begin_transaction().await.unwrap();
    for n in 0..2 {
        let store = [&reader, &impatient][n];
        let tasks: Vec<_> = (0..12)
            .map(|n| {
                let store = store.clone();
                tokio::spawn(async move { deposit(&store, &format!("account-{}", n % 6)).await })
            })
            .collect();
        for task in tasks {
            let error = task.await.unwrap().unwrap_err();
            let alike = match n {
                0 => matches!(error, EventStoreError::File { .. }),
                _ => matches!(error, EventStoreError::WriterBusy { waited } if !waited.is_zero()),
            };
            assert!(alike, "{error:?}");
        }
    }
    scope.rollback().await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bank.db"), "dear diary, ".repeat(400)).unwrap();
    let lazy = impatient(options(&folder));
    for error in [
        mire::open::<Sqlite>(&url(&folder)).await.unwrap_err(),
        lazy.migrate().await.unwrap_err(),
        deposit(&lazy, "account-ann").await.unwrap_err(),
    ] {
        assert!(
            matches!(error, EventStoreError::NotADatabase { .. }),
            "{error:?}"
        );
        assert!(error.to_string().contains("bank.db"), "{error}");
        assert_eq!(error.db_kind(), Some(DbErrorKind::Storage));
        assert!(!error.is_retryable());
    }
}

#[tokio::test]
async fn a_runner_that_cannot_write_to_the_file_names_it() {
    let folder = tempfile::tempdir().unwrap();
    mire::open::<Sqlite>(&url(&folder)).await.unwrap();
    let reader = mire::open::<Sqlite>(&format!("{}?mode=ro", url(&folder)))
        .await
        .unwrap();
    let builder = fast(&reader, "a").subscribe_table::<Balance<1>>();
    let error = builder
        .build()
        .run(CancellationToken::new())
        .await
        .unwrap_err();
    let said = format!("{error:#}");
    assert!(said.contains("bank.db` can't be written to"), "{said}");
}
