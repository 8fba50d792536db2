//! Event sourcing for Rust, declared in macros, on PostgreSQL and embedded SQLite.

// The derive macro names `::mire`, also in this crate's own tests.
#[allow(unused_extern_crates)]
extern crate self as mire;

#[doc(hidden)]
pub mod __private;
mod aggregate;
mod backend;
mod column;
mod command;
mod error;
mod event;
mod json;
pub mod lease;
mod open;
mod projection;
mod snapshot;
mod store;
mod stream;
mod subscription;
pub mod table;
pub mod testing;
mod upcast;
mod wake;

pub use aggregate::{Aggregate, AggregateId, AggregateRoot, AggregateStream, Names};
pub use backend::{Backend, HeldBy, SafeHead};
pub use command::{Answers, Command, CommandError, Decision, IntoEvents};
pub use error::{DbErrorKind, EventStoreError};
pub use event::{Event, EventData, EventMetadata, EventTypeStatic, RecordedEvent, StoredEvent};
pub use mire_macros::{EventData, aggregate, projection};
pub use open::{AnyStore, open, open_any};
pub use projection::{
    ActingProjection, Batch, EventHandler, Failure, FailurePolicy, HandledEvent, PageHandler,
    ParkedEvent, ParkedState, ProjectionRunner, ProjectionRunnerBuilder, RunnerError, Subscription,
    TransactionalBatchEventHandler, TransactionalEventHandler, TransactionalPageHandler,
};
pub use snapshot::{Snapshot, Snapshots};
pub use store::{
    Append, Appended, CommittedEvents, Copied, Copy, CopyPhase, CopyProgress, EventStore, Executed,
    Repository, StoreOptions, TransactionScope, copy,
};
pub use stream::{
    ExpectedVersion, MAX_CATEGORY_BYTES, MAX_STREAM_ID_BYTES, ReadDirection, StreamName,
    StreamQuery,
};
pub use subscription::{EventInfo, EventPage, PageEvent};
pub use table::{
    ColumnDef, ColumnError, ColumnType, Delivery, Json, RowReader, RowWriter, TableDef,
    TableProjection,
};
pub use upcast::{DecodeError, UnknownEventType, UnknownSchemaVersion, Upcast};

#[cfg(feature = "postgres")]
#[doc(no_inline)]
pub use sqlx::Postgres;
#[cfg(feature = "sqlite")]
#[doc(no_inline)]
pub use sqlx::Sqlite;
