//! How generated event enums are stored: the stored name chooses the variant, and the payload holds
//! the variant's fields alone.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::payload::{PayloadSerializer, VariantDeserializer};
use crate::event::{EventData, EventTypeStatic, StoredEvent};
use crate::upcast::{DecodeError, UnknownEventType, Upcast, upcast};

/// One event of a generated enum.
pub struct EventDef {
    /// Its stored name.
    pub name: &'static str,
    /// The version of its payload that this code writes.
    pub version: u32,
    /// The name of its variant.
    pub variant: &'static str,
    /// Which variant it is, counted as serde counts.
    pub index: u32,
    /// How to read the payloads of older versions.
    pub upcasts: &'static [Upcast],
}

/// Some of the variants of an enum, or all.
pub struct Variants {
    /// Their names, sorted, with a space between two.
    pub names: &'static str,
    /// A hash of that text, FNV-1a of 64 bits. What checks a projection is run by the compiler, which
    /// spends many thousand instructions on each byte that it compares and as many on this number.
    pub hash: u64,
}

/// An enum of events that was generated, by `aggregate!` or `#[derive(EventData)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an enum of events",
    label = "no enum of events",
    note = "a projection reads enums that `aggregate!` or `#[derive(EventData)]` generate; of an aggregate `Account` it is `AccountEvent`"
)]
pub trait EventSet: EventData {
    /// All its events, in order of their stored names.
    const EVENTS: &'static [EventDef];
    /// Its variants.
    const VARIANTS: Variants;
    /// The category of the streams that hold them: the first half of their stored names.
    const CATEGORY: &'static str;
}

/// What a field of an event is asked for.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be stored in an event",
    label = "lacks what a field of an event needs",
    note = "put `#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]` on a type of your own",
    note = "for one from another crate, look for a feature of that crate called `serde`",
    note = "the key of a map is text or a number, and has `Eq` and `Hash`, or `Ord` in a `BTreeMap`, as has what is in a set",
    note = "what is stored can be shared between threads"
)]
pub trait EventField:
    Debug + Clone + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
}

#[diagnostic::do_not_recommend]
impl<T> EventField for T where
    T: Debug + Clone + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
}

/// Stops the compiler when a type can't be stored in an event.
pub const fn event_field<T: EventField>() {}

/// A field of an event, to be copied for a function that takes it by value.
pub struct Copied<'a, T>(pub &'a T);

impl<T: Clone> Copied<'_, T> {
    /// The copy.
    pub fn field(self) -> T {
        self.0.clone()
    }
}

/// What is meant instead where the type can't be cloned. It has been asked for it by then, so this
/// is never run.
pub trait NotCopied<T> {
    /// Nothing.
    fn field(self) -> T;
}

impl<T> NotCopied<T> for Copied<'_, T> {
    fn field(self) -> T {
        unreachable!("a type that is no `EventField` does not build")
    }
}

/// The payload of an event: its fields alone.
pub fn encode_event<E: EventSet>(event: &E) -> Result<String, serde_json::Error> {
    crate::json::written(event, |serializer| {
        event.serialize(PayloadSerializer(serializer))
    })
}

/// Reads an event by its stored name. A payload of the current version is read straight from the
/// driver's bytes; an older one goes through its upcasts first.
pub fn decode_event<E: EventSet>(stored: &StoredEvent<'_>) -> Result<E, DecodeError> {
    let Ok(at) = E::EVENTS.binary_search_by(|event| event.name.cmp(stored.event_type)) else {
        return Err(Box::new(UnknownEventType {
            event_type: stored.event_type.to_owned(),
            known: E::event_types(),
        }));
    };
    decode_known(&E::EVENTS[at], stored)
}

/// Reads an event of which it is known which one it is.
pub(crate) fn decode_known<E: EventSet>(
    event: &EventDef,
    stored: &StoredEvent<'_>,
) -> Result<E, DecodeError> {
    if stored.schema_version == event.version {
        let mut json = serde_json::Deserializer::from_slice(stored.data);
        let value = E::deserialize(VariantDeserializer {
            variant: event.index,
            payload: &mut json,
        })?;
        json.end()?;
        return Ok(value);
    }
    let payload = upcast(
        stored.event_type,
        stored.data,
        stored.schema_version,
        event.version,
        event.upcasts,
    )?;
    Ok(E::deserialize(VariantDeserializer {
        variant: event.index,
        payload,
    })?)
}

/// Reads an event struct, which has one stored name.
pub fn decode_struct<E: EventTypeStatic>(stored: &StoredEvent<'_>) -> Result<E, DecodeError> {
    if stored.event_type != E::EVENT_TYPE {
        return Err(Box::new(UnknownEventType {
            event_type: stored.event_type.to_owned(),
            known: E::event_types(),
        }));
    }
    Ok(serde_json::from_slice(stored.data)?)
}
