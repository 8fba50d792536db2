//! What generated code names. Not part of the public interface: it may change in any release.

mod events;
mod keys;
mod payload;

pub use events::{EventDef, EventSet, decode_event, decode_struct, encode_event};
pub use keys::StreamKey;
pub use {serde, serde_json, uuid};

pub use crate::upcast::Upcast;

use crate::aggregate::{Aggregate, AggregateRoot};
use crate::command::Decision;

/// Records what a command decided: the recording form of every generated command.
pub fn record<A: Aggregate, D: Decision<A::Event>>(
    root: &mut AggregateRoot<A>,
    decision: D,
) -> D::Recorded {
    decision.record(|events| root.record_many(events))
}
