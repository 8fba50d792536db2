//! Leases: of the workers that share a subscription, one leads.
//!
//! # The parties
//!
//! A *worker* is one run of one runner: the operator's name for it (`worker_id`, not unique) and an
//! `instance`, a random id that is. The *row* of a lease in the database says which instance leads
//! and until when. The *checkpoint*, a row of another table, says how far the subscription has
//! come, and under which *fence token* it may move.
//!
//! # Who owns the clock
//!
//! The database, alone. Whether a lease has expired is decided by its clock, in the statement that
//! takes or extends it. No worker's wall clock is ever read. A worker counts on its own monotonic
//! clock how long it may go on believing: it reads that clock *before* it asks, and trusts an
//! answer for `ttl - margin` from that moment. The database counted its `ttl` from later on, so
//! the worker stops first. The margin (a tenth of the ttl) pays for clocks that run at different
//! speeds.
//!
//! # The states of a worker, for one subscription
//!
//! ```text
//!            take, stamp, commit                    heartbeat: asked + ttl - margin
//! Following ────────────────────▶ Leading ◀──┐
//!     ▲                             │  │  └───┘
//!     │   own deadline, or "lost"   │  │
//!     └─────────────────────────────┘  │ cancelled, or stopped by its handler
//!     ▲                                ▼
//!     └── (another worker) ◀─────── Released: leased_until = now, and a wake-up
//! ```
//!
//! * **Following**: looks at the row every `lease_recheck_interval`, when its `leased_until` comes,
//!   and when it hears that a lease was released.
//! * **Acquiring**, one transaction: (1) take the row if it has expired, token + 1; (2) have the
//!   server end the transactions that former leaders still have open, lock the checkpoint's row,
//!   which waits until they have ended, put the new token there, and read the position; (3) if it is
//!   the lease of a table's version that look-ups have left, since nobody led it, note that it has to
//!   catch up before they come back; (4) commit. Waits are bounded by a lock time-out of a third of
//!   the ttl, and (3) waits for nothing: where somebody else has the registry, all of it rolls back.
//! * **Leading**: every transaction of a handler ends with a statement that moves the checkpoint
//!   where the token is still its own. If it finds no row, the transaction rolls back.
//!
//! # Why a stale leader commits nothing
//!
//! Its checkpoint statement and step (2) meet at one row lock. If the stale leader locked it first,
//! the new one waits, and reads the position that it left. If the new one was first, the stale one
//! waits, then finds another token, and rolls everything back. No clock takes part in this.
//!
//! # What happens when each party stops, line by line
//!
//! | who stops, and where | what follows |
//! |---|---|
//! | a follower, anywhere | nothing; its transaction rolls back when its connection goes |
//! | an acquirer between (1) and (4) | the server rolls back when the connection breaks, or after it was idle for a ttl; the row shows the old holder; others take it |
//! | an acquirer between (3) and (4), for more than a second | the server rolls back, so that look-ups can't leave the version in between; on SQLite, where no server does, they may go back once when it goes on |
//! | an acquirer after (4), before it knows | the row shows it as leader, nobody extends it; it expires after a ttl, also for this worker itself, which takes it again under a larger token |
//! | a leader between two transactions | heartbeats end; another worker takes the lease within `ttl + lease_recheck_interval` |
//! | a leader within a transaction, killed | its connection breaks and the server rolls back; as above |
//! | a leader within a transaction, stopped (`SIGSTOP`, or its host is gone) | its successor has the server end the transaction in step (2), so its locks hold nobody up; a leader's transaction notes whose it is (`begin_leading`) |
//! | the same on SQLite, where no server is there to end it | nobody writes to the file, in any process, until it goes on or is killed; others get `WriterBusy` after their `lock_timeout` |
//! | a stopped leader that goes on | its own deadline has passed, so it drops the handler; whatever it had sent fails at the fence |
//! | the heartbeat's connection | a new one is opened at once; the leader has missed at most one of the two or more heartbeats that fit into its ttl |
//! | the database, for less than a ttl | heartbeats are late, the lease survives |
//! | the database, for longer | every leader stops by its own deadline; after the restart, leases are acquired anew, and tokens grow |
//! | a leader that is releasing | the lease expires after its ttl, as if it had been killed |
//!
//! A handler's transaction has no time limit of its own: a leader that lives may take its time.
//!
//! Heartbeats go over a connection of their own and take no lock that a handler could hold, so
//! neither a full pool nor a slow handler loses a lease. A runtime that is blocked for longer than
//! a ttl does lose it, on purpose: such a worker is not working.
//!
//! # Where there is one writer
//!
//! On SQLite a heartbeat waits for its turn to write, and a handler's own transaction may hold that
//! for longer than a ttl. What keeps heartbeats out keeps acquirers out, too: taking a lease is a
//! write. So a leader's transactions *cover* leases and *carry* heartbeats; see `LeaderTx`.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::Pool;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::backend::coordination::{HeldLease, Renewal, Side, Topic, Worker};
use crate::backend::{Backend, Db, Result, TxLimits};
use crate::error::{DbErrorKind, EventStoreError, told};

mod look_ups;
mod transaction;

use look_ups::{REGISTRY_PAUSE, keep_look_ups_away};
pub(crate) use transaction::LeaderTx;

/// A lease as it stands in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeaseStatus {
    /// The name of the worker that leads, or that led last.
    pub worker_id: String,
    /// Grows at every acquisition.
    pub fence_token: i64,
    /// Until when the lease is good without a further heartbeat, by the database's clock. In the
    /// past when it was released or has expired.
    pub leased_until: DateTime<Utc>,
    /// When it was last acquired or extended, by the database's clock.
    pub heartbeat_at: DateTime<Utc>,
    /// Whether it was in force when the database was asked. The reader's own clock can't tell. On
    /// SQLite it shows as expired while its holder is in a transaction that outlasts the ttl;
    /// nobody can take it before that ends, and it is extended with it.
    pub live: bool,
}

/// Who leads a subscription; `None` when nobody ever did. The declared name of a table projection
/// stands for the version that serves.
///
/// # Errors
///
/// [`EventStoreError::Database`].
///
/// # Cancel safety
///
/// A read; dropping it has no effect.
pub async fn status<DB: Backend>(
    pool: &Pool<DB>,
    subscription_id: &str,
) -> Result<Option<LeaseStatus>> {
    let mut conn = pool.acquire().await?;
    let serving = DB::serving_id(&mut conn, subscription_id).await?;
    let subscription_id = serving.as_deref().unwrap_or(subscription_id);
    let lease = DB::lease(&mut conn, subscription_id).await?;
    Ok(lease.map(|lease| LeaseStatus {
        worker_id: lease.worker_id,
        fence_token: lease.fence_token,
        leased_until: lease.leased_until,
        heartbeat_at: lease.heartbeat_at,
        live: !lease.remaining.is_zero(),
    }))
}

/// What an attempt to acquire came to.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// This worker leads from here on.
    Acquired {
        /// The lease; dropping it ends the heartbeats.
        lease: Lease,
        /// Where the checkpoint stands.
        position: i64,
    },
    /// Another worker leads, for so long at least unless it releases.
    Taken {
        /// Zero when it can't be told.
        remaining: Duration,
    },
}

/// A lease that this worker holds, as far as it knows.
#[derive(Debug)]
pub(crate) struct Lease(Arc<Held>);

#[derive(Debug)]
struct Held {
    lease: HeldLease,
    trust: watch::Sender<Trust>,
    /// Set before it is given back, so that nothing extends it afterwards.
    released: AtomicBool,
}

/// Why a worker takes itself for the leader.
#[derive(Debug, Clone, Copy)]
struct Trust {
    /// The database's last answer is good until then.
    until: Instant,
    /// And beyond, while there are transactions that cover the lease.
    covers: u32,
}

impl Trust {
    fn lasts(&self, now: Instant) -> bool {
        self.covers > 0 || self.until > now
    }
}

impl Lease {
    /// What every write of this leader has to prove.
    pub(crate) fn fence_token(&self) -> i64 {
        self.0.lease.fence_token
    }

    /// Comes back once this worker must no longer take itself for the leader.
    ///
    /// # Cancel safety
    ///
    /// Dropping it has no effect.
    pub(crate) async fn lost(&self) {
        let mut trust = self.0.trust.subscribe();
        loop {
            let Trust { until, covers } = *trust.borrow_and_update();
            tokio::select! {
                () = sleep_until(until), if covers == 0 => return,
                changed = trust.changed() => if changed.is_err() { return },
            }
        }
    }
}

/// The leases of one worker.
pub(crate) struct Leases<DB: Backend> {
    db: Db<DB>,
    worker: Worker,
    heartbeat_interval: Duration,
    /// For acquiring and releasing; replaced when it stops answering.
    side: Mutex<Db<DB>>,
    held: Mutex<Vec<Weak<Held>>>,
}

impl<DB: Backend> fmt::Debug for Leases<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leases")
            .field("worker", &self.worker)
            .finish_non_exhaustive()
    }
}

impl<DB: Backend> Leases<DB> {
    pub(crate) fn new(db: &Db<DB>, worker: Worker, heartbeat_interval: Duration) -> Self {
        Self {
            db: db.clone(),
            worker,
            heartbeat_interval,
            side: Mutex::new(DB::side(db, Side::Lease)),
            held: Mutex::new(Vec::new()),
        }
    }

    /// How long an answer of the database is believed, from the moment it was asked.
    fn trust(&self) -> Duration {
        self.worker.ttl - self.worker.ttl / 10
    }

    /// Takes the lease of a subscription, if it is free.
    ///
    /// # Cancel safety
    ///
    /// Dropped before the commit: nothing happened. Dropped while it commits: the lease may be
    /// taken and expires by itself.
    pub(crate) async fn acquire(&self, subscription_id: &str) -> Result<Attempt> {
        let side = lock(&self.side).clone();
        match timeout(self.worker.ttl, self.acquire_over(&side, subscription_id)).await {
            Ok(Err(error)) if error.db_kind() == Some(DbErrorKind::LockTimeout) => {
                Ok(Attempt::Taken {
                    remaining: Duration::ZERO,
                })
            }
            Ok(answer) => answer,
            Err(_) => {
                *lock(&self.side) = DB::side(&self.db, Side::Lease);
                Err(EventStoreError::Timeout {
                    what: format!("an answer about the lease of subscription `{subscription_id}`"),
                    waited: self.worker.ttl,
                })
            }
        }
    }

    async fn acquire_over(&self, side: &Db<DB>, subscription_id: &str) -> Result<Attempt> {
        let seen = DB::lease(&mut *side.pool.acquire().await?, subscription_id).await?;
        if let Some(seen) = &seen
            && !seen.remaining.is_zero()
        {
            return Ok(Attempt::Taken {
                remaining: seen.remaining,
            });
        }
        let mut tx = DB::begin(side, self.limits()).await?;
        let asked = Instant::now();
        let Some(fence_token) = DB::take_lease(&mut tx.tx, subscription_id, &self.worker).await?
        else {
            tx.rollback().await?;
            return Ok(Attempt::Taken {
                remaining: Duration::ZERO,
            });
        };
        let ended = DB::end_leading(&mut tx.tx, subscription_id).await?;
        if ended > 0 {
            tracing::warn!(
                subscription_id,
                fence_token,
                ended,
                "ended what a former leader had under way",
            );
        }
        let position = DB::stamp_checkpoint(&mut tx.tx, subscription_id, fence_token).await?;
        let former = seen.map(|seen| seen.leased_until);
        if !keep_look_ups_away::<DB>(&mut tx.tx, subscription_id, former).await? {
            tx.rollback().await?;
            return Ok(Attempt::Taken {
                remaining: REGISTRY_PAUSE,
            });
        }
        tx.commit().await?;

        let held = Arc::new(Held {
            lease: HeldLease {
                subscription_id: subscription_id.to_owned(),
                fence_token,
            },
            trust: watch::Sender::new(Trust {
                until: asked + self.trust(),
                covers: 0,
            }),
            released: AtomicBool::new(false),
        });
        lock(&self.held).push(Arc::downgrade(&held));
        let lease = Lease(held);
        Ok(Attempt::Acquired { lease, position })
    }

    /// Gives a lease back, so that another worker can lead at once, and wakes the others.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the lease may stay until it expires.
    pub(crate) async fn release(&self, lease: Lease) -> Result<()> {
        let side = lock(&self.side).clone();
        lease.0.released.store(true, Ordering::Relaxed);
        let held = &lease.0.lease;
        let release = async {
            let mut tx = DB::begin(&side, self.limits()).await?;
            DB::release_lease(&mut tx.tx, self.worker.instance, held).await?;
            DB::tell(&mut tx.tx, Topic::Subscription, &held.subscription_id).await?;
            tx.commit().await
        };
        timeout(self.worker.ttl, release).await.unwrap_or_else(|_| {
            Err(EventStoreError::Timeout {
                what: format!("the release of subscription `{}`", held.subscription_id),
                waited: self.worker.ttl,
            })
        })
    }

    fn limits(&self) -> TxLimits {
        TxLimits {
            idle: Some(self.worker.ttl),
            lock: Some(self.worker.ttl / 3),
        }
    }

    /// Extends all leases that are held, every heartbeat interval, for ever. After a failure it
    /// tries again sooner, over a new connection.
    ///
    /// # Cancel safety
    ///
    /// Dropping it ends the heartbeats; the leases are lost by and by.
    pub(crate) async fn keep(&self) {
        let mut side = DB::side(&self.db, Side::Heartbeat);
        let mut pause = self.heartbeat_interval;
        loop {
            sleep(pause).await;
            pause = self.heartbeat_interval;
            if !self.has_uncovered() {
                continue;
            }
            let beat = timeout(self.patience(), self.renew(&side)).await;
            let failed = match beat {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => Some(error),
                Err(_) => None,
            };
            pause = self.heartbeat_interval / 4;
            if self.has_uncovered() {
                tracing::warn!(
                    worker_id = %self.worker.worker_id,
                    error = failed.as_ref().map(|error| told(error)),
                    "a heartbeat failed; trying again over a new connection",
                );
                side = DB::side(&self.db, Side::Heartbeat);
            }
        }
    }

    /// How long a heartbeat may take. One that has to wait for its turn keeps its place in line for
    /// as long as it is of any use.
    fn patience(&self) -> Duration {
        if DB::ONE_WRITER {
            self.trust()
        } else {
            self.heartbeat_interval
        }
    }

    /// Whether there is a lease that no transaction covers.
    fn has_uncovered(&self) -> bool {
        let held = self.trusted(Instant::now());
        held.iter().any(|held| held.trust.borrow().covers == 0)
    }

    /// What is still to be extended: not what was dropped, nor what its holder has given up.
    fn trusted(&self, now: Instant) -> Vec<Arc<Held>> {
        let mut all = lock(&self.held);
        all.retain(|held| held.strong_count() > 0);
        all.iter()
            .filter_map(Weak::upgrade)
            .filter(|held| !held.released.load(Ordering::Relaxed))
            .filter(|held| held.trust.borrow().lasts(now))
            .collect()
    }

    async fn renew(&self, side: &Db<DB>) -> Result<()> {
        let limits = TxLimits {
            lock: Some(self.patience()),
            ..self.limits()
        };
        let mut tx = DB::begin(side, limits).await?;
        // It may have waited for its turn: what was given up meanwhile is not extended.
        let asked = Instant::now();
        let held = self.trusted(asked);
        let renewals = self.renew_within(&mut tx.tx, &held).await?;
        tx.commit().await?;
        self.note(asked, &held, &renewals);
        Ok(())
    }

    async fn renew_within(
        &self,
        conn: &mut DB::Connection,
        held: &[Arc<Held>],
    ) -> Result<Vec<Renewal>> {
        let leases: Vec<_> = held.iter().map(|held| held.lease.clone()).collect();
        let expired = look_ups::expired::<DB>(conn, &leases).await?;
        let renewals =
            DB::renew_leases(conn, self.worker.instance, self.worker.ttl, &leases).await?;
        for ((lease, former), renewal) in leases.iter().zip(expired).zip(&renewals) {
            if former.is_some() && *renewal == Renewal::Renewed {
                keep_look_ups_away::<DB>(conn, &lease.subscription_id, former).await?;
            }
        }
        Ok(renewals)
    }

    fn note(&self, asked: Instant, held: &[Arc<Held>], renewals: &[Renewal]) {
        for (held, renewal) in held.iter().zip(renewals) {
            let until = match renewal {
                Renewal::Renewed => asked + self.trust(),
                Renewal::Lost => {
                    tracing::warn!(
                        subscription_id = %held.lease.subscription_id,
                        worker_id = %self.worker.worker_id,
                        "the lease was taken away",
                    );
                    asked
                }
                Renewal::NotNow => continue,
            };
            held.trust.send_modify(|trust| trust.until = until);
        }
    }
}

/// Nothing that can panic runs under these locks.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
