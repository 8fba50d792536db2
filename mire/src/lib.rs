//! Event sourcing for Rust, declared in macros, on PostgreSQL and embedded SQLite.

// The derive macro names `::mire`, also in this crate's own tests.
#[allow(unused_extern_crates)]
extern crate self as mire;

#[doc(hidden)]
pub mod __private;
mod aggregate;
mod backend;
mod command;
mod error;
mod event;
mod snapshot;
mod store;
mod stream;
mod upcast;

pub use aggregate::{Aggregate, AggregateId, AggregateRoot};
pub use backend::{Backend, HeldBy, SafeHead};
pub use command::{Command, CommandError, IntoEvents};
pub use error::{DbErrorKind, EventStoreError};
pub use event::{Event, EventData, EventMetadata, EventTypeStatic, RecordedEvent, StoredEvent};
/// Writes [`trait@EventData`] for an enum of events or an event struct.
pub use mire_macros::EventData;
pub use snapshot::Snapshot;
pub use store::{
    Append, Appended, CommittedEvents, EventStore, Executed, Repository, StoreOptions,
    TransactionScope,
};
pub use stream::{ExpectedVersion, ReadDirection, StreamName, StreamQuery};
pub use upcast::{DecodeError, UnknownEventType, UnknownSchemaVersion, Upcast};
