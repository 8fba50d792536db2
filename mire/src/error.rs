//! What can go wrong, each with its mend.

use crate::upcast::DecodeError;

mod told;

pub(crate) use told::{is_depended_on, told};

/// Why the store could not do what it was asked. Nothing was written, unless a variant says
/// otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventStoreError {
    /// The stream has another version than the append expected: someone else was faster. Load
    /// again and decide again.
    #[error(
        "concurrency conflict on stream `{stream_id}`: expected version {expected}, found {actual}"
    )]
    ConcurrencyConflict {
        /// The stream.
        stream_id: String,
        /// The version that the append expected; 0 means that no stream was expected.
        expected: i64,
        /// The version that the stream has; 0 means that there is no stream.
        actual: i64,
    },

    /// A category or an id that can't name a stream.
    #[error("`{}` can't name a stream: {reason}", shown(name))]
    InvalidStreamName {
        /// What was given.
        name: String,
        /// What is wrong with it, and the mend.
        reason: &'static str,
    },

    /// A stream was named together with a category that is not its own.
    #[error(
        "stream `{stream_id}` does not belong to category `{category}`: a stream is named \
         `{{category}}-{{id}}`"
    )]
    CategoryMismatch {
        /// The stream.
        stream_id: String,
        /// The category that was given for it.
        category: String,
    },

    /// A value that no call can take, such as a negative limit.
    #[error("{name} can't be {value}: {mend}")]
    InvalidArgument {
        /// The argument or setting.
        name: &'static str,
        /// What was given.
        value: String,
        /// How to mend it.
        mend: &'static str,
    },

    /// An event or its metadata is larger than the store accepts.
    #[error(
        "event {index} (`{event_type}`) for stream `{stream_id}` has {bytes} bytes, and the limit \
         is {limit}: store large content elsewhere and record a reference, or raise \
         `max_event_bytes`"
    )]
    EventTooLarge {
        /// The stream.
        stream_id: String,
        /// The event's place in the append, from 0.
        index: usize,
        /// Its stored name.
        event_type: String,
        /// Payload and metadata together.
        bytes: usize,
        /// The store's limit.
        limit: usize,
    },

    /// An event has a NUL character in a text. PostgreSQL has no place for it, so no backend takes
    /// it.
    #[error(
        "event {index} (`{event_type}`) for stream `{stream_id}` has a NUL character (U+0000) in \
         its {part}: remove it, or encode the text, for example as base64"
    )]
    NulCharacter {
        /// The stream.
        stream_id: String,
        /// The event's place in the append, from 0.
        index: usize,
        /// Its stored name.
        event_type: String,
        /// `payload` or `metadata`.
        part: &'static str,
    },

    /// An event, its metadata or a snapshot has no JSON form.
    #[error("`{event_type}` for stream `{stream_id}` can't be serialised")]
    Serialization {
        /// The stream.
        stream_id: String,
        /// The stored name of the event, or `snapshot`.
        event_type: String,
        /// What serde says.
        #[source]
        source: serde_json::Error,
    },

    /// A stored event can't be read by this code.
    #[error(
        "event `{event_type}` at position {global_position} in stream `{stream_id}` can't be read"
    )]
    Deserialization {
        /// The stream.
        stream_id: String,
        /// The event's position in the log.
        global_position: i64,
        /// Its stored name.
        event_type: String,
        /// What the decoder says.
        #[source]
        source: DecodeError,
    },

    /// A stream's versions are not 1, 2, 3 … up to the recorded one. Restore the log from a backup:
    /// folding on would give a wrong state.
    ///
    /// The row in `mire_streams` is the record of which streams there are: one whose row was deleted
    /// by hand loads as if it had never been, and appends to it fail with
    /// [`DbErrorKind::UniqueViolation`], since its versions are taken.
    #[error(
        "stream `{stream_id}` is corrupt: after version {after} came {found}, and the stream's \
         recorded version is {recorded}"
    )]
    StreamCorruption {
        /// The stream.
        stream_id: String,
        /// The last version that was in order.
        after: i64,
        /// What came instead of the next one.
        found: String,
        /// The version in the stream's row.
        recorded: i64,
    },

    /// A subscription was about to deliver a stream's events out of order, or twice.
    #[error(
        "ordering violation in subscription `{subscription_id}`: version {version} of stream \
         `{stream_id}` came after version {last_delivered} was delivered"
    )]
    OrderingViolation {
        /// The subscription.
        subscription_id: String,
        /// The stream.
        stream_id: String,
        /// The version that came.
        version: i64,
        /// The version that had been delivered before.
        last_delivered: i64,
    },

    /// A table's declaration can't be a table's.
    #[error("table `{table}` can't be declared like this: {reason}")]
    InvalidTable {
        /// Its declared name.
        table: String,
        /// What is wrong, and the mend.
        reason: String,
    },

    /// The database has something else where a projection keeps its table.
    #[error("table `{table}` does not match its declaration: {differences}")]
    TableMismatch {
        /// The table, or the view that shows it.
        table: String,
        /// What differs, and the mend.
        differences: String,
    },

    /// A projection's table can't be dropped: something of the user's own depends on it.
    #[error("table `{table}` can't be dropped: {reason}")]
    TableInUse {
        /// The declared name.
        table: String,
        /// What depends on it, and the mend.
        reason: String,
    },

    /// This code's version of a table is not complete, or nobody keeps it up to date any more, and
    /// the one that serves has another shape.
    #[error(
        "table `{table}` can't be read by this code for now: its own version, \
         `{subscription_id}`, {own}, and {serving}; run its runner, and wait until it has caught up"
    )]
    TableNotReady {
        /// The declared name.
        table: String,
        /// This code's version.
        subscription_id: String,
        /// What is amiss with it.
        own: &'static str,
        /// What there is instead.
        serving: &'static str,
        /// What the database said of it.
        #[source]
        source: Option<Box<EventStoreError>>,
    },

    /// A row of a projection's table can't be read or written, or a look-up's value can't be a
    /// column's.
    #[error("a value doesn't fit its column in table `{table}`")]
    Column {
        /// The declared name.
        table: String,
        /// Which column, what is wrong, and the mend.
        #[source]
        source: crate::column::ColumnError,
    },

    /// A deadline passed before the thing waited for came about.
    #[error("{what} did not come about within {waited:?}")]
    Timeout {
        /// What was waited for.
        what: String,
        /// How long.
        waited: std::time::Duration,
    },

    /// SQLite takes one writer at a time, and another one held that place all the while: a
    /// transaction of this process, or another process on the file.
    #[error(
        "no turn to write within {waited:?}: SQLite takes one writer at a time; if a \
         `TransactionScope` of this task is open, commit or drop it before saving outside of it; if \
         another process holds the file's write lock, let it finish, or end it when it is stopped, \
         and try again, or raise `lock_timeout`"
    )]
    WriterBusy {
        /// How long in all.
        waited: std::time::Duration,
    },

    /// A transaction of the caller's own could not begin to write: someone else is writing, or has
    /// written since it began to read.
    #[error(
        "the transaction can't write: someone else does, or has since it began to read; roll it \
         back, and begin it as a writing one, with `begin_with(\"BEGIN IMMEDIATE\")` or with \
         `EventStore::begin_transaction`"
    )]
    DeferredTransaction(#[source] sqlx::Error),

    /// An SQLite file can't be opened, or not be written to. One that can only be read opens if its
    /// schema is up to date; what is written is refused with this.
    #[error(
        "`{}` can't be written to: it and its folder have to exist and be writable for this \
         process, since SQLite keeps its log beside the file, and the URL must not say `mode=ro`",
        file.display()
    )]
    File {
        /// Its path.
        file: std::path::PathBuf,
        /// What SQLite says.
        #[source]
        source: sqlx::Error,
    },

    /// A file is there, but it is no SQLite database, or an encrypted one.
    #[error(
        "`{}` is not an SQLite database: name another file, or restore this one from a backup",
        file.display()
    )]
    NotADatabase {
        /// Its path.
        file: std::path::PathBuf,
        /// What SQLite says.
        #[source]
        source: sqlx::Error,
    },

    /// The target of a copy is not a beginning of its source.
    #[error(
        "the copy differs from its source at position {global_position}: {what}; copy into an empty \
         store, or into one that only holds an earlier copy"
    )]
    CopyMismatch {
        /// Where.
        global_position: i64,
        /// How.
        what: &'static str,
    },

    /// The database is set up in a way in which a guarantee would not hold.
    #[error("{what}")]
    Unsupported {
        /// The setting, its value and the mend.
        what: String,
    },

    /// The background work that carried this call was ended before it answered, by a runtime that
    /// shut down. Whether an append was written is unknown: load again, or repeat it with the same
    /// idempotency key.
    #[error("the runtime shut down before the store answered; whether it was written is unknown")]
    Interrupted,

    /// The store's tables or functions are not there, or are an older release's.
    #[error("the schema is not there or not up to date: call `migrate()` on the store first")]
    NotMigrated(#[source] sqlx::Error),

    /// The server that a URL names can't be reached, or lets nobody in: it is away, or the URL has
    /// another host, user, password or database than it should.
    #[error("can't connect to {server}")]
    Unreachable {
        /// The host, the port and the database.
        server: String,
        /// What the driver or the server says.
        #[source]
        source: sqlx::Error,
    },

    /// A schema migration failed, and was rolled back.
    #[error("the migration failed")]
    Migration(#[source] Box<sqlx::migrate::MigrateError>),

    /// The database refused or could not be reached. When the connection broke during an append,
    /// whether it was written is unknown: load again, or repeat it with the same idempotency key.
    #[error("the database failed")]
    Database(#[source] sqlx::Error),
}

/// A refused name, for a message: what can't be printed is escaped, and of a long one the beginning
/// is enough.
pub(crate) fn shown(name: &str) -> String {
    let (begin, rest) = match name.char_indices().nth(100) {
        Some((at, _)) => name.split_at(at),
        None => (name, ""),
    };
    match rest.len() {
        0 => begin.escape_debug().to_string(),
        more => format!("{}… ({more} bytes more)", begin.escape_debug()),
    }
}

impl From<sqlx::Error> for EventStoreError {
    fn from(error: sqlx::Error) -> Self {
        if lacks_schema(&error) {
            Self::NotMigrated(error)
        } else {
            Self::Database(error)
        }
    }
}

/// Whether it was one of mire's own tables or functions that was not found; no table of a user's can
/// have such a name.
fn lacks_schema(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(database) = error else {
        return false;
    };
    let says = database.message();
    match database.code().as_deref() {
        Some("42P01" | "42883") => says.contains("mire_"),
        _ => says.starts_with("no such table: mire_"),
    }
}

/// What kind of database error it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DbErrorKind {
    /// The connection, the pool or the server was not there, or went away.
    Connection,
    /// A lock was not granted in time, or SQLite was busy.
    LockTimeout,
    /// The database ended a deadlock.
    Deadlock,
    /// A unique constraint was violated.
    UniqueViolation,
    /// A foreign key was violated.
    ForeignKeyViolation,
    /// No room is left on the disk, or the file is read-only, can't be opened or is no database.
    Storage,
    /// Anything else.
    Other,
}

impl EventStoreError {
    /// What kind of database error this is; `None` when it isn't one.
    #[must_use]
    pub fn db_kind(&self) -> Option<DbErrorKind> {
        match self {
            Self::Database(error) | Self::Unreachable { source: error, .. } => {
                Some(classify(error))
            }
            Self::WriterBusy { .. } | Self::DeferredTransaction(_) => {
                Some(DbErrorKind::LockTimeout)
            }
            Self::File { .. } | Self::NotADatabase { .. } => Some(DbErrorKind::Storage),
            Self::NotMigrated(_) => Some(DbErrorKind::Other),
            _ => None,
        }
    }

    /// Whether another writer was faster.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::ConcurrencyConflict { .. })
    }

    /// Whether the same call, with a fresh load before it, may succeed later: conflicts, deadlocks,
    /// lock time-outs, lost connections and full pools.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::ConcurrencyConflict { .. }
            | Self::Timeout { .. }
            | Self::WriterBusy { .. }
            | Self::DeferredTransaction(_)
            | Self::Interrupted => true,
            Self::Database(error) | Self::Unreachable { source: error, .. } => may_pass(error),
            _ => false,
        }
    }
}

impl EventStoreError {
    /// Whether a connection that was there is not any more. What it had been asked may have been
    /// done.
    pub(crate) fn connection_broke(&self) -> bool {
        let Self::Database(error) = self else {
            return false;
        };
        let no_connection = matches!(
            error,
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed
        );
        !no_connection && classify(error) == DbErrorKind::Connection
    }
}

/// Whether the database may answer another time.
pub(crate) fn may_pass(error: &sqlx::Error) -> bool {
    matches!(
        classify(error),
        DbErrorKind::Connection | DbErrorKind::LockTimeout | DbErrorKind::Deadlock
    )
}

/// Reads the kind from the error codes of either backend.
fn classify(error: &sqlx::Error) -> DbErrorKind {
    let database = match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => return DbErrorKind::Connection,
        sqlx::Error::Database(database) => database,
        _ => return DbErrorKind::Other,
    };
    if database.is_unique_violation() {
        return DbErrorKind::UniqueViolation;
    }
    if database.is_foreign_key_violation() {
        return DbErrorKind::ForeignKeyViolation;
    }
    let code = database.code().unwrap_or_default();
    // Five characters are a PostgreSQL SQLSTATE, and most of these are numbers as well; SQLite's codes
    // have four digits at most.
    match code.len() {
        5 => of_sqlstate(&code),
        _ => of_sqlite(&code),
    }
}

fn of_sqlstate(code: &str) -> DbErrorKind {
    match code {
        "55P03" => DbErrorKind::LockTimeout,
        "40P01" => DbErrorKind::Deadlock,
        "53100" | "25006" => DbErrorKind::Storage,
        // Also a transaction that was ended, since its process had been silent for too long.
        "53300" | "25P03" => DbErrorKind::Connection,
        code if code.starts_with("08") || code.starts_with("57P") => DbErrorKind::Connection,
        _ => DbErrorKind::Other,
    }
}

/// The low byte of a result code is the primary one.
fn of_sqlite(code: &str) -> DbErrorKind {
    match code.parse::<u32>().map(|code| code & 0xff) {
        Ok(5 | 6) => DbErrorKind::LockTimeout,
        Ok(8 | 13 | 14) => DbErrorKind::Storage,
        _ => DbErrorKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sqlstate_of_digits_is_no_result_code_of_sqlite() {
        let low_bytes = ["42501", "22021", "22022", "22024"];
        assert!(
            low_bytes
                .iter()
                .all(|code| of_sqlstate(code) == DbErrorKind::Other)
        );
        assert_eq!(of_sqlite("5"), DbErrorKind::LockTimeout);
        assert_eq!(
            of_sqlite("517"),
            DbErrorKind::LockTimeout,
            "SQLITE_BUSY_SNAPSHOT"
        );
        assert_eq!(of_sqlite("3850"), DbErrorKind::Other, "SQLITE_IOERR_LOCK");
    }
}
