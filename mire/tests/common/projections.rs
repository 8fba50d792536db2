//! Handlers, runners and questions about them, for the tests of projections on either backend.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mire::{
    Backend, Event, EventHandler, EventStore, ExpectedVersion, HandledEvent, ProjectionRunner,
    ProjectionRunnerBuilder, TransactionalEventHandler, lease,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::backends::TestBackend;
use super::{Account, AccountEvent, deposited};

pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for something to come about.
pub async fn until<F: Future<Output = bool>>(what: &str, mut reached: impl FnMut() -> F) {
    let started = Instant::now();
    while !reached().await {
        assert!(started.elapsed() < PATIENCE, "{what} did not come about");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub async fn append<DB: Backend>(
    store: &EventStore<DB>,
    stream: &str,
    amounts: impl IntoIterator<Item = i64>,
) {
    let events: Vec<_> = amounts
        .into_iter()
        .map(|n| Event::new(deposited(n)))
        .collect();
    let category = stream.split_once('-').unwrap().0;
    store
        .append(stream, category, ExpectedVersion::Any, &events)
        .await
        .unwrap();
}

pub async fn head<DB: Backend>(store: &EventStore<DB>) -> i64 {
    store.safe_head().await.unwrap().position
}

/// Waits until the subscription `s` is done with all that is in the log.
pub async fn caught_up<DB: Backend>(store: &EventStore<DB>) {
    let end = head(store).await;
    store.wait_for("s", end, PATIENCE).await.unwrap();
}

/// The table that `Writer` writes to. Nothing in it is unique, so an effect that was had twice
/// shows.
pub const CREATE_SEEN: &str =
    "CREATE TABLE seen (position bigint, stream text, version bigint, worker text)";

/// A store of its own, with the table `seen`.
pub async fn with_seen<DB: TestBackend>() -> (EventStore<DB>, Box<dyn std::any::Any + Send>) {
    let (store, database) = DB::fresh().await;
    DB::run(&mut *store.pool().acquire().await.unwrap(), CREATE_SEEN).await;
    (store, database)
}

/// The same database as another process would open it: a pool and a store of its own, which share
/// nothing else with the first.
pub fn elsewhere<DB: Backend>(store: &EventStore<DB>, connections: u32) -> EventStore<DB> {
    let options = store.pool().connect_options().as_ref().clone();
    let pool = sqlx::pool::PoolOptions::new().max_connections(connections);
    EventStore::new(pool.connect_lazy_with(options))
}

/// Stream and version of what took effect, in the order of the log.
pub async fn seen<DB: TestBackend>(store: &EventStore<DB>) -> Vec<(String, i64)> {
    DB::seen(store).await
}

/// The versions of one stream that took effect.
pub async fn seen_of<DB: TestBackend>(store: &EventStore<DB>, stream: &str) -> Vec<i64> {
    let all = DB::seen(store).await;
    let of = all.into_iter().filter(|(s, _)| s == stream);
    of.map(|(_, version)| version).collect()
}

/// What a handler does at an amount.
type Trouble = Arc<dyn Fn(i64) -> Option<&'static str> + Send + Sync>;

/// Notes every event in the table `seen`, and has the trouble that it was told to have.
pub struct Writer {
    pub worker: String,
    trouble: Trouble,
    /// How often there was trouble.
    pub calls: Arc<AtomicUsize>,
}

impl Writer {
    pub fn new() -> Self {
        Self::with(|_| None)
    }

    pub fn named(worker: &str) -> Self {
        Self {
            worker: worker.to_owned(),
            ..Self::new()
        }
    }

    /// `fail`, `panic` or `hang` at an amount; anything else is only counted.
    pub fn with(trouble: impl Fn(i64) -> Option<&'static str> + Send + Sync + 'static) -> Self {
        Self {
            worker: String::new(),
            trouble: Arc::new(trouble),
            calls: Arc::default(),
        }
    }
}

async fn trouble(
    trouble: &Trouble,
    calls: &AtomicUsize,
    event: &AccountEvent,
) -> anyhow::Result<()> {
    let AccountEvent::Deposited { amount } = *event else {
        return Ok(());
    };
    let trouble = trouble(amount);
    if trouble.is_some() {
        calls.fetch_add(1, Ordering::SeqCst);
    }
    match trouble {
        Some("fail") => anyhow::bail!("no such account"),
        Some("panic") => panic!("broken handler"),
        Some("hang") => std::future::pending().await,
        _ => Ok(()),
    }
}

impl<DB: TestBackend> TransactionalEventHandler<DB> for Writer {
    type Aggregate = Account;

    async fn handle(
        &self,
        event: HandledEvent<AccountEvent>,
        conn: &mut DB::Connection,
    ) -> anyhow::Result<()> {
        DB::note(conn, &event, &self.worker).await?;
        trouble(&self.trouble, &self.calls, &event.event).await
    }
}

/// Notes the position of every event that it got through with.
#[derive(Clone)]
pub struct Plain {
    pub got: Arc<Mutex<Vec<i64>>>,
    trouble: Trouble,
    /// How often there was trouble.
    pub calls: Arc<AtomicUsize>,
}

impl Plain {
    pub fn new() -> Self {
        Self::with(|_| None)
    }

    /// As [`Writer::with`].
    pub fn with(trouble: impl Fn(i64) -> Option<&'static str> + Send + Sync + 'static) -> Self {
        Self {
            got: Arc::default(),
            trouble: Arc::new(trouble),
            calls: Arc::default(),
        }
    }

    pub fn got(&self) -> Vec<i64> {
        self.got.lock().unwrap().clone()
    }
}

impl EventHandler for Plain {
    type Aggregate = Account;

    async fn handle(&self, event: HandledEvent<AccountEvent>) -> anyhow::Result<()> {
        trouble(&self.trouble, &self.calls, &event.event).await?;
        self.got.lock().unwrap().push(event.global_position());
        Ok(())
    }
}

/// A runner that does everything soon.
pub fn fast<DB: Backend>(store: &EventStore<DB>, worker: &str) -> ProjectionRunnerBuilder<DB> {
    ProjectionRunner::builder(store.clone())
        .worker_id(worker)
        .lease_ttl(Duration::from_secs(2))
        .lease_recheck_interval(Duration::from_millis(200))
        .poll_interval(Duration::from_millis(100))
        .retry_backoff(Duration::from_millis(5))
}

pub type Running = (CancellationToken, JoinHandle<anyhow::Result<()>>);

pub fn start<DB: Backend>(builder: ProjectionRunnerBuilder<DB>) -> Running {
    let cancel = CancellationToken::new();
    let task = tokio::spawn(builder.build().run(cancel.clone()));
    (cancel, task)
}

pub async fn stop((cancel, task): Running) {
    cancel.cancel();
    let ended = tokio::time::timeout(PATIENCE, task).await;
    ended.expect("it stops").unwrap().unwrap();
}

/// Who leads, and under which token, if anybody does.
pub async fn leader<DB: Backend>(store: &EventStore<DB>, id: &str) -> Option<(String, i64)> {
    let status = lease::status(store.pool(), id).await.unwrap()?;
    status
        .live
        .then_some((status.worker_id, status.fence_token))
}
