//! eventcore and eventcore-postgres 2.1.0 from the registry, as their documentation uses them.
//!
//! - A write is a command that `execute` runs: it reads the stream, folds it, and appends; on a
//!   conflict it tries again by the default `RetryPolicy`, up to five times in all.
//! - A fold reads the stream and applies each event as it comes.
//! - Handlers are projectors that `run_projection` runs continuously, with its defaults (a look for
//!   events every 100 ms, a checkpoint for each event). Who is not the leader is refused at once; here it asks again.
//! - A table is kept by `run_transactional_projection`, one transaction an event. What it needs in
//!   the log (`PostgresProjectionSource::migrate`) is there for the tables only: it orders appends.
//!
//! What it can't do: an append without expectation (here it is a command, tried until it succeeds);
//! a set-based handler. `run_projection` reads by UUIDs that writers make before they commit, so an
//! event that commits late may never be handled.

use std::convert::Infallible;
use std::ops::Range;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use eventcore::{
    Command, CommandError, CommandLogic, Event, NewEvents, ProjectionConfig, ProjectionError,
    Projector, RetryPolicy, StreamId, StreamPosition, execute, run_projection,
};
use eventcore_postgres::PostgresEventStore;
use eventcore_postgres::projections::{
    DeliveryPosition, DeliverySourceId, EventTypeName, NoopAfterCommit, PostgresProjectionConfig,
    PostgresProjectionSource, PostgresProjectionStore, PostgresProjector, ProjectionSelection,
    ProjectionSelectionId, ProjectionStreamFilter, ProjectorName, run_transactional_projection,
};
use eventcore_types::EventStore;
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use sqlx_0_8::postgres::PgPoolOptions;
use sqlx_0_8::{PgPool, Postgres, Transaction};
use tokio_util::sync::CancellationToken;

use super::by_hand::{Purses, UPSERT};
use super::{Can, Kind, REFERENCE, Saved, Seen, Settings, Subscription, System};
use crate::workloads::tables::{Kept, Style};

pub const KIND: Kind = Kind {
    name: "eventcore",
    title: "eventcore 2.1.0",
    can: &[
        Can::Deposit,
        Can::SaveMany,
        Can::Fold,
        Can::CatchUp,
        Can::Subscribe,
        Can::UpsertTable,
        Can::TakeOver,
    ],
    note: "`run_projection` for handlers, `run_transactional_projection` for tables; a projection \
           that is refused the lead is started anew every second",
    slow: &[Can::CatchUp, Can::UpsertTable],
};

const EVENT_TYPE: &str = "AccountEvent";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum AccountEvent {
    Deposited {
        account: StreamId,
        amount: i64,
        reference: String,
    },
}

impl Event for AccountEvent {
    fn stream_id(&self) -> &StreamId {
        let Self::Deposited { account, .. } = self;
        account
    }

    fn event_type_name() -> &'static str {
        EVENT_TYPE
    }
}

#[derive(Debug, Default)]
struct Account {
    balance: i64,
    deposits: i64,
}

impl Account {
    fn apply(mut self, event: &AccountEvent) -> Self {
        let AccountEvent::Deposited { amount, .. } = event;
        self.balance += amount;
        self.deposits += 1;
        self
    }
}

/// Deposits each of these amounts.
#[derive(Command, Clone)]
struct Deposit {
    #[stream]
    account: StreamId,
    amounts: Range<i64>,
}

impl Deposit {
    fn of(account: &str, amounts: Range<i64>) -> anyhow::Result<Self> {
        let account = StreamId::try_new(account)?;
        Ok(Self { account, amounts })
    }
}

impl CommandLogic for Deposit {
    type Event = AccountEvent;
    type State = Account;

    fn apply(&self, state: Account, event: &AccountEvent) -> Account {
        state.apply(event)
    }

    fn handle(&self, _state: Account) -> Result<NewEvents<AccountEvent>, CommandError> {
        let deposited = self.amounts.clone().map(|amount| AccountEvent::Deposited {
            account: self.account.clone(),
            amount,
            reference: REFERENCE.to_owned(),
        });
        Ok(deposited.collect::<Vec<_>>().into())
    }
}

pub struct Peer {
    /// Of this program, on its own driver.
    pool: sqlx::PgPool,
    its_pool: PgPool,
    store: PostgresEventStore,
}

impl Peer {
    pub async fn open(url: &str, connections: u32) -> anyhow::Result<Self> {
        let its_pool = PgPoolOptions::new()
            .max_connections(connections)
            .connect(url)
            .await?;
        let store = PostgresEventStore::from_pool(its_pool.clone());
        store.migrate().await;
        Ok(Self {
            pool: sqlx::PgPool::connect_lazy(url)?,
            its_pool,
            store,
        })
    }

    async fn execute(&self, command: Deposit, policy: RetryPolicy) -> anyhow::Result<Saved> {
        match execute(&self.store, command, policy).await {
            Ok(_) => Ok(Saved::Done),
            Err(CommandError::ConcurrencyError(_)) => Ok(Saved::Conflict),
            Err(error) => Err(error.into()),
        }
    }

    async fn execute_until_saved(&self, command: Deposit) -> anyhow::Result<()> {
        while self.execute(command.clone(), RetryPolicy::new()).await? == Saved::Conflict {}
        Ok(())
    }

    fn source(&self) -> anyhow::Result<PostgresProjectionSource> {
        let id = DeliverySourceId::try_new("bench")?;
        Ok(PostgresProjectionSource::from_pool(
            self.its_pool.clone(),
            id,
        ))
    }

    fn destination(&self) -> PostgresProjectionStore {
        PostgresProjectionStore::from_pool(self.its_pool.clone())
    }

    /// Its futures can't be part of a boxed one that is `Send`, so they are waited for here.
    fn migrate_projections(&self) -> anyhow::Result<()> {
        let (source, destination) = (self.source()?, self.destination());
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                source.migrate().await?;
                Ok(destination.migrate().await?)
            })
        })
    }
}

#[async_trait]
impl System for Peer {
    async fn deposit(&self, account: &str) -> anyhow::Result<Saved> {
        let once = RetryPolicy::new().max_retries(0);
        self.execute(Deposit::of(account, 1..2)?, once).await
    }

    async fn deposit_contended(&self, account: &str) -> anyhow::Result<()> {
        self.execute_until_saved(Deposit::of(account, 1..2)?).await
    }

    async fn append(&self, account: &str, amount: i64) -> anyhow::Result<()> {
        let command = Deposit::of(account, amount..amount + 1)?;
        self.execute_until_saved(command).await
    }

    async fn save_many(&self, account: &str, count: i64) -> anyhow::Result<()> {
        let saved = self
            .execute(Deposit::of(account, 0..count)?, RetryPolicy::new())
            .await?;
        anyhow::ensure!(saved == Saved::Done, "somebody else writes to {account}");
        Ok(())
    }

    async fn fold(&self, account: &str) -> anyhow::Result<i64> {
        let stream = StreamId::try_new(account)?;
        let events = self.store.read_stream::<AccountEvent>(stream).await?;
        let folded = events
            .try_fold(Account::default(), |state, event| async move {
                Ok(state.apply(&event))
            })
            .await?;
        Ok(folded.deposits)
    }

    async fn fill_purses(&self, events: i64) -> anyhow::Result<()> {
        self.migrate_projections()?;
        Purses::create(&self.pool).await?;
        for purse in 0..events / 100 {
            self.save_many(&format!("purse-{purse}"), 100).await?;
        }
        Ok(())
    }

    async fn keep_table(&self, round: usize, _style: Style, events: i64) -> anyhow::Result<Kept> {
        let table = Table {
            name: ProjectorName::try_new(format!("purses-{round}"))?,
            round: i32::try_from(round)?,
        };
        let selection = ProjectionSelection::try_new(
            ProjectionSelectionId::try_new("deposits")?,
            ProjectionStreamFilter::All,
            vec![EventTypeName::try_new(EVENT_TYPE)?],
        )?;
        let (source, destination) = (self.source()?, self.destination());
        let started = Instant::now();
        let running = Subscription::spawn(CancellationToken::new(), async move {
            let config = PostgresProjectionConfig::new(selection);
            run_transactional_projection(table, &source, &destination, config).await?;
            Ok(())
        });
        Purses::of_round(&self.pool, round)?
            .wait(started, events, running)
            .await
    }

    async fn subscribe(
        &self,
        subscription: &str,
        settings: &Settings,
        seen: Seen,
    ) -> anyhow::Result<Subscription> {
        let recheck = settings.lease_recheck.unwrap_or(Duration::from_secs(1));
        let handler = Handler {
            name: subscription.to_owned(),
            seen,
        };
        let store = self.store.clone();
        let cancel = CancellationToken::new();
        Ok(Subscription::spawn(cancel.clone(), async move {
            loop {
                let config = ProjectionConfig::default().continuous();
                let ended = tokio::select! {
                    () = cancel.cancelled() => return Ok(()),
                    ended = run_projection(handler.clone(), &store, config) => ended,
                };
                match ended {
                    Err(ProjectionError::LeadershipError(_)) => tokio::time::sleep(recheck).await,
                    ended => return Ok(ended?),
                }
            }
        }))
    }
}

#[derive(Clone)]
struct Handler {
    name: String,
    seen: Seen,
}

impl Projector for Handler {
    type Event = AccountEvent;
    type Error = Infallible;
    type Context = ();

    fn apply(
        &mut self,
        event: AccountEvent,
        _position: StreamPosition,
        _context: &mut (),
    ) -> Result<(), Infallible> {
        let AccountEvent::Deposited { amount, .. } = event;
        (self.seen)(amount);
        Ok(())
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// A table of a round, kept by hand.
struct Table {
    name: ProjectorName,
    round: i32,
}

impl PostgresProjector for Table {
    type Event = AccountEvent;
    type Error = sqlx_0_8::Error;
    type AfterCommit = NoopAfterCommit;

    fn name(&self) -> &ProjectorName {
        &self.name
    }

    async fn apply<'a, 'c>(
        &'a mut self,
        event: &'a AccountEvent,
        _position: DeliveryPosition,
        tx: &'a mut Transaction<'c, Postgres>,
    ) -> Result<NoopAfterCommit, sqlx_0_8::Error>
    where
        'c: 'a,
    {
        let AccountEvent::Deposited {
            account, amount, ..
        } = event;
        sqlx_0_8::query(UPSERT)
            .bind(self.round)
            .bind(account.as_ref())
            .bind(amount)
            .execute(&mut **tx)
            .await?;
        Ok(NoopAfterCommit)
    }
}
