//! What generated code names. Not part of the public interface: it may change in any release.

mod events;
mod payload;

pub use events::{EventDef, EventSet, decode_event, decode_struct, encode_event};
pub use {serde, serde_json, uuid};

pub use crate::aggregate::stream_name;
pub use crate::upcast::Upcast;
