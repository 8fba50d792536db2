//! Connections that were in use a moment ago.
//!
//! A pool tests a connection with a round trip when it hands it out, and with another one when it
//! comes back. A statement that is one round trip itself would cost three. Statements that follow
//! one another closely need neither test: a connection that has just answered is alive, and is kept
//! here for at most [`KEEP`], then goes back to its pool.
//!
//! # Who owns a connection
//!
//! Whoever took it, until it is [kept](Recent::keep). Only a connection whose last statement has
//! succeeded may be kept; any other is dropped, and the pool tests it. What is kept belongs to the
//! user's pool all the same: never more than half of it, nothing at all while the pool has no other
//! connection to give, and nothing without a runtime.
//!
//! # What happens when a party stops
//!
//! - A kept connection breaks: the next statement on it fails as one does whose connection breaks
//!   under way. What is safe to repeat then gives back all that is [kept](Recent::forget), so that
//!   the pool tests it, and is sent once more: reads, and an append that can't be written twice. The
//!   caller of any other append sees an error that says so. (The pool's test leaves a smaller window,
//!   but no less of one.)
//! - The sweeper's runtime ends: its place is free, and the next runtime starts another.
//! - The store is dropped: the connections go back, or, outside of any runtime, are closed.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Database, Pool};
use tokio::time::{Instant, sleep};

use super::Result;

/// For how long a connection is kept after it was used.
const KEEP: Duration = Duration::from_millis(200);

/// The most connections that are kept.
const MOST: u32 = 8;

/// See the module. A backend for which tests cost nothing keeps none.
pub struct Recent<DB: Database> {
    state: Mutex<State<DB>>,
    room: usize,
}

struct State<DB: Database> {
    /// The one that was used last is the last one.
    kept: Vec<(PoolConnection<DB>, Instant)>,
    sweeping: bool,
}

/// A connection for a statement: from [`Recent`], or from its pool.
pub struct Taken<DB: Database>(PoolConnection<DB>);

impl<DB: Database> Recent<DB> {
    /// Keeps nothing yet.
    pub fn new(pool: &Pool<DB>, enabled: bool) -> Arc<Self> {
        let most = (pool.options().get_max_connections() / 2).min(MOST);
        Arc::new(Self {
            state: Mutex::new(State {
                kept: Vec::new(),
                sweeping: false,
            }),
            room: if enabled { most as usize } else { 0 },
        })
    }

    /// The connection that was used last, or else one of the pool's.
    pub async fn take(&self, pool: &Pool<DB>) -> Result<Taken<DB>> {
        let kept = self.state().kept.pop();
        if let Some((conn, used)) = kept
            && used.elapsed() < KEEP
        {
            return Ok(Taken(conn));
        }
        Ok(Taken(pool.acquire().await?))
    }

    /// Keeps a connection whose last statement has succeeded.
    pub fn keep(self: &Arc<Self>, pool: &Pool<DB>, taken: Taken<DB>) {
        let wanted = pool.num_idle() == 0 && pool.size() >= pool.options().get_max_connections();
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let mut state = self.state();
        if wanted || state.kept.len() >= self.room || pool.is_closed() {
            return;
        }
        state.kept.push((taken.0, Instant::now()));
        if !state.sweeping {
            state.sweeping = true;
            let sweeper = Sweeper {
                recent: Arc::downgrade(self),
                at_work: true,
            };
            drop(state);
            runtime.spawn(sweeper.run());
        }
    }

    /// Gives back all that is kept: where one connection broke, others may have.
    pub fn forget(&self) {
        let kept = std::mem::take(&mut self.state().kept);
        drop(kept);
    }

    fn state(&self) -> MutexGuard<'_, State<DB>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<DB: Database> fmt::Debug for Recent<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recent")
            .field("kept", &self.state().kept.len())
            .finish_non_exhaustive()
    }
}

impl<DB: Database> Drop for Recent<DB> {
    fn drop(&mut self) {
        if tokio::runtime::Handle::try_current().is_ok() {
            return;
        }
        // Going back to the pool takes a runtime.
        for (conn, _) in self.state().kept.drain(..) {
            drop(conn.detach());
        }
    }
}

/// Gives connections back that nobody has used for a while.
struct Sweeper<DB: Database> {
    recent: Weak<Recent<DB>>,
    at_work: bool,
}

impl<DB: Database> Sweeper<DB> {
    async fn run(mut self) {
        loop {
            sleep(KEEP / 2).await;
            let Some(recent) = self.recent.upgrade() else {
                return;
            };
            let mut state = recent.state();
            let split = state
                .kept
                .partition_point(|(_, used)| used.elapsed() >= KEEP);
            let stale: Vec<_> = state.kept.drain(..split).collect();
            if state.kept.is_empty() {
                // Under the same lock, so that whoever keeps one from now on starts another.
                state.sweeping = false;
                self.at_work = false;
            }
            drop(state);
            drop(stale);
            if !self.at_work {
                return;
            }
        }
    }
}

impl<DB: Database> Drop for Sweeper<DB> {
    fn drop(&mut self) {
        if self.at_work
            && let Some(recent) = self.recent.upgrade()
        {
            recent.state().sweeping = false;
        }
    }
}

impl<DB: Database> Deref for Taken<DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<DB: Database> DerefMut for Taken<DB> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl<DB: Database> fmt::Debug for Taken<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Taken").finish_non_exhaustive()
    }
}
