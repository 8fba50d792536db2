//! What generated code names. Not part of the public interface: it may change in any release.

pub mod counted;
mod defaults;
mod ids;
mod keys;
mod rows;

pub use defaults::{DefaultKey, Initial, default_key, initial};
pub use ids::{IdForm, IdType, id_form};
pub use keys::{KeyOf, StreamKey, keep_key, key_clone, key_of, no_key, stream_key};
pub use mire_macros::runner;
pub use rows::{ColumnOf, IndexColumn, JsonColumn, column, index_column, json_column, key_column};
pub use {serde, serde_json, sqlx, uuid};

pub use crate::event::set::{
    Copied, EventDef, EventField, EventSet, NotCopied, Variants, decode_event, decode_struct,
    encode_event, event_field,
};
pub use crate::projection::acting::{
    Acting, Acts, ActsIn, Added, DatabaseOf, Handling, Held, NotAdded, Outcome, Reads, act, act_in,
    answered, categories, handled, held, held_field, no_runner, nothing,
};
pub use crate::projection::reads::{
    Lends, NoSubscription, ParameterOf, Set, copy_of, distinct_subscription, lent, read, read_any,
};
pub use crate::snapshot::{SnapshotField, snapshot_field};
pub use crate::upcast::{ReadsOlder, Upcast, read_older};

use crate::aggregate::{Aggregate, AggregateRoot};
use crate::command::{Decision, IntoEvents};

/// Records what a command decided, when it returns a `Result`. No associated type stands in the
/// answer, so that a command with the wrong events is reported once.
pub fn record_unless_refused<A: Aggregate, T: IntoEvents<A::Event>, R>(
    root: &mut AggregateRoot<A>,
    decision: Result<T, R>,
) -> Result<(), R> {
    root.record_many(decision?.into_events());
    Ok(())
}

/// Records the events that a command always answers.
pub fn record_events<A: Aggregate, T: IntoEvents<A::Event>>(
    root: &mut AggregateRoot<A>,
    decision: T,
) {
    root.record_many(decision.into_events());
}

/// Stops the compiler when a type is nothing that a command may return.
pub const fn decides<D: Decision<E>, E>() {}

/// Records what a command decided, in whatever form.
pub fn record<A: Aggregate, D: Decision<A::Event>>(
    root: &mut AggregateRoot<A>,
    decision: D,
) -> D::Recorded {
    decision.record(|events| root.record_many(events))
}
