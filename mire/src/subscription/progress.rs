//! How far a subscription has come, and waiting for it.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::backend::coordination::Topic;
use crate::backend::table::VersionTable;
use crate::backend::{Backend, Result, TxLimits};
use crate::error::EventStoreError;
use crate::store::EventStore;

/// How long the first answer of a wait may take, however short the wait is meant to be.
const FIRST_ANSWER: Duration = Duration::from_secs(1);

/// How often a waiting caller asks the database, at first and at last, when no checkpoint moves in
/// this process.
const WAIT_POLL_MIN: Duration = Duration::from_millis(5);
const WAIT_POLL_MAX: Duration = Duration::from_millis(200);

/// As long as anybody waits.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// How long a reset waits for a transaction that is just moving the checkpoint, and how long the
/// server lets its own transaction be silent.
const RESET_LIMITS: TxLimits = TxLimits {
    idle: Some(Duration::from_secs(30)),
    lock: Some(Duration::from_secs(30)),
};

/// The subscription that an id means: for the declared name of a table projection that of the
/// version that serves, and otherwise the id itself.
pub(crate) async fn resolved<DB: Backend>(
    conn: &mut DB::Connection,
    subscription_id: &str,
) -> Result<String> {
    let serving = DB::serving_id(conn, subscription_id).await?;
    Ok(serving.unwrap_or_else(|| subscription_id.to_owned()))
}

/// Here and in the other methods that take a subscription's id, the declared name of a table
/// projection stands for the version that serves; another version is named by its own id, see
/// [`TableDef::subscription_id`](crate::TableDef::subscription_id).
impl<DB: Backend> EventStore<DB> {
    /// The position up to which a subscription is done, itself included; `None` when it never ran.
    ///
    /// # Errors
    ///
    /// [`EventStoreError::Database`].
    ///
    /// # Cancel safety
    ///
    /// A read; dropping it has no effect.
    pub async fn checkpoint(&self, subscription_id: &str) -> Result<Option<i64>> {
        DB::checkpoint(&mut *self.pool().acquire().await?, subscription_id).await
    }

    /// How many positions a subscription is behind the end of the log: 0 when it is done with
    /// everything that may be read, and the length of the log when it never ran.
    ///
    /// Positions have holes (a refused append may use some up), and the subscription may pass over
    /// events of other categories, so this is an upper bound of the events it has yet to handle.
    ///
    /// # Errors
    ///
    /// [`EventStoreError::Database`].
    ///
    /// # Cancel safety
    ///
    /// A read; dropping it has no effect.
    pub async fn projection_lag(&self, subscription_id: &str) -> Result<i64> {
        let mut conn = self.pool().acquire().await?;
        // In this order, or a checkpoint that moves in between would be ahead of the head.
        let checkpoint = DB::checkpoint(&mut conn, subscription_id).await?;
        let head = DB::safe_head(&mut conn).await?.position;
        Ok((head - checkpoint.unwrap_or(0)).max(0))
    }

    /// Waits until a subscription is done with everything up to `position`, for example the
    /// position of an event that was just appended: afterwards the projection shows it.
    ///
    /// Events that were parked or skipped count as done. A subscription in this process wakes the
    /// caller at once, one in another process within a few milliseconds to 200, the longer it
    /// takes the later. The database is asked at least once, for up to a second, so that a timeout
    /// of zero asks whether it is there already.
    ///
    /// # Errors
    ///
    /// [`EventStoreError::Timeout`], which names how far the subscription is, and
    /// [`EventStoreError::Database`].
    ///
    /// # Cancel safety
    ///
    /// A read; dropping it has no effect.
    pub async fn wait_for(
        &self,
        subscription_id: &str,
        position: i64,
        timeout: Duration,
    ) -> Result<()> {
        let asked_first = Instant::now();
        // Callers who want to wait for ever say so with `Duration::MAX`, which no clock reaches.
        let deadline = asked_first + timeout.min(FOREVER);
        let mut moved = self.wake().watch_checkpointed();
        let mut poll = WAIT_POLL_MIN;
        let mut reached = None;
        loop {
            moved.borrow_and_update();
            let answered_by = deadline.max(asked_first + FIRST_ANSWER);
            if let Ok(now) = timeout_at(answered_by, self.checkpoint(subscription_id)).await {
                reached = now?;
            }
            if reached.is_some_and(|reached| reached >= position) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let at = reached.map_or("never ran".to_owned(), |at| format!("is at {at}"));
                return Err(EventStoreError::Timeout {
                    what: format!(
                        "position {position} of subscription `{subscription_id}`, which {at},"
                    ),
                    waited: timeout,
                });
            }
            let until = deadline.min(Instant::now() + poll);
            // Woken or not, the database is asked again.
            let _ = timeout_at(until, moved.changed()).await;
            poll = (poll * 2).min(WAIT_POLL_MAX);
        }
    }

    /// Puts a subscription's checkpoint to a position, back or forward; 0 is the start. Its handler
    /// gets every event after it (again).
    ///
    /// Nothing that runs has to be stopped. A running leader loses its lease with this, what it is
    /// just handling rolls back, and the next leader starts at the new position. Events that were
    /// put aside after the position are forgotten, since they are delivered again. What handlers
    /// wrote elsewhere is not undone: clear it before, where handling an event twice would matter.
    ///
    /// The table of a table projection is emptied, and built anew while readers look on. It can only
    /// be reset to the start. To rebuild it unseen, change its declaration.
    ///
    /// # Errors
    ///
    /// [`EventStoreError::InvalidArgument`] for a negative position, for one other than 0 when the
    /// subscription keeps a table, and
    /// [`EventStoreError::Database`], also when a handler's transaction holds the checkpoint for
    /// more than 30 seconds.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, nothing has happened; dropped while it commits, it may have.
    pub async fn reset_checkpoint(&self, subscription_id: &str, position: i64) -> Result<()> {
        if position < 0 {
            return Err(EventStoreError::InvalidArgument {
                name: "the position",
                value: position.to_string(),
                mend: "pass 0 for the start of the log, or the position of an event",
            });
        }
        let mut tx = DB::begin(self.db(), RESET_LIMITS).await?;
        let subscription_id = &*resolved::<DB>(&mut tx.tx, subscription_id).await?;
        let table = DB::version_table(&mut tx.tx, subscription_id).await?;
        if table.is_some() && position > 0 {
            return Err(EventStoreError::InvalidArgument {
                name: "the position that a table projection is reset to",
                value: position.to_string(),
                mend: "pass 0: its rows hold what came before the position, so it can only be \
                       built anew",
            });
        }
        if let Some(table) = &table {
            DB::lock_table(&mut tx.tx, &table.subscription).await?;
        }
        let token = DB::revoke_lease(&mut tx.tx, subscription_id).await?;
        DB::reset_checkpoint(&mut tx.tx, subscription_id, position, token.unwrap_or(0)).await?;
        DB::forget_parked_after(&mut tx.tx, subscription_id, position).await?;
        if let Some(VersionTable {
            subscription,
            fingerprint,
            physical,
        }) = &table
        {
            DB::clear_table(&mut tx.tx, physical).await?;
            DB::version_ready(&mut tx.tx, subscription, fingerprint, false).await?;
            // Its rate is measured from here on.
            DB::version_prepared(&mut tx.tx, subscription, fingerprint).await?;
        }
        DB::tell(&mut tx.tx, Topic::Subscription, subscription_id).await?;
        tx.commit().await?;
        self.wake().subscription_changed();
        Ok(())
    }
}
