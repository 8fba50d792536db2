//! Copying a log from one store to another, from SQLite to PostgreSQL or back.
//!
//! Pages of events are written in the order of their positions, each in one transaction, so
//! whatever the target holds is always a beginning of the source: a copy that was interrupted goes
//! on at the target's last position. At the end both logs are read again and compared.

use std::future::{Future, IntoFuture};
use std::ops::ControlFlow;
use std::pin::Pin;

use super::EventStore;
use crate::backend::{Backend, Db, ImportedEvent, LogRead, TxLimits};
use crate::error::EventStoreError;

/// Events in one page, at most.
const PAGE: i64 = 1000;

/// A page ends once it has this many bytes.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// How far a copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyProgress {
    /// What it is at.
    pub phase: CopyPhase,
    /// The position of the last event that was dealt with in this phase.
    pub position: i64,
    /// The position at which the phase ends.
    pub up_to: i64,
}

/// What a copy is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyPhase {
    /// Events are written to the target.
    Copying,
    /// Both logs are read and compared, event by event.
    Verifying,
}

/// What a copy did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// Events that this run wrote; fewer than the log has when an earlier run had begun.
    pub events: u64,
    /// Events that were found equal in both stores: the whole log.
    pub verified: u64,
    /// The position up to which the target now holds the source.
    pub position: i64,
}

/// A copy that begins when it is awaited; see [`copy`].
#[must_use = "a copy does nothing until it is awaited"]
pub struct Copy<'a, From: Backend, To: Backend> {
    from: &'a EventStore<From>,
    to: &'a EventStore<To>,
    progress: Box<dyn FnMut(CopyProgress) + Send + 'a>,
}

/// Copies all events from one store to another, of whatever backends: streams, versions, positions,
/// times, payloads and metadata byte by byte, what idempotency keys did, and subscriptions'
/// checkpoints with the events that they put aside. Snapshots are left out; they are folded again
/// when they are due.
///
/// What handlers wrote into tables of their own is not copied. Copy such tables yourself, or let a
/// subscription fill them again with [`reset_checkpoint`](EventStore::reset_checkpoint).
///
/// The target has to be migrated, and empty or the beginning of an earlier copy: calling it again
/// goes on where that one was interrupted, or takes over what the source got since. Nobody else may
/// append to the target meanwhile; such an append, or a target with a log of its own, is refused.
/// What is appended to the source during the copy is for the next call. Afterwards the target
/// continues with higher positions.
///
/// ```no_run
/// # #[cfg(all(feature = "postgres", feature = "sqlite"))]
/// # async fn example() -> Result<(), mire::EventStoreError> {
/// let from = mire::open::<mire::Sqlite>("sqlite:bank.db").await?;
/// let to = mire::open::<mire::Postgres>("postgres://localhost/bank").await?;
/// let copied = mire::copy(&from, &to)
///     .on_progress(|at| println!("{:?} {}/{}", at.phase, at.position, at.up_to))
///     .await?;
/// println!("{} events, all equal", copied.verified);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`EventStoreError::CopyMismatch`] when the target holds something else than the source, and
/// [`EventStoreError::Database`].
///
/// # Cancel safety
///
/// Dropping it leaves a beginning of the source in the target; copy again to go on.
pub fn copy<'a, From: Backend, To: Backend>(
    from: &'a EventStore<From>,
    to: &'a EventStore<To>,
) -> Copy<'a, From, To> {
    Copy {
        from,
        to,
        progress: Box::new(|_| {}),
    }
}

impl<'a, From: Backend, To: Backend> Copy<'a, From, To> {
    /// Calls this after each page of events.
    pub fn on_progress(mut self, progress: impl FnMut(CopyProgress) + Send + 'a) -> Self {
        self.progress = Box::new(progress);
        self
    }

    async fn run(mut self) -> Result<Copied, EventStoreError> {
        let (from, to) = (self.from.db(), self.to.db());
        let up_to = head(from).await?;
        let start = To::import_head(&mut *to.pool.acquire().await?).await?;
        self.check_start(start, up_to).await?;

        let mut after = start;
        let mut events = 0;
        loop {
            let page = read_page(from, after, up_to).await?;
            let Some(last) = page.last() else { break };
            To::import(to, after, &page).await?;
            after = last.global_position;
            events += page.len() as u64;
            self.report(CopyPhase::Copying, after, up_to);
        }
        self.copy_keys(up_to).await?;
        self.copy_checkpoints(up_to).await?;
        self.to.committed();
        let verified = self.verify(up_to).await?;
        Ok(Copied {
            events,
            verified,
            position: up_to,
        })
    }

    /// Refuses a target that is no beginning of the source, before anything is written.
    async fn check_start(&mut self, start: i64, up_to: i64) -> Result<(), EventStoreError> {
        if start == 0 {
            return Ok(());
        }
        if start > up_to {
            return Err(mismatch(start, "the source ends before it"));
        }
        let (mine, theirs) = (
            read_page(self.from.db(), start - 1, start).await?,
            read_page(self.to.db(), start - 1, start).await?,
        );
        compare(start, mine.first(), theirs.first())
    }

    async fn copy_keys(&mut self, up_to: i64) -> Result<(), EventStoreError> {
        let (from, to) = (self.from.db(), self.to.db());
        let mut after = (String::new(), String::new());
        loop {
            let mut conn = from.pool.acquire().await?;
            let keys = From::export_keys(&mut conn, (&after.0, &after.1), up_to, PAGE).await?;
            drop(conn);
            let Some(last) = keys.last() else {
                return Ok(());
            };
            To::import_keys(to, &keys).await?;
            after = (last.stream_id.clone(), last.key.clone());
        }
    }

    /// Subscriptions go on in the target where they are in the source, with what they put aside.
    async fn copy_checkpoints(&mut self, up_to: i64) -> Result<(), EventStoreError> {
        let (from, to) = (self.from.db(), self.to.db());
        let mut conn = from.pool.acquire().await?;
        for (subscription, position) in From::checkpoints(&mut conn).await? {
            let position = position.min(up_to);
            let mut tx = To::begin(to, TxLimits::default()).await?;
            let there = To::lock_checkpoint(&mut tx.tx, &subscription).await?;
            // It never moves back, and what is parked behind it is settled there.
            if there.is_some_and(|there| there >= position) {
                tx.rollback().await?;
                continue;
            }
            let mut after = there.unwrap_or(0);
            loop {
                let parked =
                    From::parked_events(&mut conn, &subscription, None, after, PAGE).await?;
                let Some(last) = parked.last() else { break };
                after = last.event.global_position;
                for parked in parked {
                    if parked.event.global_position <= position {
                        let since = Some(parked.parked_at);
                        let (event, state) = (&parked.event, parked.state);
                        To::put_aside(&mut tx.tx, &subscription, event, state, since).await?;
                    }
                }
            }
            let token = To::revoke_lease(&mut tx.tx, &subscription).await?;
            To::reset_checkpoint(&mut tx.tx, &subscription, position, token.unwrap_or(0)).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    async fn verify(&mut self, up_to: i64) -> Result<u64, EventStoreError> {
        let mut after = 0;
        let mut verified = 0;
        loop {
            let mine = read_page(self.from.db(), after, up_to).await?;
            let Some(last) = mine.last() else {
                let extra = read_page(self.to.db(), after, up_to).await?;
                return match extra.first() {
                    None => Ok(verified),
                    Some(extra) => compare(extra.global_position, None, Some(extra)).map(|()| 0),
                };
            };
            let theirs = read_page(self.to.db(), after, last.global_position).await?;
            for index in 0..mine.len().max(theirs.len()) {
                let pair = (mine.get(index), theirs.get(index));
                let position = pair.0.or(pair.1).map_or(after, |e| e.global_position);
                compare(position, pair.0, pair.1)?;
            }
            verified += mine.len() as u64;
            after = last.global_position;
            self.report(CopyPhase::Verifying, after, up_to);
        }
    }

    fn report(&mut self, phase: CopyPhase, position: i64, up_to: i64) {
        (self.progress)(CopyProgress {
            phase,
            position,
            up_to,
        });
    }
}

impl<'a, From: Backend, To: Backend> IntoFuture for Copy<'a, From, To> {
    type Output = Result<Copied, EventStoreError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<From: Backend, To: Backend> std::fmt::Debug for Copy<'_, From, To> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Copy")
            .field("from", &self.from)
            .field("to", &self.to)
            .finish_non_exhaustive()
    }
}

async fn head<DB: Backend>(db: &Db<DB>) -> Result<i64, EventStoreError> {
    let mut conn = db.pool.acquire().await?;
    Ok(DB::safe_head(&mut conn).await?.position)
}

async fn read_page<DB: Backend>(
    db: &Db<DB>,
    after: i64,
    up_to: i64,
) -> Result<Vec<ImportedEvent>, EventStoreError> {
    let read = LogRead {
        after,
        up_to,
        categories: &[],
        limit: PAGE,
    };
    let mut page = Vec::new();
    let mut bytes = 0;
    let mut conn = db.pool.acquire().await?;
    DB::read_log(&mut conn, read, &mut |event| {
        bytes += event.data.len() + event.metadata.map_or(0, <[u8]>::len);
        page.push(ImportedEvent::of(&event)?);
        Ok(if bytes < PAGE_BYTES {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        })
    })
    .await?;
    Ok(page)
}

/// Holds one event against the other.
fn compare(
    position: i64,
    mine: Option<&ImportedEvent>,
    theirs: Option<&ImportedEvent>,
) -> Result<(), EventStoreError> {
    match (mine, theirs) {
        (Some(mine), Some(theirs)) if mine == theirs => Ok(()),
        (Some(_), Some(_)) => Err(mismatch(position, "the target has another event there")),
        (Some(_), None) => Err(mismatch(position, "the target lacks this event")),
        (None, _) => Err(mismatch(position, "the source has no such event")),
    }
}

fn mismatch(global_position: i64, what: &'static str) -> EventStoreError {
    EventStoreError::CopyMismatch {
        global_position,
        what,
    }
}
