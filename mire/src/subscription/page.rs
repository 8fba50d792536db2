//! Pages of the log: many events in few allocations, shared by whoever still looks at one.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::aggregate::Aggregate;
use crate::backend::RawEvent;
use crate::error::EventStoreError;
use crate::event::{EventData, StoredEvent};
use crate::upcast::DecodeError;

/// A run of events in position order, copied from the driver once.
///
/// All text of a page lies in one buffer; an event is a handful of offsets. Events that are handed
/// to handlers hold the page, so a page lives for as long as one of its events is kept.
pub struct EventPage {
    text: String,
    bytes: Vec<u8>,
    events: Vec<Entry>,
    up_to: i64,
    head: i64,
}

struct Entry {
    global_position: i64,
    stream_version: i64,
    schema_version: u32,
    created_at: DateTime<Utc>,
    stream_id: Range<u32>,
    event_type: Range<u32>,
    data: Range<u32>,
    metadata: Option<Range<u32>>,
}

impl fmt::Debug for EventPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventPage")
            .field("events", &self.events.len())
            .field("up_to", &self.up_to)
            .field("head", &self.head)
            .finish_non_exhaustive()
    }
}

fn range(start: usize, end: usize) -> Range<u32> {
    // A page ends long before 4 GiB; see `PAGE_BYTES`.
    u32::try_from(start).unwrap_or(u32::MAX)..u32::try_from(end).unwrap_or(u32::MAX)
}

fn at(range: &Range<u32>) -> Range<usize> {
    range.start as usize..range.end as usize
}

impl EventPage {
    pub(crate) fn new() -> Self {
        Self {
            text: String::new(),
            bytes: Vec::new(),
            events: Vec::new(),
            up_to: 0,
            head: 0,
        }
    }

    pub(crate) fn push(&mut self, event: &RawEvent<'_>) {
        let stream_id = self.text.len();
        self.text.push_str(event.stream_id);
        let event_type = self.text.len();
        self.text.push_str(event.event_type);
        let data = self.bytes.len();
        self.bytes.extend_from_slice(event.data);
        let metadata = self.bytes.len();
        self.bytes
            .extend_from_slice(event.metadata.unwrap_or_default());
        self.events.push(Entry {
            global_position: event.global_position,
            stream_version: event.stream_version,
            schema_version: event.schema_version,
            created_at: event.created_at.unwrap_or_default(),
            stream_id: range(stream_id, event_type),
            event_type: range(event_type, self.text.len()),
            data: range(data, metadata),
            metadata: event.metadata.map(|_| range(metadata, self.bytes.len())),
        });
    }

    /// Says how far the page goes: every event of the subscription up to `up_to` is in it or in
    /// an earlier one. `head` is the safe head that was known when it was read.
    pub(crate) fn finish(mut self, up_to: i64, head: i64) -> Arc<Self> {
        self.up_to = up_to;
        self.head = head;
        Arc::new(self)
    }

    /// How much is in it.
    pub(crate) fn size(&self) -> usize {
        self.text.len() + self.bytes.len() + self.events.len() * size_of::<Entry>()
    }

    /// How many events it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether it has none, which still says something: nothing is there up to
    /// [`up_to`](Self::up_to).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The position up to which the subscription is complete with this page.
    #[must_use]
    pub fn up_to(&self) -> i64 {
        self.up_to
    }

    /// The end of the log, as far as it was known when the page was read. When
    /// [`up_to`](Self::up_to) is the same, the subscription has caught up.
    #[must_use]
    pub fn head(&self) -> i64 {
        self.head
    }

    /// An event by its place, from 0.
    #[must_use]
    pub fn event(&self, index: usize) -> Option<PageEvent<'_>> {
        let entry = self.events.get(index)?;
        Some(PageEvent {
            page: self,
            entry,
            index,
        })
    }

    /// All events in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = PageEvent<'_>> {
        self.events
            .iter()
            .enumerate()
            .map(|(index, entry)| PageEvent {
                page: self,
                entry,
                index,
            })
    }
}

/// An event of a page, not yet decoded.
#[derive(Clone, Copy)]
pub struct PageEvent<'a> {
    page: &'a EventPage,
    entry: &'a Entry,
    index: usize,
}

impl fmt::Debug for PageEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PageEvent")
            .field("global_position", &self.global_position())
            .field("stream_id", &self.stream_id())
            .field("stream_version", &self.stream_version())
            .field("event_type", &self.event_type())
            .finish_non_exhaustive()
    }
}

impl<'a> PageEvent<'a> {
    /// Its place in the page, from 0.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// Its position in the log.
    #[must_use]
    pub fn global_position(&self) -> i64 {
        self.entry.global_position
    }

    /// Its stream.
    #[must_use]
    pub fn stream_id(&self) -> &'a str {
        &self.page.text[at(&self.entry.stream_id)]
    }

    /// The half of its stream's name before the first `-`.
    #[must_use]
    pub fn category(&self) -> &'a str {
        let stream_id = self.stream_id();
        stream_id
            .split_once('-')
            .map_or(stream_id, |(category, _)| category)
    }

    /// The half of its stream's name behind the first `-`.
    #[must_use]
    pub fn id(&self) -> &'a str {
        self.stream_id().split_once('-').map_or("", |(_, id)| id)
    }

    /// Its version in the stream.
    #[must_use]
    pub fn stream_version(&self) -> i64 {
        self.entry.stream_version
    }

    /// Its stored name.
    #[must_use]
    pub fn event_type(&self) -> &'a str {
        &self.page.text[at(&self.entry.event_type)]
    }

    /// When it was written, by the database's clock.
    #[must_use]
    pub fn created_at(&self) -> DateTime<Utc> {
        self.entry.created_at
    }

    /// Its metadata, JSON text.
    #[must_use]
    pub fn metadata(&self) -> Option<&'a [u8]> {
        let range = self.entry.metadata.as_ref()?;
        Some(&self.page.bytes[at(range)])
    }

    /// What [`EventData::decode`] gets.
    #[must_use]
    pub fn stored(&self) -> StoredEvent<'a> {
        StoredEvent {
            event_type: self.event_type(),
            schema_version: self.entry.schema_version,
            data: &self.page.bytes[at(&self.entry.data)],
        }
    }

    /// Decodes it.
    ///
    /// # Errors
    ///
    /// [`EventStoreError::Deserialization`], naming the event.
    pub fn decode<E: EventData>(&self) -> Result<E, EventStoreError> {
        E::decode(&self.stored()).map_err(|source| self.undecodable(source))
    }

    /// Names the event that could not be read.
    pub(crate) fn undecodable(&self, source: DecodeError) -> EventStoreError {
        EventStoreError::Deserialization {
            stream_id: self.stream_id().to_owned(),
            global_position: self.global_position(),
            event_type: self.event_type().to_owned(),
            source,
        }
    }
}

/// Where an event stands and what was stored beside it; without the event itself.
pub struct EventInfo {
    page: Arc<EventPage>,
    index: usize,
    metadata: OnceLock<Value>,
}

impl fmt::Debug for EventInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.event().fmt(f)
    }
}

impl Clone for EventInfo {
    fn clone(&self) -> Self {
        Self {
            page: Arc::clone(&self.page),
            index: self.index,
            metadata: self.metadata.clone(),
        }
    }
}

impl EventInfo {
    /// Of the event at `index`; `None` when the page has no such event.
    #[must_use]
    pub fn new(page: &Arc<EventPage>, index: usize) -> Option<Self> {
        (index < page.len()).then(|| Self {
            page: Arc::clone(page),
            index,
            metadata: OnceLock::new(),
        })
    }

    /// Of an event of this page.
    pub(crate) fn of(page: &Arc<EventPage>, event: &PageEvent<'_>) -> Self {
        Self {
            page: Arc::clone(page),
            index: event.index.min(page.len().saturating_sub(1)),
            metadata: OnceLock::new(),
        }
    }

    fn event(&self) -> PageEvent<'_> {
        PageEvent {
            page: &self.page,
            entry: &self.page.events[self.index],
            index: self.index,
        }
    }

    /// Its position in the log.
    #[must_use]
    pub fn global_position(&self) -> i64 {
        self.event().global_position()
    }

    /// Its stream, `{category}-{id}`.
    #[must_use]
    pub fn stream_id(&self) -> &str {
        self.event().stream_id()
    }

    /// The id of the aggregate that it happened to: the second half of its stream's name.
    ///
    /// # Errors
    ///
    /// [`EventStoreError::CategoryMismatch`] when the stream is of another category than that of `A`,
    /// [`EventStoreError::Deserialization`] when what it names is no id of `A`.
    pub fn aggregate_id<A>(&self) -> Result<A::Id, EventStoreError>
    where
        A: Aggregate<Id: FromStr<Err: Into<DecodeError>>>,
    {
        let event = self.event();
        if event.category() != A::stream_category() {
            return Err(EventStoreError::CategoryMismatch {
                stream_id: event.stream_id().to_owned(),
                category: A::stream_category().to_owned(),
            });
        }
        event
            .id()
            .parse()
            .map_err(
                |source: <A::Id as FromStr>::Err| EventStoreError::Deserialization {
                    stream_id: event.stream_id().to_owned(),
                    global_position: event.global_position(),
                    event_type: event.event_type().to_owned(),
                    source: source.into(),
                },
            )
    }

    /// Its version in the stream: 1, 2, 3 …
    #[must_use]
    pub fn stream_version(&self) -> i64 {
        self.event().stream_version()
    }

    /// Its stored name.
    #[must_use]
    pub fn event_type(&self) -> &str {
        self.event().event_type()
    }

    /// Its metadata; `null` when there is none. Parsed when it is first asked for.
    #[must_use]
    pub fn metadata(&self) -> &Value {
        self.metadata.get_or_init(|| {
            let text = self.event().metadata().unwrap_or(b"null");
            // The database accepts JSON only.
            serde_json::from_slice(text).unwrap_or(Value::Null)
        })
    }

    /// When it was written, by the database's clock.
    #[must_use]
    pub fn created_at(&self) -> DateTime<Utc> {
        self.event().created_at()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw<'a>(position: i64, stream_id: &'a str, metadata: Option<&'a [u8]>) -> RawEvent<'a> {
        RawEvent {
            global_position: position,
            stream_id,
            stream_version: position,
            event_type: "order.placed",
            schema_version: 1,
            data: br#"{"amount":5}"#,
            metadata,
            created_at: None,
        }
    }

    #[test]
    fn events_come_out_of_a_page_as_they_went_in() {
        let mut page = EventPage::new();
        page.push(&raw(3, "order-1", None));
        page.push(&raw(4, "order-line-2", Some(br#"{"actor":"ann"}"#)));
        let page = page.finish(9, 12);

        let events: Vec<_> = page
            .iter()
            .map(|event| (event.global_position(), event.stream_id(), event.category()))
            .collect();
        assert_eq!(
            events,
            [(3, "order-1", "order"), (4, "order-line-2", "order")]
        );
        assert_eq!(page.event(1).unwrap().stored().data, br#"{"amount":5}"#);
        assert_eq!((page.up_to(), page.head()), (9, 12));

        assert_eq!(*EventInfo::new(&page, 0).unwrap().metadata(), Value::Null);
        let second = EventInfo::new(&page, 1).unwrap();
        assert_eq!(second.metadata()["actor"], "ann");
        assert!(EventInfo::new(&page, 2).is_none());
    }
}
