//! The backends that the conformance suite runs on: each test is written once, generic, and
//! instantiated for each by `conformance!`.

use std::any::Any;
use std::future::Future;

use mire::{Backend, EventStore, HandledEvent, TableProjection};
use sqlx::FromRow;

/// What a test needs of a backend beside the store's own interface.
#[allow(async_fn_in_trait)]
pub trait TestBackend: Backend {
    /// Has all versions of tables look as if nobody had led them for an hour.
    const AN_HOUR_WITHOUT_LEADERS: &'static str;

    /// A migrated store of the test's own, and what has to live as long as it.
    async fn fresh() -> (EventStore<Self>, Box<dyn Any + Send>);

    /// Runs a statement that both dialects understand.
    fn run(conn: &mut Self::Connection, sql: &'static str) -> impl Future<Output = ()> + Send;

    /// Asks for a number.
    fn number(store: &EventStore<Self>, sql: &'static str) -> impl Future<Output = i64> + Send;

    /// Whether there is a table or view of this name.
    async fn exists(store: &EventStore<Self>, name: &str) -> bool;

    /// Notes an event in the table `seen`; see [`super::projections`].
    fn note<E: Sync>(
        conn: &mut Self::Connection,
        event: &HandledEvent<E>,
        worker: &str,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Stream and version of what was noted, in the order of the log.
    async fn seen(store: &EventStore<Self>) -> Vec<(String, i64)>;

    /// Reads the rows of a table projection with a statement of one's own.
    async fn rows<P: TableProjection>(store: &EventStore<Self>, sql: &'static str) -> Vec<P>;

    /// Reads rows with a statement of one's own, as `sqlx` does.
    async fn query_as<T>(
        store: &EventStore<Self>,
        sql: &'static str,
    ) -> Result<Vec<T>, sqlx::Error>
    where
        T: for<'r> FromRow<'r, Self::Row> + Send + Unpin;
}

const NOTE: &str = "INSERT INTO seen VALUES ($1, $2, $3, $4)";
const SEEN: &str = "SELECT stream, version FROM seen ORDER BY position";

#[cfg(feature = "postgres")]
impl TestBackend for mire::Postgres {
    const AN_HOUR_WITHOUT_LEADERS: &'static str = "
        UPDATE mire_table_versions SET prepared_at = prepared_at - interval '1 hour',
                                       retired_at = retired_at - interval '1 hour';
        UPDATE mire_leases SET leased_until = leased_until - interval '1 hour'";

    async fn fresh() -> (EventStore<Self>, Box<dyn Any + Send>) {
        let (store, database) = super::store().await;
        (store, Box::new(database))
    }

    async fn run(conn: &mut Self::Connection, sql: &'static str) {
        sqlx::raw_sql(sql).execute(conn).await.unwrap();
    }

    async fn number(store: &EventStore<Self>, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql)
            .fetch_one(store.pool())
            .await
            .unwrap()
    }

    async fn exists(store: &EventStore<Self>, name: &str) -> bool {
        sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
            .bind(name)
            .fetch_one(store.pool())
            .await
            .unwrap()
    }

    async fn note<E: Sync>(
        conn: &mut Self::Connection,
        event: &HandledEvent<E>,
        worker: &str,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(NOTE)
            .bind(event.global_position())
            .bind(event.stream_id())
            .bind(event.stream_version())
            .bind(worker)
            .execute(conn)
            .await?;
        Ok(())
    }

    async fn seen(store: &EventStore<Self>) -> Vec<(String, i64)> {
        sqlx::query_as(SEEN).fetch_all(store.pool()).await.unwrap()
    }

    async fn rows<P: TableProjection>(store: &EventStore<Self>, sql: &'static str) -> Vec<P> {
        let rows = sqlx::query(sql).fetch_all(store.pool()).await.unwrap();
        let rows = rows.iter().map(mire::table::from_row);
        rows.collect::<Result<_, _>>().unwrap()
    }

    async fn query_as<T>(store: &EventStore<Self>, sql: &'static str) -> Result<Vec<T>, sqlx::Error>
    where
        T: for<'r> FromRow<'r, Self::Row> + Send + Unpin,
    {
        sqlx::query_as(sql).fetch_all(store.pool()).await
    }
}

#[cfg(feature = "sqlite")]
impl TestBackend for mire::Sqlite {
    const AN_HOUR_WITHOUT_LEADERS: &'static str = "
        UPDATE mire_table_versions SET prepared_at = prepared_at - 3600000000,
                                       retired_at = retired_at - 3600000000;
        UPDATE mire_leases SET leased_until = leased_until - 3600000000";

    async fn fresh() -> (EventStore<Self>, Box<dyn Any + Send>) {
        // A file with the settings of production, not the store in memory.
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}/test.db", folder.path().display());
        (mire::open(&url).await.unwrap(), Box::new(folder))
    }

    async fn run(conn: &mut Self::Connection, sql: &'static str) {
        sqlx::raw_sql(sql).execute(conn).await.unwrap();
    }

    async fn number(store: &EventStore<Self>, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql)
            .fetch_one(store.pool())
            .await
            .unwrap()
    }

    async fn exists(store: &EventStore<Self>, name: &str) -> bool {
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = $1)")
            .bind(name)
            .fetch_one(store.pool())
            .await
            .unwrap()
    }

    async fn note<E: Sync>(
        conn: &mut Self::Connection,
        event: &HandledEvent<E>,
        worker: &str,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(NOTE)
            .bind(event.global_position())
            .bind(event.stream_id())
            .bind(event.stream_version())
            .bind(worker)
            .execute(conn)
            .await?;
        Ok(())
    }

    async fn seen(store: &EventStore<Self>) -> Vec<(String, i64)> {
        sqlx::query_as(SEEN).fetch_all(store.pool()).await.unwrap()
    }

    async fn rows<P: TableProjection>(store: &EventStore<Self>, sql: &'static str) -> Vec<P> {
        let rows = sqlx::query(sql).fetch_all(store.pool()).await.unwrap();
        let rows = rows.iter().map(mire::table::from_row);
        rows.collect::<Result<_, _>>().unwrap()
    }

    async fn query_as<T>(store: &EventStore<Self>, sql: &'static str) -> Result<Vec<T>, sqlx::Error>
    where
        T: for<'r> FromRow<'r, Self::Row> + Send + Unpin,
    {
        sqlx::query_as(sql).fetch_all(store.pool()).await
    }
}

/// Instantiates generic tests, `async fn name<DB: TestBackend>()`, for every backend.
#[macro_export]
macro_rules! conformance {
    ($($test:ident),* $(,)?) => {
        #[cfg(feature = "postgres")]
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test::<mire::Postgres>().await;
            })*
        }
        #[cfg(feature = "sqlite")]
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test::<mire::Sqlite>().await;
            })*
        }
    };
}
