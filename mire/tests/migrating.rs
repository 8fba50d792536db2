//! Bringing the schema up to date: from many processes at once, and beside somebody's own
//! migrations.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use crate::common::backends::TestBackend;
use crate::common::process;
use crate::common::projections::append;
use mire::{Backend, EventStore, EventStoreError};
use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// The URL that the other process works on; unset in the test run itself.
const CHILD_URL: &str = "MIRE_TEST_CHILD_URL";

fn say(what: &str) {
    // `println!` goes through the test harness.
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{what}").unwrap();
    out.flush().unwrap();
}

#[tokio::test]
async fn child_that_migrates() {
    let Ok(url) = std::env::var(CHILD_URL) else {
        return;
    };
    async fn work<DB: Backend>(store: Result<EventStore<DB>, EventStoreError>) {
        let store = store.unwrap();
        store.migrate().await.unwrap();
        append(&store, "account-all", [1]).await;
    }
    say("ready");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    if url.starts_with("postgres") {
        #[cfg(feature = "postgres")]
        work::<mire::Postgres>(EventStore::open(&url).await).await;
    } else {
        #[cfg(feature = "sqlite")]
        work::<mire::Sqlite>(EventStore::open(&url).await).await;
    }
    say("migrated");
}

struct Process {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Process {
    fn start(url: &str) -> Self {
        let mut child = process::again(module_path!(), "child_that_migrates")
            .env(CHILD_URL, url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self {
            child,
            stdin,
            stdout: BufReader::new(stdout),
        }
    }

    fn hear(&mut self, what: &str) {
        let mut line = String::new();
        while line.trim() != what {
            line.clear();
            let bytes = self.stdout.read_line(&mut line).unwrap();
            assert!(bytes > 0, "the process ended without saying `{what}`");
        }
    }
}

/// Ten processes, all of them at the very start.
fn migrate_from_ten_processes(url: &str) {
    let mut processes: Vec<Process> = (0..10).map(|_| Process::start(url)).collect();
    for process in &mut processes {
        process.hear("ready");
    }
    for process in &mut processes {
        process.stdin.write_all(b"go\n").unwrap();
    }
    for mut process in processes {
        process.hear("migrated");
        assert!(process.child.wait().unwrap().success());
    }
}

async fn assert_migrated_once_and_written_ten_times<DB: TestBackend>(store: &EventStore<DB>) {
    let twice = "SELECT count(*) - count(DISTINCT version) FROM mire_migrations";
    assert_eq!(DB::number(store, twice).await, 0);
    let failed = "SELECT count(*) FROM mire_migrations WHERE NOT success";
    assert_eq!(DB::number(store, failed).await, 0);
    let events = store.read_stream_all("account-all", 0).await.unwrap();
    assert_eq!(events.len(), 10);
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_processes_migrate_one_server_at_once() {
    let database = mire_testkit::test_database().await;
    tokio::task::block_in_place(|| migrate_from_ten_processes(database.url()));
    assert_migrated_once_and_written_ten_times(&EventStore::new(database.pool())).await;
}

#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_processes_migrate_one_file_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}/bank.db", folder.path().display());
    tokio::task::block_in_place(|| migrate_from_ten_processes(&url));
    let store = mire::open::<mire::Sqlite>(&url).await.unwrap();
    assert_migrated_once_and_written_ten_times(&store).await;
}

/// Somebody's own migrations, under the numbers that ours have, too.
fn theirs() -> Migrator {
    let migration = |version, sql: &'static str| {
        Migration::new(
            version,
            "theirs".into(),
            MigrationType::Simple,
            sql.into_sql_str(),
            false,
        )
    };
    Migrator::with_migrations(vec![
        migration(1, "CREATE TABLE customers (name text NOT NULL)"),
        migration(2, "INSERT INTO customers VALUES ('ann')"),
    ])
}

/// What differs between the backends here.
trait Neighbours: TestBackend {
    /// A store without any tables.
    async fn bare() -> (EventStore<Self>, Box<dyn std::any::Any + Send>);

    async fn run_theirs(store: &EventStore<Self>);
}

#[cfg(feature = "postgres")]
impl Neighbours for mire::Postgres {
    async fn bare() -> (EventStore<Self>, Box<dyn std::any::Any + Send>) {
        let database = mire_testkit::test_database().await;
        (EventStore::new(database.pool()), Box::new(database))
    }

    async fn run_theirs(store: &EventStore<Self>) {
        theirs().run(store.pool()).await.unwrap();
    }
}

#[cfg(feature = "sqlite")]
impl Neighbours for mire::Sqlite {
    async fn bare() -> (EventStore<Self>, Box<dyn std::any::Any + Send>) {
        let folder = tempfile::tempdir().unwrap();
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(folder.path().join("bank.db"))
            .create_if_missing(true)
            .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal)
            .synchronous(sqlx::sqlite::SqliteSynchronous::Full);
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        (EventStore::new(pool), Box::new(folder))
    }

    async fn run_theirs(store: &EventStore<Self>) {
        theirs().run(store.pool()).await.unwrap();
    }
}

conformance!(
    somebodys_own_migrations_are_left_alone_in_both_orders,
    a_newer_release_may_have_been_there_and_an_altered_migration_is_refused,
);

async fn somebodys_own_migrations_are_left_alone_in_both_orders<DB: Neighbours>() {
    for ours_first in [true, false] {
        let (store, _database) = DB::bare().await;
        if ours_first {
            store.migrate().await.unwrap();
            DB::run_theirs(&store).await;
        } else {
            DB::run_theirs(&store).await;
            store.migrate().await.unwrap();
        }
        // And again, as at every start of a service.
        for _ in 0..2 {
            DB::run_theirs(&store).await;
            store.migrate().await.unwrap();
        }
        let customers = "SELECT count(*) FROM customers";
        assert_eq!(DB::number(&store, customers).await, 1);
        let theirs = "SELECT count(*) FROM _sqlx_migrations";
        assert_eq!(DB::number(&store, theirs).await, 2);
        append(&store, "account-ann", [1]).await;
    }
}

async fn a_newer_release_may_have_been_there_and_an_altered_migration_is_refused<DB: Neighbours>() {
    let (store, _database) = DB::bare().await;
    store.migrate().await.unwrap();
    let run = async |sql| DB::run(&mut *store.pool().acquire().await.unwrap(), sql).await;
    run("INSERT INTO mire_migrations
           (version, description, installed_on, success, checksum, execution_time)
         SELECT 9999, 'of a newer release', installed_on, success, checksum, execution_time
           FROM mire_migrations WHERE version = 1")
    .await;
    store.migrate().await.unwrap();
    append(&store, "account-ann", [1]).await;

    run("UPDATE mire_migrations
            SET checksum = (SELECT checksum FROM mire_migrations WHERE version = 2)
          WHERE version = 1")
    .await;
    let error = store.migrate().await.unwrap_err();
    assert!(matches!(error, EventStoreError::Migration(_)), "{error:?}");
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains('1'), "{source}");
    append(&store, "account-ann", [2]).await;
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn waiting_for_another_migration_is_bounded_and_what_failed_leaves_nothing() {
    let database = mire_testkit::test_database().await;
    let store = EventStore::new(database.pool());
    let mut other = database.pool().begin().await.unwrap();
    sqlx::query(
        "SELECT pg_advisory_xact_lock(hashtextextended('mire_migrations ' || current_schema(), 0))",
    )
    .execute(&mut *other)
    .await
    .unwrap();
    let started = std::time::Instant::now();
    let error = store
        .migrate_with_lock_timeout(std::time::Duration::from_millis(200))
        .await
        .unwrap_err();
    assert_eq!(
        error.db_kind(),
        Some(mire::DbErrorKind::LockTimeout),
        "{error:?}"
    );
    assert!(error.is_retryable());
    assert!(started.elapsed() < std::time::Duration::from_secs(5));
    other.rollback().await.unwrap();

    // Somebody has a table of the second migration's: nothing of the first one stays either.
    sqlx::raw_sql("CREATE TABLE mire_parked (x int)")
        .execute(store.pool())
        .await
        .unwrap();
    let error = store.migrate().await.unwrap_err();
    assert!(matches!(error, EventStoreError::Database(_)), "{error:?}");
    let tables = "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relname LIKE 'mire%'";
    assert_eq!(
        <mire::Postgres as TestBackend>::number(&store, tables).await,
        1
    );
    sqlx::raw_sql("DROP TABLE mire_parked")
        .execute(store.pool())
        .await
        .unwrap();
    store.migrate().await.unwrap();
}

/// A service needs no right to create anything, once somebody else has migrated.
#[cfg(feature = "postgres")]
#[tokio::test]
async fn a_role_that_may_not_create_opens_what_is_migrated() {
    use crate::common::projections::{PATIENCE, Plain, caught_up, fast, start, stop};
    use sqlx::postgres::PgPoolOptions;

    let database = mire_testkit::test_database().await;
    let owner = EventStore::<mire::Postgres>::new(database.pool());
    let role = format!("mire_clerk_{}", uuid::Uuid::new_v4().simple());
    let admin = |sql: &str| sqlx::raw_sql(sqlx::AssertSqlSafe(sql.replace("clerk", &role)));
    admin("CREATE ROLE clerk; GRANT USAGE ON SCHEMA public TO clerk")
        .execute(owner.pool())
        .await
        .unwrap();
    let become_clerk = format!("SET ROLE {role}");
    let pool = PgPoolOptions::new()
        .max_connections(8)
        .after_connect(move |conn, _| {
            let become_clerk = sqlx::AssertSqlSafe(become_clerk.clone());
            Box::pin(async move {
                sqlx::raw_sql(become_clerk).execute(conn).await?;
                Ok(())
            })
        })
        .connect(database.url())
        .await
        .unwrap();
    let store = EventStore::<mire::Postgres>::new(pool);
    let refused = store.migrate().await.unwrap_err();
    let said = refused.to_string();
    for part in ["permission denied for schema public", "`migrate`", "INSERT"] {
        assert!(said.contains(part), "{said}");
    }

    owner.migrate().await.unwrap();
    admin(
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO clerk;
         GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA public TO clerk",
    )
    .execute(owner.pool())
    .await
    .unwrap();
    store.migrate().await.unwrap();
    append(&store, "account-ann", [1, 2]).await;
    let plain = Plain::new();
    let running = start(fast(&store, "a").subscribe("s", plain.clone()));
    caught_up(&store).await;
    stop(running).await;
    assert_eq!(plain.got(), [1, 2]);

    // A table of a projection's own is too much, and no matter of waiting.
    type One = crate::common::tables::Balance<1>;
    let refused = fast(&store, "a").subscribe_table::<One>().build();
    let ended = refused.run(tokio_util::sync::CancellationToken::new());
    let ended = tokio::time::timeout(PATIENCE, ended)
        .await
        .expect("it ends");
    let said = format!("{:#}", ended.unwrap_err());
    assert!(
        said.contains("permission denied for schema public"),
        "{said}"
    );

    store.pool().close().await;
    admin("DROP OWNED BY clerk; DROP ROLE clerk")
        .execute(owner.pool())
        .await
        .unwrap();
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn two_stores_live_in_two_schemas_of_one_database() {
    use sqlx::postgres::PgPoolOptions;

    let database = mire_testkit::test_database().await;
    sqlx::raw_sql("CREATE SCHEMA one; CREATE SCHEMA two")
        .execute(&database.pool())
        .await
        .unwrap();
    let mut stores = Vec::new();
    for schema in ["one", "two"] {
        let pool = PgPoolOptions::new()
            .max_connections(4)
            .connect(&format!(
                "{}?options=-c%20search_path%3D{schema}",
                database.url()
            ))
            .await
            .unwrap();
        let store = EventStore::<mire::Postgres>::new(pool);
        store.migrate().await.unwrap();
        stores.push(store);
    }
    append(&stores[0], "account-ann", [1, 2, 3]).await;
    append(&stores[1], "account-ann", [4]).await;
    assert_eq!(stores[0].read_all_after(0, 10).await.unwrap().len(), 3);
    assert_eq!(stores[1].read_all_after(0, 10).await.unwrap().len(), 1);
    let plain = crate::common::projections::Plain::new();
    let running = crate::common::projections::start(
        crate::common::projections::fast(&stores[1], "a").subscribe("s", plain.clone()),
    );
    crate::common::projections::caught_up(&stores[1]).await;
    crate::common::projections::stop(running).await;
    assert_eq!(plain.got(), [1]);
    assert_eq!(stores[0].checkpoint("s").await.unwrap(), None);
}
