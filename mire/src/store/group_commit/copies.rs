//! One error for several callers.
//!
//! The first gets the original. sqlx's errors can't be cloned, so the others get one of the same
//! variant, with the same code, kind and words; only the driver's own type is not behind it.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use sqlx::error::{DatabaseError, ErrorKind};

use crate::backend::Result;
use crate::error::{EventStoreError, told};

/// As many answers as there are callers.
pub(in crate::store) fn copies<T>(error: EventStoreError, count: usize) -> Vec<Result<T>> {
    let mut all: Vec<Result<T>> = (1..count).map(|_| Err(copy(&error))).collect();
    all.insert(0, Err(error));
    all
}

fn copy(error: &EventStoreError) -> EventStoreError {
    use EventStoreError as E;
    match error {
        E::Database(source) => E::Database(copy_driver(source)),
        E::NotMigrated(source) => E::NotMigrated(copy_driver(source)),
        E::DeferredTransaction(source) => E::DeferredTransaction(copy_driver(source)),
        E::File { file, source } => E::File {
            file: file.clone(),
            source: copy_driver(source),
        },
        E::NotADatabase { file, source } => E::NotADatabase {
            file: file.clone(),
            source: copy_driver(source),
        },
        E::Unreachable { server, source } => E::Unreachable {
            server: server.clone(),
            source: copy_driver(source),
        },
        E::WriterBusy { waited } => E::WriterBusy { waited: *waited },
        E::Timeout { what, waited } => E::Timeout {
            what: what.clone(),
            waited: *waited,
        },
        E::Unsupported { what } => E::Unsupported { what: what.clone() },
        E::Interrupted => E::Interrupted,
        E::StreamCorruption {
            stream_id,
            after,
            found,
            recorded,
        } => E::StreamCorruption {
            stream_id: stream_id.clone(),
            after: *after,
            found: found.clone(),
            recorded: *recorded,
        },
        // No statement for several callers ends with any other.
        other => E::Database(sqlx::Error::Protocol(told(other))),
    }
}

fn copy_driver(error: &sqlx::Error) -> sqlx::Error {
    match error {
        sqlx::Error::Database(error) => sqlx::Error::Database(Box::new(Said::of(&**error))),
        sqlx::Error::Io(error) => {
            sqlx::Error::Io(std::io::Error::new(error.kind(), error.to_string()))
        }
        sqlx::Error::Tls(error) => sqlx::Error::Tls(error.to_string().into()),
        sqlx::Error::PoolTimedOut => sqlx::Error::PoolTimedOut,
        sqlx::Error::PoolClosed => sqlx::Error::PoolClosed,
        sqlx::Error::WorkerCrashed => sqlx::Error::WorkerCrashed,
        sqlx::Error::RowNotFound => sqlx::Error::RowNotFound,
        sqlx::Error::Protocol(what) => sqlx::Error::Protocol(what.clone()),
        other => sqlx::Error::Protocol(told(other)),
    }
}

/// What a database said, without the driver's own type.
#[derive(Debug)]
struct Said {
    shown: String,
    message: String,
    code: Option<String>,
    constraint: Option<String>,
    table: Option<String>,
    kind: ErrorKind,
}

impl Said {
    fn of(error: &dyn DatabaseError) -> Self {
        Self {
            shown: error.to_string(),
            message: error.message().to_owned(),
            code: error.code().map(Cow::into_owned),
            constraint: error.constraint().map(str::to_owned),
            table: error.table().map(str::to_owned),
            kind: error.kind(),
        }
    }
}

/// Kinds can't be copied otherwise.
fn same(kind: &ErrorKind) -> ErrorKind {
    match kind {
        ErrorKind::UniqueViolation => ErrorKind::UniqueViolation,
        ErrorKind::ForeignKeyViolation => ErrorKind::ForeignKeyViolation,
        ErrorKind::NotNullViolation => ErrorKind::NotNullViolation,
        ErrorKind::CheckViolation => ErrorKind::CheckViolation,
        ErrorKind::ExclusionViolation => ErrorKind::ExclusionViolation,
        _ => ErrorKind::Other,
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Error for Said {}

impl DatabaseError for Said {
    fn message(&self) -> &str {
        &self.message
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        self.code.as_deref().map(Cow::Borrowed)
    }

    fn constraint(&self) -> Option<&str> {
        self.constraint.as_deref()
    }

    fn table(&self) -> Option<&str> {
        self.table.as_deref()
    }

    fn kind(&self) -> ErrorKind {
        same(&self.kind)
    }

    fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn Error + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn Error + Send + Sync + 'static> {
        self
    }
}
