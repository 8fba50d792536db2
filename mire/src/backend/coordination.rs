//! The second half of the seam: leases, checkpoints, parked events and wake-ups.
//!
//! The statements here are small on purpose. What they add up to (how a lease is acquired, when a
//! checkpoint may move) is written once, in [`crate::lease`] and [`crate::projection`].

use std::fmt;
use std::future::Future;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::Pool;
use uuid::Uuid;

use super::{Db, EventLog, Result, WriteTx};

/// What a connection outside the user's pool is for. Its name shows in the server's list of
/// connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Heartbeats, one at a time.
    Heartbeat,
    /// Acquiring and releasing leases.
    Lease,
    /// Hearing of what other processes did.
    Listener,
    /// Telling other processes.
    Notifier,
}

impl Side {
    /// The name that the server shows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Heartbeat => "mire heartbeat",
            Self::Lease => "mire lease",
            Self::Listener => "mire listener",
            Self::Notifier => "mire notifier",
        }
    }
}

/// Who asks for a lease.
#[derive(Debug, Clone)]
pub struct Worker {
    /// The name that the operator gave it; several may share one.
    pub worker_id: String,
    /// Unique to one run of one runner.
    pub instance: Uuid,
    /// How long a lease is good for without a heartbeat.
    pub ttl: Duration,
}

/// A lease that a runner holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldLease {
    /// The subscription.
    pub subscription_id: String,
    /// The token that it was acquired with.
    pub fence_token: i64,
}

/// What became of a heartbeat for one lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// Extended by a ttl from now.
    Renewed,
    /// It is no longer ours.
    Lost,
    /// Not extended: expired but not taken, or its row is locked.
    NotNow,
}

/// A lease as it stands in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawLease {
    /// The holder's name.
    pub worker_id: String,
    /// Its token.
    pub fence_token: i64,
    /// Until when it is good without a further heartbeat.
    pub leased_until: DateTime<Utc>,
    /// When it was last acquired or extended.
    pub heartbeat_at: DateTime<Utc>,
    /// How much longer it is good for, by the database's clock; zero when it was released or has
    /// expired.
    pub remaining: Duration,
}

/// A fenced move of a checkpoint.
#[derive(Debug, Clone, Copy)]
pub struct Advance<'a> {
    /// The subscription.
    pub subscription_id: &'a str,
    /// The token under which the caller leads.
    pub fence_token: i64,
    /// Where the caller takes the checkpoint to be.
    pub from: i64,
    /// Where it goes; not below `from`.
    pub to: i64,
}

/// An event that a subscription puts aside.
#[derive(Debug, Clone)]
pub struct NewParked {
    /// Its position.
    pub global_position: i64,
    /// Its stream.
    pub stream_id: String,
    /// Its version in the stream.
    pub stream_version: i64,
    /// Its stored name.
    pub event_type: String,
    /// How often it was delivered; 0 when it only stands behind another one.
    pub attempts: i32,
    /// What the handler said last.
    pub error: Option<String>,
}

/// What an event that was put aside is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParkedState {
    /// Waits for an operator, and with it the later events of its stream.
    Parked,
    /// Is to be delivered again.
    Retry,
    /// Was skipped; a record.
    Skipped,
}

impl ParkedState {
    /// Its stored form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Parked => "parked",
            Self::Retry => "retry",
            Self::Skipped => "skipped",
        }
    }

    /// Reads the stored form.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Parked, Self::Retry, Self::Skipped]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

/// An event that was put aside.
#[derive(Debug, Clone)]
pub struct RawParked {
    /// The event, and what was said of it.
    pub event: NewParked,
    /// What it is there for.
    pub state: ParkedState,
    /// Since when.
    pub parked_at: DateTime<Utc>,
}

/// A stream whose events are held up in a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedStream {
    /// The stream.
    pub stream_id: String,
    /// Whether someone asked for another try.
    pub retry: bool,
}

/// What one process tells the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// Events were appended; the text names the store that did it.
    Events,
    /// A lease was given back, a checkpoint reset or a parked event released; the text names the
    /// subscription.
    Subscription,
}

/// Something another process told, or may have told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// This was told.
    Told(Topic, String),
    /// The connection was lost in between: anything may have been told.
    Gap,
}

/// A connection that hears what other processes tell.
pub trait Listener: Send + 'static {
    /// Waits for the next thing. Not cancel safe; an error ends the listener.
    fn next(&mut self) -> impl Future<Output = Result<Heard>> + Send;
}

/// Leases, checkpoints, parked events, wake-ups.
pub trait Coordination: EventLog {
    /// How many connections the pool of a runner's store must have, at least.
    const MIN_POOL_CONNECTIONS: u32;

    /// Whether processes can tell each other; if not, they poll.
    const TELLS: bool;

    /// Whether an open transaction keeps everybody else from writing, and so from taking a lease.
    const ONE_WRITER: bool;

    /// Hears what other processes tell.
    type Listener: Listener;

    /// The same database over connections of its own, which are opened at its first use and again
    /// after it was lost, so that nothing in the user's pool can hold it up. After a time-out the
    /// caller asks for another one. A backend that has no use for it answers the database as it is.
    fn side(db: &Db<Self>, side: Side) -> Db<Self>;

    /// Whether all tables are there.
    fn is_migrated(conn: &mut Self::Connection) -> impl Future<Output = Result<bool>> + Send;

    /// Takes a lease that is free or has expired, by the database's clock, and answers its new
    /// token, larger than every one before; `None` when someone else has it.
    fn take_lease(
        conn: &mut Self::Connection,
        subscription_id: &str,
        worker: &Worker,
    ) -> impl Future<Output = Result<Option<i64>>> + Send;

    /// Opens the transaction of a leader: as [`EventLog::begin`], and a successor can find it. `lock`
    /// bounds what it waits for locks; on SQLite there are none to wait for once it is open.
    fn begin_leading(
        db: &Db<Self>,
        subscription_id: &str,
        lock: Option<Duration>,
    ) -> impl Future<Output = Result<WriteTx<Self>>> + Send;

    /// Ends the transactions that leaders of a subscription have open, and answers how many were
    /// told to end. For whoever has just taken the lease: none of them could commit any more, and
    /// their locks would hold the new leader up.
    fn end_leading(
        conn: &mut Self::Connection,
        subscription_id: &str,
    ) -> impl Future<Output = Result<u64>> + Send;

    /// Puts the token into the checkpoint's row, waiting for whoever is just moving it, and answers
    /// the position that stands there then: 0 for a new subscription.
    fn stamp_checkpoint(
        conn: &mut Self::Connection,
        subscription_id: &str,
        fence_token: i64,
    ) -> impl Future<Output = Result<i64>> + Send;

    /// Extends leases, in one statement that waits for none of them. Answers in their order. One
    /// that has expired is not extended, except by the only writer, whom nobody can have overtaken.
    fn renew_leases(
        conn: &mut Self::Connection,
        instance: Uuid,
        ttl: Duration,
        leases: &[HeldLease],
    ) -> impl Future<Output = Result<Vec<Renewal>>> + Send;

    /// Ends a lease now, if it still is the caller's, and says whether it was.
    fn release_lease(
        conn: &mut Self::Connection,
        instance: Uuid,
        lease: &HeldLease,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Ends the lease of whoever has it, and answers a token above its own; `None` when the
    /// subscription was never led.
    fn revoke_lease(
        conn: &mut Self::Connection,
        subscription_id: &str,
    ) -> impl Future<Output = Result<Option<i64>>> + Send;

    /// A lease's row.
    fn lease(
        conn: &mut Self::Connection,
        subscription_id: &str,
    ) -> impl Future<Output = Result<Option<RawLease>>> + Send;

    /// Moves a checkpoint, if the token and the position in its row are those of the caller, and
    /// says whether they were. The row stays locked until the transaction ends.
    fn advance_checkpoint(
        conn: &mut Self::Connection,
        advance: Advance<'_>,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// A checkpoint's position; `None` for a subscription that was never led.
    fn checkpoint(
        conn: &mut Self::Connection,
        subscription_id: &str,
    ) -> impl Future<Output = Result<Option<i64>>> + Send;

    /// All subscriptions that were ever led, and their checkpoints.
    fn checkpoints(
        conn: &mut Self::Connection,
    ) -> impl Future<Output = Result<Vec<(String, i64)>>> + Send;

    /// Locks a checkpoint's row until the transaction ends, and answers its position.
    fn lock_checkpoint(
        conn: &mut Self::Connection,
        subscription_id: &str,
    ) -> impl Future<Output = Result<Option<i64>>> + Send;

    /// Puts a checkpoint to a position and a token, whatever stands there.
    fn reset_checkpoint(
        conn: &mut Self::Connection,
        subscription_id: &str,
        position: i64,
        fence_token: i64,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Puts an event aside, or renews what is said of one that already is. Without a time, it is
    /// the database's.
    fn put_aside(
        conn: &mut Self::Connection,
        subscription_id: &str,
        event: &NewParked,
        state: ParkedState,
        parked_at: Option<DateTime<Utc>>,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Puts events aside whose streams are held up, and answers how many: those whose stream no
    /// longer is are left out. To be called with the checkpoint's row locked.
    fn park_behind(
        conn: &mut Self::Connection,
        subscription_id: &str,
        events: &[NewParked],
    ) -> impl Future<Output = Result<u64>> + Send;

    /// The streams that are held up.
    fn parked_streams(
        conn: &mut Self::Connection,
        subscription_id: &str,
    ) -> impl Future<Output = Result<Vec<ParkedStream>>> + Send;

    /// Events that were put aside, in position order, after a position; of one stream, and then
    /// without the skipped ones, or of all.
    fn parked_events(
        conn: &mut Self::Connection,
        subscription_id: &str,
        stream_id: Option<&str>,
        after: i64,
        limit: i64,
    ) -> impl Future<Output = Result<Vec<RawParked>>> + Send;

    /// Turns the parked events of a stream to another state, and answers how many. The skipped ones
    /// stay.
    fn mark_parked(
        conn: &mut Self::Connection,
        subscription_id: &str,
        stream_id: &str,
        state: ParkedState,
    ) -> impl Future<Output = Result<u64>> + Send;

    /// Forgets that an event was put aside, and says whether it was.
    fn forget_parked(
        conn: &mut Self::Connection,
        subscription_id: &str,
        global_position: i64,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Forgets all that was put aside after a position.
    fn forget_parked_after(
        conn: &mut Self::Connection,
        subscription_id: &str,
        position: i64,
    ) -> impl Future<Output = Result<u64>> + Send;

    /// Tells other processes; within a transaction, when it commits. What can't be told is no
    /// error: they poll, too.
    fn tell(
        conn: &mut Self::Connection,
        topic: Topic,
        text: &str,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Hears what other processes tell from now on; `None` when the backend has no such channel.
    fn listen(db: &Db<Self>) -> impl Future<Output = Result<Option<Self::Listener>>> + Send;
}

impl fmt::Display for ParkedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The size of a pool, for the check of a runner's settings.
pub fn pool_size<DB: Coordination>(pool: &Pool<DB>) -> u32 {
    pool.options().get_max_connections()
}
