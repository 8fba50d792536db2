//! The systems, each behind the same few operations, each used as its own documentation says.

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use async_trait::async_trait;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::workloads::tables::{Kept, Style};

pub mod by_hand;
pub mod cqrs_es_0_5;
pub mod eventcore_2;
pub mod evento_2;
pub mod mire_0_4;
pub mod ours;

/// What every deposit carries beside its amount, so that payloads are alike.
pub const REFERENCE: &str = "invoice 2024-0117 of the northern branch";

const CANNOT: &str = "it takes no part in workloads that need it";

/// What a save came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    Done,
    /// Somebody else was faster; nothing was written.
    Conflict,
}

/// What a system can do. A workload says what it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Can {
    Deposit,
    /// Appends without expectation, in one go.
    Append,
    SaveMany,
    /// Appends many without expectation, however long the stream is.
    AppendMany,
    Fold,
    /// Hands every event that is there to a handler.
    CatchUp,
    /// Hands events to a handler as they come, in any process.
    Subscribe,
    /// Keeps a table by one statement an event.
    UpsertTable,
    /// Keeps a table by one statement a page.
    BatchTable,
    /// A follower takes over when the leader dies.
    TakeOver,
}

/// Called for each event that reaches a handler, with the amount of its deposit.
pub type Seen = Arc<dyn Fn(i64) + Send + Sync>;

/// How a subscription is to run; `None` leaves the system's default.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    pub lease_ttl: Option<Duration>,
    pub lease_recheck: Option<Duration>,
    pub poll: Option<Duration>,
}

impl Settings {
    /// Looks for events once a second where nothing wakes it, which is mire's default; of a peer
    /// with a longer one, the figures would show nothing else.
    pub fn short_poll() -> Self {
        Self {
            poll: Some(Duration::from_secs(1)),
            ..Self::default()
        }
    }
}

/// An event store with a domain of bank accounts on top: an account is a stream, a deposit an event.
#[async_trait]
pub trait System: Send + Sync {
    /// Loads an account, deposits an amount, saves.
    async fn deposit(&self, account: &str) -> anyhow::Result<Saved>;

    /// The same until it is saved, as the system's documentation proposes for contended streams.
    async fn deposit_contended(&self, account: &str) -> anyhow::Result<()> {
        while self.deposit(account).await? == Saved::Conflict {}
        Ok(())
    }

    /// Appends a deposit, whatever the account's version; what has no such append loads and saves
    /// until it succeeds, and takes no part in the workload of appends.
    async fn append(&self, account: &str, amount: i64) -> anyhow::Result<()> {
        bail!("no append of {amount} to {account}: {CANNOT}")
    }

    /// Saves deposits of 0, 1, 2 … in one go to a new account.
    async fn save_many(&self, account: &str, count: i64) -> anyhow::Result<()>;

    /// Appends so many deposits in one go, whatever the account's version.
    async fn append_many(&self, account: &str, count: i64) -> anyhow::Result<()> {
        bail!("no append of {count} events to {account}: {CANNOT}")
    }

    /// Fills purses of 100 events each, so that there are so many events, for tables to be kept of.
    async fn fill_purses(&self, events: i64) -> anyhow::Result<()>;

    /// Keeps a new table of all purses: their balances, and how many events each has had.
    async fn keep_table(&self, round: usize, style: Style, events: i64) -> anyhow::Result<Kept>;

    /// Folds an account as if this process had never seen it, and answers how many deposits it had.
    async fn fold(&self, account: &str) -> anyhow::Result<i64>;

    /// Delivers all deposits to a handler that calls `seen`, from the log's start.
    async fn subscribe(
        &self,
        subscription: &str,
        settings: &Settings,
        seen: Seen,
    ) -> anyhow::Result<Subscription>;
}

/// A running subscription.
pub struct Subscription {
    cancel: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Subscription {
    pub fn spawn<F>(cancel: CancellationToken, run: F) -> Self
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        Self {
            cancel,
            task: tokio::spawn(run),
        }
    }

    pub async fn stop(self) -> anyhow::Result<()> {
        self.cancel.cancel();
        self.task.await?
    }

    pub fn is_running(&self) -> bool {
        !self.task.is_finished()
    }
}

/// A system by its name on the command line.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    pub name: &'static str,
    /// As the table names it.
    pub title: &'static str,
    /// The workloads that it takes part in, by what they need.
    can: &'static [Can],
    /// How it is used, and what it can't do; stands below the table.
    pub note: &'static str,
    /// What it does by one transaction an event; it is measured on a tenth of the events there, or a
    /// round would take minutes.
    slow: &'static [Can],
}

pub const OURS: Kind = ours::KIND;

pub const PEERS: &[Kind] = &[
    mire_0_4::KIND,
    evento_2::KIND,
    eventcore_2::KIND,
    cqrs_es_0_5::KIND,
];

impl Kind {
    /// Whether the system takes part in workloads that need this.
    pub fn can(&self, what: Can) -> bool {
        self.can.contains(&what)
    }

    /// So many events, or a tenth of them where the system takes a transaction for each.
    pub fn events(&self, what: Can, events: i64) -> i64 {
        if self.slow.contains(&what) {
            events / 10
        } else {
            events
        }
    }

    pub fn of(name: &str) -> anyhow::Result<Self> {
        let all = std::iter::once(&OURS).chain(PEERS);
        match all.clone().find(|kind| kind.name == name) {
            Some(kind) => Ok(*kind),
            None => {
                let names: Vec<&str> = all.map(|kind| kind.name).collect();
                bail!(
                    "there is no system `{name}`: there are {}",
                    names.join(", ")
                )
            }
        }
    }

    /// Opens the system on a database and brings its schema there.
    pub async fn open(self, url: &str, connections: u32) -> anyhow::Result<Arc<dyn System>> {
        Ok(match self.name {
            "mire" => Arc::new(ours::Ours::open(url, connections).await?),
            "mire-0.4" => Arc::new(mire_0_4::Peer::open(url, connections).await?),
            "evento" => Arc::new(evento_2::Peer::open(url, connections).await?),
            "eventcore" => Arc::new(eventcore_2::Peer::open(url, connections).await?),
            "cqrs-es" => Arc::new(cqrs_es_0_5::Peer::open(url, connections).await?),
            other => bail!("`{other}` can't be opened"),
        })
    }
}
