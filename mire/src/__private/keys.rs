//! Which row of a table a stream belongs to.

use crate::event::EventData;
use crate::subscription::PageEvent;
use crate::table::TableProjection;
use crate::upcast::DecodeError;

/// A key that the id in a stream's name gives, for streams that hold events of type `E`.
#[diagnostic::on_unimplemented(
    message = "the key `{Self}` can't be derived from the stream of a `{E}`",
    label = "not the id type of the aggregate that has these events",
    note = "name the field of the event that holds the key: `#[on(…, key(field))]`",
    note = "or make the key the aggregate's id type, as in `AccountId`: the stream has that one"
)]
pub trait StreamKey<E: EventData>: Sized {
    /// The key in `id`, the half of the stream's name behind the category.
    fn from_id(id: &str) -> Result<Self, DecodeError>;
}

impl<E: EventData> StreamKey<E> for String {
    fn from_id(id: &str) -> Result<Self, DecodeError> {
        Ok(id.to_owned())
    }
}

/// The key that the stream's id gives.
pub fn stream_key<E: EventData, K: StreamKey<E>>(event: &PageEvent<'_>) -> Result<K, DecodeError> {
    let stream_id = event.stream_id();
    let id = stream_id.split_once('-').map_or("", |(_, id)| id);
    K::from_id(id)
}

/// A key of a table that takes an event's field of type `F`: one of the same type.
#[diagnostic::on_unimplemented(
    message = "the event's field is a `{F}`, and the key of the table a `{Self}`",
    label = "not the type of the key",
    note = "name a field of type `{Self}`; or make the key a `{F}`, unless that is an `Option` or a list"
)]
pub trait KeyOf<F> {
    /// The field as the key.
    fn of_field(field: F) -> Self;
}

impl<T> KeyOf<T> for T {
    fn of_field(field: T) -> T {
        field
    }
}

/// The key in an event's field.
pub fn key_of<K: KeyOf<F>, F: Clone>(field: &F) -> K {
    K::of_field(field.clone())
}

/// An event that is not handled has no row.
pub fn no_key(event: &PageEvent<'_>) -> DecodeError {
    format!("`{}` belongs to no row", event.event_type()).into()
}

/// The key of a new row. By way of the projection, which has asked all of the type already.
pub fn key_clone<P: TableProjection>(key: &P::Key) -> P::Key {
    key.clone()
}

/// Puts the key back that a fold has changed.
pub fn keep_key<P: TableProjection>(field: &mut P::Key, key: &P::Key) {
    if field != key {
        field.clone_from(key);
    }
}
