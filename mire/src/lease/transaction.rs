//! The transactions of a leader.
//!
//! Elsewhere they are transactions like all others. Where there is one writer, they also stand for
//! the heartbeats that they keep out:
//!
//! ```text
//! waiting for the turn ──▶ open ────────────────────────────▶ commit ──▶ trusted anew
//! └ covers its own lease ┘ └ covers all leases of the worker ┘ carries the overdue heartbeat
//! ```
//!
//! * **Covering.** A lease that was trusted when the transaction began is in force at that moment,
//!   and nobody can take it before the transaction has ended. So it stays trusted until then,
//!   whatever the clock says. While a transaction only waits for its turn, somebody else may take
//!   its lease; but its leader does nothing meanwhile, and what it does afterwards ends with the
//!   fence. The other leases of the worker are not covered by waiting: their handlers may be at
//!   work.
//! * **Carrying.** When a heartbeat is overdue, the transaction extends all leases that it covers
//!   before it commits. The database may take them for expired by then; a token that is still in
//!   its place proves, under the writer's lock, that nobody has taken them.
//! * **A handler that fails** rolls back to a savepoint, so that its transaction can carry the
//!   heartbeat all the same. Otherwise an event that fails slowly would cost the lease each time,
//!   and with it the count of its attempts.
//!
//! | who stops, and where | what follows |
//! |---|---|
//! | a leader's process, killed while its transaction is open | the file's lock goes with the process; nothing was committed; another worker takes the lease, which has expired or soon will |
//! | a leader's process, stopped there (`SIGSTOP`) | nobody writes to the file, and nobody leads, until it goes on or is killed; when it goes on, it finishes as if nothing had been |
//! | a leader's process, stopped between two transactions | another worker takes the lease when it has expired; the stopped one finds its own deadline passed |
//! | the commit fails | nothing was extended; the cover ends, and the clock decides again |
//! | the leader's future is dropped | the cover ends before the lock is given back |

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Held, Lease, Leases};
use crate::backend::coordination::Renewal;
use crate::backend::{Backend, Result, WriteTx};

/// An open transaction of a leader. Dropping it rolls back.
pub(crate) struct LeaderTx<'l, DB: Backend> {
    leases: &'l Leases<DB>,
    // Before the transaction, so that it ends before the lock is given back.
    cover: Cover,
    write: WriteTx<DB>,
}

impl<DB: Backend> fmt::Debug for LeaderTx<'_, DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeaderTx")
            .field("cover", &self.cover)
            .finish_non_exhaustive()
    }
}

impl<DB: Backend> Leases<DB> {
    /// Opens a transaction for the leader that has this lease. Where `lock` is given, its statements
    /// wait no longer than that for locks; on SQLite there are none to wait for.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future rolls back.
    pub(crate) async fn begin(
        &self,
        lease: &Lease,
        lock: Option<Duration>,
    ) -> Result<LeaderTx<'_, DB>> {
        let mut cover = Cover::default();
        if DB::ONE_WRITER {
            cover.add(Arc::clone(&lease.0));
        }
        let write = DB::begin_leading(&self.db, &lease.0.lease.subscription_id, lock).await?;
        if DB::ONE_WRITER {
            for held in self.trusted(Instant::now()) {
                cover.add(held);
            }
        }
        Ok(LeaderTx {
            leases: self,
            cover,
            write,
        })
    }

    /// Whether a heartbeat for one of these should have been by now.
    fn overdue(&self, held: &[Arc<Held>]) -> bool {
        let beaten = Instant::now() - self.heartbeat_interval + self.trust();
        held.iter().any(|held| held.trust.borrow().until < beaten)
    }
}

impl<DB: Backend> LeaderTx<'_, DB> {
    /// Its connection.
    pub(crate) fn conn(&mut self) -> &mut DB::Connection {
        &mut self.write.tx
    }

    /// Commits, with the heartbeat that it held up.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, it rolls back; dropped while it commits, it may have.
    pub(crate) async fn commit(mut self) -> Result<()> {
        let carried = self.carry().await?;
        self.finish(carried).await
    }

    /// Gives up what the handler wrote. Where there is one writer, that was rolled back to a
    /// savepoint before, and an overdue heartbeat is committed.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future rolls back, too.
    pub(crate) async fn give_up(mut self) -> Result<()> {
        match self.carry().await? {
            None => self.rollback().await,
            carried => self.finish(carried).await,
        }
    }

    /// Rolls everything back.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future rolls back, too.
    pub(crate) async fn rollback(self) -> Result<()> {
        drop(self.cover);
        self.write.rollback().await
    }

    async fn finish(self, carried: Option<(Instant, Vec<Renewal>)>) -> Result<()> {
        self.write.commit().await?;
        if let Some((asked, renewals)) = carried {
            self.leases.note(asked, &self.cover.0, &renewals);
        }
        Ok(())
    }

    async fn carry(&mut self) -> Result<Option<(Instant, Vec<Renewal>)>> {
        let held = &self.cover.0;
        if !self.leases.overdue(held) {
            return Ok(None);
        }
        let asked = Instant::now();
        let conn = &mut *self.write.tx;
        let renewals = self.leases.renew_within(conn, held).await?;
        Ok(Some((asked, renewals)))
    }
}

/// Leases that are trusted while this is there.
#[derive(Debug, Default)]
struct Cover(Vec<Arc<Held>>);

impl Cover {
    fn add(&mut self, held: Arc<Held>) {
        if !self.0.iter().any(|other| Arc::ptr_eq(other, &held)) {
            held.trust.send_modify(|trust| trust.covers += 1);
            self.0.push(held);
        }
    }
}

impl Drop for Cover {
    fn drop(&mut self) {
        for held in &self.0 {
            held.trust.send_modify(|trust| trust.covers -= 1);
        }
    }
}
