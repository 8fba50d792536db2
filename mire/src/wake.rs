//! Wake-ups: how a waiting reader hears at once of what was committed.
//!
//! A wake-up is a hint and never carries data. Losing one costs time, up to the next poll, and
//! nothing else; so nothing here is stored or acknowledged.
//!
//! ```text
//!  append ─commit─▶ Wake::committed ─▶ appended ─▶ every waiting reader of this process
//!                        │
//!                        └▶ the notifier, a task ─▶ NOTIFY ─▶ other processes' listeners
//!                                                                   │
//!                                              Wake::heard ◀────────┘ ─▶ appended
//! ```
//!
//! * **The signals** ([`Signals`]) are counters in `tokio::sync::watch` channels. A waiter marks a
//!   counter as seen *before* it asks the database, so what is committed after its query wakes it.
//! * **The notifier** runs on a connection of its own, because `NOTIFY` in the transaction of an
//!   append would make appends queue for a lock of the whole server. It starts with the first
//!   commit, ends when the last clone of the store is dropped, and sends at most one `NOTIFY` each
//!   [`NOTIFY_GAP`], however many commits there were. What it can't send it sends again, over a new
//!   connection and with growing pauses: after a restart of the server, readers may listen again
//!   before it finds its own connection broken.
//! * **The listener** belongs to a runner and runs while the runner does. When its connection is
//!   lost it wakes everyone once, because anything may have been said meanwhile, and connects
//!   again, with growing pauses up to [`RECONNECT_MAX`].
//! * A process ignores its own echo: the text of a notification names the store that sent it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use tokio::sync::watch;
use uuid::Uuid;

use crate::backend::coordination::{Heard, Listener, Side, Topic};
use crate::backend::{Backend, Db};
use crate::error::told;

/// The shortest time between two notifications of one store.
const NOTIFY_GAP: Duration = Duration::from_millis(2);

/// How long a notification may take before its connection is given up.
const NOTIFY_TIMEOUT: Duration = Duration::from_secs(5);

/// The first pause before a lost connection is opened again, and the longest.
const RECONNECT_MIN: Duration = Duration::from_millis(50);
const RECONNECT_MAX: Duration = Duration::from_secs(5);

/// The counters that waiters of one store watch.
#[derive(Debug)]
pub(crate) struct Signals {
    /// Something was appended, here or elsewhere.
    appended: watch::Sender<u64>,
    /// A checkpoint moved in this process.
    checkpointed: watch::Sender<u64>,
    /// A lease was given back, a checkpoint reset or a parked event released, here or elsewhere.
    subscription_changed: watch::Sender<u64>,
    /// Something was appended by this store; only the notifier watches.
    committed_here: watch::Sender<u64>,
}

impl Default for Signals {
    fn default() -> Self {
        Self {
            appended: watch::Sender::new(0),
            checkpointed: watch::Sender::new(0),
            subscription_changed: watch::Sender::new(0),
            committed_here: watch::Sender::new(0),
        }
    }
}

fn raise(signal: &watch::Sender<u64>) {
    signal.send_modify(|count| *count = count.wrapping_add(1));
}

/// What a store and all its clones share to wake readers.
pub(crate) struct Wake<DB: Backend> {
    db: Db<DB>,
    /// Names this store in its notifications.
    id: Uuid,
    signals: Signals,
    /// Held while the notifier is started.
    starting: Mutex<()>,
}

impl<DB: Backend> fmt::Debug for Wake<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wake")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl<DB: Backend> Wake<DB> {
    /// Nothing is opened or started until the first commit.
    pub(crate) fn new(db: Db<DB>) -> Arc<Self> {
        Arc::new(Self {
            db,
            id: Uuid::new_v4(),
            signals: Signals::default(),
            starting: Mutex::new(()),
        })
    }

    /// To be called after each commit that appended something. Never waits.
    pub(crate) fn committed(&self) {
        raise(&self.signals.appended);
        raise(&self.signals.committed_here);
        // The notifier holds the only receiver, so this also sees that it ended with its runtime.
        if DB::TELLS && self.signals.committed_here.receiver_count() == 0 {
            self.start_notifier();
        }
    }

    /// To be called after a checkpoint moved.
    pub(crate) fn checkpointed(&self) {
        raise(&self.signals.checkpointed);
    }

    /// To be called after something of a subscription changed that its runners have to look at.
    pub(crate) fn subscription_changed(&self) {
        raise(&self.signals.subscription_changed);
    }

    /// Watches for appended events.
    pub(crate) fn watch_appended(&self) -> watch::Receiver<u64> {
        self.signals.appended.subscribe()
    }

    /// Watches for checkpoints that move.
    pub(crate) fn watch_checkpointed(&self) -> watch::Receiver<u64> {
        self.signals.checkpointed.subscribe()
    }

    /// Watches for changes of subscriptions.
    pub(crate) fn watch_subscription_changed(&self) -> watch::Receiver<u64> {
        self.signals.subscription_changed.subscribe()
    }

    fn start_notifier(&self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let _starting = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        if self.signals.committed_here.receiver_count() > 0 {
            return;
        }
        let mut commits = self.signals.committed_here.subscribe();
        commits.mark_changed();
        runtime.spawn(notify(self.db.clone(), self.id, commits));
    }

    fn heard(&self, heard: &Heard) {
        match heard {
            Heard::Told(Topic::Events, sender) if *sender == self.id.to_string() => {}
            Heard::Told(Topic::Events, _) => raise(&self.signals.appended),
            Heard::Told(Topic::Subscription, _) => raise(&self.signals.subscription_changed),
            Heard::Gap => {
                raise(&self.signals.appended);
                raise(&self.signals.subscription_changed);
            }
        }
    }

    /// Passes on what other processes tell, for ever.
    ///
    /// # Cancel safety
    ///
    /// Dropping it closes the connection; what is told afterwards is not heard.
    pub(crate) async fn listen(&self) {
        let mut pause = RECONNECT_MIN;
        loop {
            match DB::listen(&self.db).await {
                Ok(None) => return std::future::pending().await,
                Ok(Some(mut listener)) => {
                    pause = RECONNECT_MIN;
                    // Also right after connecting: what was told before was not heard.
                    self.heard(&Heard::Gap);
                    let error = loop {
                        match listener.next().await {
                            Ok(heard) => self.heard(&heard),
                            Err(error) => break error,
                        }
                    };
                    tracing::debug!(error = %told(&error), "the listening connection was lost; connecting again");
                }
                Err(error) => {
                    tracing::warn!(error = %told(&error), "can't listen for wake-ups; polling meanwhile");
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RECONNECT_MAX);
        }
    }
}

/// Tells other processes of commits until the store is gone.
async fn notify<DB: Backend>(db: Db<DB>, id: Uuid, mut commits: watch::Receiver<u64>) {
    let id = id.to_string();
    let mut side = DB::side(&db, Side::Notifier);
    let mut conn = None;
    while commits.changed().await.is_ok() {
        let mut pause = RECONNECT_MIN;
        loop {
            // Later commits need no telling of their own.
            commits.mark_unchanged();
            let told = tokio::time::timeout(NOTIFY_TIMEOUT, tell(&side, &mut conn, &id)).await;
            let error = match told {
                Ok(Ok(())) => break,
                failed => failed.map_or_else(|_| None, Result::err),
            };
            tracing::debug!(?error, "other processes were not woken; trying again");
            // A connection that doesn't answer can hold its place in the pool for as long as the
            // network likes.
            conn = None;
            side = DB::side(&db, Side::Notifier);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RECONNECT_MAX);
            if commits.has_changed().is_err() {
                return;
            }
        }
        tokio::time::sleep(NOTIFY_GAP).await;
    }
}

async fn tell<DB: Backend>(
    side: &Db<DB>,
    held: &mut Option<PoolConnection<DB>>,
    id: &str,
) -> crate::backend::Result<()> {
    let conn = match held {
        Some(conn) => conn,
        None => held.insert(side.pool.acquire().await?),
    };
    DB::tell(conn, Topic::Events, id).await
}
