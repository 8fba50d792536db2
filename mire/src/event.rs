//! Events: what a domain records, and what the log hands back.

mod payload;
pub(crate) mod set;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use uuid::Uuid;

use crate::upcast::DecodeError;

/// A domain event, or the enum of all events of an aggregate.
///
/// Only [`event_type`](Self::event_type) has to be written; `#[derive(EventData)]` and
/// `aggregate!` write it. By default the whole value is stored as serde writes it. Generated events
/// override [`encode`](Self::encode) and [`decode`](Self::decode): they store the fields alone and
/// choose the variant by the stored name.
///
/// ```
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// enum OrderEvent {
///     Placed { amount: i64 },
/// }
///
/// impl mire::EventData for OrderEvent {
///     fn event_type(&self) -> &'static str {
///         match self {
///             Self::Placed { .. } => "order.placed",
///         }
///     }
/// }
///
/// assert_eq!(mire::EventData::encode(&OrderEvent::Placed { amount: 5 })?, r#"{"Placed":{"amount":5}}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
pub trait EventData: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The stored name of this event, such as `order.placed`. It is the identity of the event in
    /// the log: it must stay the same when the Rust type is renamed.
    fn event_type(&self) -> &'static str;

    /// The version of the payload's shape that this code writes. Readers hand the stored one to
    /// [`decode`](Self::decode).
    fn schema_version(&self) -> u32 {
        1
    }

    /// The payload as JSON text.
    ///
    /// # Errors
    ///
    /// What serde reports for a value that has no JSON form, such as a map whose keys aren't
    /// strings; and for a number that is NaN or infinite, for which `serde_json` would write `null`,
    /// that couldn't be read any more. A command refuses such a number, or it is stored in a form of
    /// its own (`#[serde(with = "…")]`).
    fn encode(&self) -> Result<String, serde_json::Error> {
        crate::json::to_string(self)
    }

    /// Reads a stored event. `stored.data` are the driver's own bytes, not a copy.
    ///
    /// # Errors
    ///
    /// When the name, the version or the payload is not one that this type can read.
    fn decode(stored: &StoredEvent<'_>) -> Result<Self, DecodeError> {
        Ok(serde_json::from_slice(stored.data)?)
    }

    /// All stored names that this type can decode; empty when it doesn't say.
    fn event_types() -> &'static [&'static str] {
        &[]
    }
}

/// An event type with a single stored name, known without a value: a struct.
pub trait EventTypeStatic: EventData {
    /// The stored name.
    const EVENT_TYPE: &'static str;
}

/// A stored event as [`EventData::decode`] gets it: borrowed from the driver's buffer.
#[derive(Debug, Clone, Copy)]
pub struct StoredEvent<'a> {
    /// The stored name.
    pub event_type: &'a str,
    /// The version of the payload's shape at the time it was written.
    pub schema_version: u32,
    /// The payload, JSON text in UTF-8.
    pub data: &'a [u8],
}

/// An event that is about to be appended, with its metadata.
#[derive(Debug, Clone, PartialEq)]
pub struct Event<E> {
    /// The event.
    pub event: E,
    /// Its metadata, a JSON object; `null` when there is none.
    pub metadata: Value,
}

impl<E: EventData> Event<E> {
    /// An event without metadata.
    pub fn new(event: E) -> Self {
        Self {
            event,
            metadata: Value::Null,
        }
    }

    /// Replaces the metadata. See [`EventMetadata`] for the usual members.
    #[must_use]
    pub fn with_metadata(mut self, metadata: impl Into<Value>) -> Self {
        self.metadata = metadata.into();
        self
    }
}

impl<E: EventData> From<E> for Event<E> {
    fn from(event: E) -> Self {
        Self::new(event)
    }
}

/// Where an event came from. All parts are optional, and `extra` has room for the user's own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EventMetadata {
    /// The conversation that the event belongs to, the same from the first request to the last
    /// effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<Uuid>,
    /// The message or event that directly caused this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<Uuid>,
    /// Who did it: a user, a service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Members of the user's own, stored beside the others.
    #[serde(flatten)]
    pub extra: serde_json::Map<String, Value>,
}

impl EventMetadata {
    /// Whether nothing is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.correlation_id.is_none()
            && self.causation_id.is_none()
            && self.actor.is_none()
            && self.extra.is_empty()
    }
}

impl From<EventMetadata> for Value {
    fn from(metadata: EventMetadata) -> Self {
        let mut members = metadata.extra;
        let ids = [
            ("correlation_id", metadata.correlation_id),
            ("causation_id", metadata.causation_id),
        ];
        for (name, id) in ids {
            if let Some(id) = id {
                members.insert(name.to_owned(), Value::String(id.to_string()));
            }
        }
        if let Some(actor) = metadata.actor {
            members.insert("actor".to_owned(), Value::String(actor));
        }
        if members.is_empty() {
            Value::Null
        } else {
            Value::Object(members)
        }
    }
}

/// An event as it stands in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedEvent {
    /// Its position in the whole log. Positions grow, but are not without holes.
    pub global_position: i64,
    /// The stream that it belongs to.
    pub stream_id: String,
    /// Its version within the stream: 1, 2, 3 … without holes.
    pub stream_version: i64,
    /// Its stored name.
    pub event_type: String,
    /// The version of the payload's shape at the time it was written.
    pub schema_version: u32,
    /// The payload.
    pub data: Value,
    /// The metadata; `null` when there is none.
    pub metadata: Value,
    /// When it was written, by the database's clock.
    pub created_at: DateTime<Utc>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_goes_through_json_with_the_users_own_members() {
        let metadata = EventMetadata {
            correlation_id: Some(Uuid::from_u128(7)),
            actor: Some("ann".into()),
            extra: [("tenant".to_owned(), Value::from("x"))]
                .into_iter()
                .collect(),
            ..EventMetadata::default()
        };
        let json = Value::from(metadata.clone());
        assert_eq!(json, serde_json::to_value(&metadata).unwrap());
        assert_eq!(
            serde_json::from_value::<EventMetadata>(json).unwrap(),
            metadata
        );
        assert_eq!(Value::from(EventMetadata::default()), Value::Null);
    }
}
