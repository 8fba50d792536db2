//! What stands in the way of a table's leader: a replica that was stopped while it has the registry of
//! versions, locks of others, a log that can't be read. Each wait has a bound, and others hear of it.

use std::time::Duration;

use crate::common::backends::TestBackend;
use crate::common::deposited;
use crate::common::projections::{PATIENCE, append, fast, start, stop, until};
use crate::common::tables::Balance;
use mire::table;
use mire::{Event, EventStore, ExpectedVersion};

type One = Balance<1>;

async fn hindrance<DB: TestBackend>(store: &EventStore<DB>) -> Option<String> {
    let status = table::status::<One, DB>(store).await.unwrap();
    status.own().and_then(|own| own.hindrance.clone())
}

async fn hindered<DB: TestBackend>(store: &EventStore<DB>, by: &str) {
    until("it says what hinders it", || async {
        hindrance(store).await.is_some_and(|text| text.contains(by))
    })
    .await;
}

async fn a_log_that_cannot_be_read_hinders_a_table_until_it_can<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let run = async |sql| {
        let mut conn = store.pool().acquire().await.unwrap();
        DB::run(&mut conn, sql).await;
    };
    append(&store, "account-1", 1..=10).await;
    let running = start(fast(&store, "a").subscribe_table::<One>());
    store.wait_for("balances", 10, PATIENCE).await.unwrap();
    // Together with an event to read. A write comes first, so that it has SQLite's file to itself.
    {
        let mut conn = store.pool().acquire().await.unwrap();
        DB::run(
            &mut conn,
            "BEGIN; UPDATE mire_tables SET generation = generation",
        )
        .await;
        let event = [Event::new(deposited(11))];
        let any = ExpectedVersion::Any;
        let appended = store.append_in_tx(&mut conn, "account-1", "account", any, &event);
        appended.await.unwrap();
        DB::run(
            &mut conn,
            "ALTER TABLE mire_events RENAME TO out_of_reach; COMMIT",
        )
        .await;
    }
    // `status` reads the log, too, on SQLite.
    until("it says what hinders it", || async {
        let hindered = "SELECT count(*) FROM mire_table_versions
                         WHERE hindrance LIKE 'the log can''t be read%'";
        DB::number(&store, hindered).await == 1
    })
    .await;
    run("ALTER TABLE out_of_reach RENAME TO mire_events").await;
    until("nothing hinders it", || async {
        hindrance(&store).await.is_none()
    })
    .await;
    store.wait_for("balances", 11, PATIENCE).await.unwrap();
    stop(running).await;
}

conformance!(a_log_that_cannot_be_read_hinders_a_table_until_it_can);

/// On SQLite a process that is stopped while it writes holds up all others, whatever it writes.
#[cfg(feature = "postgres")]
mod on_postgres {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::common::projections::leader;
    use futures_util::future::BoxFuture;
    use mire::{
        Batch, DbErrorKind, EventStoreError, Failure, Postgres, StoreOptions, TableProjection,
        TransactionalPageHandler,
    };
    use sqlx::PgConnection;

    /// As a replica that is stopped within `prepare` has it.
    const HOLD: &str = "SELECT * FROM mire_tables FOR UPDATE";

    async fn folds_on(store: &EventStore, position: i64) {
        append(store, "account-1", [position]).await;
        let soon = Duration::from_secs(4);
        let folded = store.wait_for("balances", position, soon).await;
        folded.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_replica_that_is_stopped_in_the_registry_stops_no_folding() {
        let (store, _database) = Postgres::fresh().await;
        append(&store, "account-1", 1..=10).await;
        // They look after the table all the time.
        let often = |worker| fast(&store, worker).take_over_after(Duration::from_millis(100));
        let [a, b] = ["a", "b"].map(|worker| start(often(worker).subscribe_table::<One>()));
        store.wait_for("balances", 10, PATIENCE).await.unwrap();
        let id = One::TABLE.subscription_id();
        let (led_by, token) = leader(&store, &id).await.unwrap();
        let mut stopped = store.pool().begin().await.unwrap();
        sqlx::query(HOLD).execute(&mut *stopped).await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        folds_on(&store, 11).await;
        // Nor does it keep another one from leading.
        let (first, second) = if led_by == "a" { (a, b) } else { (b, a) };
        stop(first).await;
        folds_on(&store, 12).await;
        folds_on(&store, 13).await;
        assert_ne!(leader(&store, &id).await.unwrap().1, token);
        // A new version waits, and starts as soon as it can.
        let new = start(often("c").subscribe_table::<Balance<2>>());
        tokio::time::sleep(Duration::from_millis(300)).await;
        let status = table::status::<One, Postgres>(&store).await.unwrap();
        assert_eq!(status.versions.len(), 1);
        stopped.rollback().await.unwrap();
        table::wait_for::<Balance<2>, Postgres>(&store, 13, PATIENCE)
            .await
            .unwrap();
        until("it serves", || async {
            let status = table::status::<Balance<2>, Postgres>(&store).await.unwrap();
            status.own().is_some_and(|own| own.serving)
        })
        .await;
        stop(second).await;
        stop(new).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_stopped_leader_of_the_version_that_serves_hinders_a_swap_and_no_folding() {
        type Two = Balance<2>;
        let (store, _database) = Postgres::fresh().await;
        append(&store, "account-1", 1..=10).await;
        let old = start(fast(&store, "a").subscribe_table::<One>());
        store.wait_for("balances", 10, PATIENCE).await.unwrap();
        stop(old).await;
        let mut stopped = store.pool().begin().await.unwrap();
        sqlx::query("SELECT * FROM mire_checkpoints FOR UPDATE")
            .execute(&mut *stopped)
            .await
            .unwrap();
        let new = start(fast(&store, "b").subscribe_table::<Two>());
        until("it says what hinders it", || async {
            let status = table::status::<Two, Postgres>(&store).await.unwrap();
            let own = status.own().and_then(|own| own.hindrance.as_deref());
            own.is_some_and(|text| text.contains("`balances@00000001`; if the process"))
        })
        .await;
        append(&store, "account-1", [11]).await;
        let id = Two::TABLE.subscription_id();
        let soon = Duration::from_secs(4);
        store.wait_for(&id, 11, soon).await.unwrap();
        stopped.rollback().await.unwrap();
        until("it serves", || async {
            let status = table::status::<Two, Postgres>(&store).await.unwrap();
            status.own().is_some_and(|own| own.serving)
        })
        .await;
        stop(new).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn who_locks_a_table_for_long_hinders_its_leader_in_the_open() {
        let (store, _database) = Postgres::fresh().await;
        let options = StoreOptions::default().lock_timeout(Duration::from_millis(300));
        let impatient = EventStore::with_options(store.pool().clone(), options);
        append(&store, "account-1", 1..=10).await;
        let running = start(fast(&impatient, "a").subscribe_table::<One>());
        store.wait_for("balances", 10, PATIENCE).await.unwrap();
        let mut indexing = store.pool().begin().await.unwrap();
        sqlx::query("LOCK TABLE balances__00000001 IN SHARE MODE")
            .execute(&mut *indexing)
            .await
            .unwrap();
        append(&store, "account-1", [11]).await;
        hindered(&store, "lock timeout").await;
        indexing.rollback().await.unwrap();
        store.wait_for("balances", 11, PATIENCE).await.unwrap();
        until("nothing hinders it", || async {
            hindrance(&store).await.is_none()
        })
        .await;
        stop(running).await;
    }

    /// Notes the limits of the transaction that it is prepared in; and is silent for too long in it,
    /// the first time.
    #[derive(Clone, Default)]
    struct Silent(Arc<Mutex<Vec<(String, String)>>>);

    impl TransactionalPageHandler for Silent {
        fn categories(&self) -> Vec<String> {
            Vec::new()
        }

        fn prepare<'a>(&'a self, conn: &'a mut PgConnection) -> BoxFuture<'a, anyhow::Result<()>> {
            Box::pin(async move {
                let limits = "SELECT current_setting('idle_in_transaction_session_timeout'),
                                     current_setting('lock_timeout')";
                let limits = sqlx::query_as(limits).fetch_one(&mut *conn).await?;
                let first = {
                    let mut seen = self.0.lock().unwrap();
                    seen.push(limits);
                    seen.len() == 1
                };
                if first {
                    sqlx::raw_sql("SET LOCAL idle_in_transaction_session_timeout = 50")
                        .execute(&mut *conn)
                        .await?;
                    tokio::time::sleep(Duration::from_millis(500)).await;
                    let late = sqlx::raw_sql("SELECT 1").execute(&mut *conn).await;
                    let late = EventStoreError::from(late.unwrap_err());
                    assert_eq!(late.db_kind(), Some(DbErrorKind::Connection), "{late:?}");
                    return Err(late.into());
                }
                Ok(())
            })
        }

        fn handle<'a>(
            &'a self,
            batch: &'a Batch,
            _: &'a mut PgConnection,
        ) -> BoxFuture<'a, Result<(), Failure>> {
            Box::pin(async move {
                while batch.next().is_some() {}
                Ok(())
            })
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_silent_process_has_its_preparations_ended_and_begins_again() {
        let (store, _database) = Postgres::fresh().await;
        append(&store, "account-1", 1..=10).await;
        let handler = Silent::default();
        let running = start(fast(&store, "a").subscribe_pages_transactional("s", handler.clone()));
        store.wait_for("s", 10, PATIENCE).await.unwrap();
        stop(running).await;
        let limits = ("30s".to_owned(), "30s".to_owned());
        assert_eq!(*handler.0.lock().unwrap(), [limits.clone(), limits]);
    }
}
