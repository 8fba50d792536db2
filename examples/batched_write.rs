//! One statement for many events.
//!
//! Why this pattern: a projection that writes a row for each event is as slow as its round trips. A
//! batch handler is handed a page of events and writes them in one statement, exactly once: the page
//! and the checkpoint are committed together. If one event is at fault, it is found by itself, in
//! smaller batches.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mire::{
    Backend, Event, EventStore, ExpectedVersion, HandledEvent, ProjectionRunner,
    ProjectionRunnerBuilder, TransactionalBatchEventHandler,
};
use sqlx::QueryBuilder;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const SUBSCRIPTION: &str = "page-views";

mire::aggregate!(
    /// A visit to the site.
    #[aggregate(category = "visit")]
    pub struct Visit;

    /// A page was looked at.
    #[event]
    fn page_viewed(&mut self, page: &str) {}
);

/// Writes views, and counts its statements.
struct PageViews(Arc<AtomicUsize>);

/// The SQL is the same on both databases; the driver's types are not.
macro_rules! on_database {
    ($DB:ident, $Connection:ident) => {
        impl TransactionalBatchEventHandler<mire::$DB> for PageViews {
            type Aggregate = Visit;

            async fn handle_batch(
                &self,
                events: Vec<HandledEvent<VisitEvent>>,
                conn: &mut sqlx::$Connection,
            ) -> anyhow::Result<()> {
                let mut insert =
                    QueryBuilder::<mire::$DB>::new("INSERT INTO page_views (position, page) ");
                insert.push_values(&events, |mut row, event| {
                    let VisitEvent::PageViewed { page } = &event.event;
                    row.push_bind(event.global_position()).push_bind(page);
                });
                insert.build().execute(conn).await?;
                self.0.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
        }

        impl Table for mire::$DB {
            async fn create(store: &EventStore<Self>) -> anyhow::Result<()> {
                let create = "CREATE TABLE IF NOT EXISTS page_views
                              (position bigint PRIMARY KEY, page text NOT NULL)";
                sqlx::raw_sql(create).execute(store.pool()).await?;
                Ok(())
            }

            async fn count(store: &EventStore<Self>, after: i64) -> anyhow::Result<i64> {
                let count = "SELECT count(*) FROM page_views WHERE position > $1";
                let count = sqlx::query_scalar(count).bind(after);
                Ok(count.fetch_one(store.pool()).await?)
            }

            fn subscribe(
                builder: ProjectionRunnerBuilder<Self>,
                handler: PageViews,
            ) -> ProjectionRunnerBuilder<Self> {
                builder.subscribe_transactional_batch(SUBSCRIPTION, handler)
            }
        }
    };
}

/// What the example needs of a database beside the store.
#[allow(async_fn_in_trait)]
trait Table: Backend {
    async fn create(store: &EventStore<Self>) -> anyhow::Result<()>;
    async fn count(store: &EventStore<Self>, after: i64) -> anyhow::Result<i64>;
    fn subscribe(
        builder: ProjectionRunnerBuilder<Self>,
        handler: PageViews,
    ) -> ProjectionRunnerBuilder<Self>;
}

on_database!(Postgres, PgConnection);
on_database!(Sqlite, SqliteConnection);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    mire::with_store!(mire_examples::store().await?, |store| run(store).await)
}

async fn run<DB: Table>(store: EventStore<DB>) -> anyhow::Result<()> {
    DB::create(&store).await?;
    let before = store.safe_head().await?.position;
    let stream = format!("visit-{}", Uuid::new_v4());
    let views: Vec<_> = (0..1000)
        .map(|n| {
            let page = format!("/articles/{}", n % 7);
            Event::new(VisitEvent::PageViewed { page })
        })
        .collect();
    store
        .append(&stream, "visit", ExpectedVersion::NoStream, &views)
        .await?;

    let statements = Arc::new(AtomicUsize::new(0));
    let cancel = CancellationToken::new();
    let builder = ProjectionRunner::builder(store.clone()).batch_size(250);
    let runner = DB::subscribe(builder, PageViews(Arc::clone(&statements))).build();
    let running = tokio::spawn(runner.run(cancel.clone()));
    let end = store.safe_head().await?.position;
    store
        .wait_for(SUBSCRIPTION, end, Duration::from_secs(30))
        .await?;
    cancel.cancel();
    running.await??;

    let rows = DB::count(&store, before).await?;
    let statements = statements.load(Ordering::Relaxed);
    println!("{rows} rows in {statements} statements");
    Ok(())
}
