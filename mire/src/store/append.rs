//! Appending: from typed events to rows that are known to be writable, and back to an answer.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::EventStore;
use crate::aggregate::{Aggregate, AggregateRoot, AggregateStream};
use crate::backend::{AppendMode, AppendOutcome, Backend, NewAppend, NewEvent};
use crate::error::{EventStoreError, shown};
use crate::event::{Event, EventData};
use crate::stream::{ExpectedVersion, StreamName};

/// Events for one stream, as one part of [`EventStore::append_all`], or with an idempotency key.
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize, mire::EventData)]
/// # #[mire(entity = "order")]
/// # enum OrderEvent { Placed { amount: i64 } }
/// use mire::{Append, Event, ExpectedVersion};
///
/// let append = Append::new("order-7", ExpectedVersion::NoStream)?
///     .idempotency_key("request-42")
///     .event(&Event::new(OrderEvent::Placed { amount: 5 }))?;
/// # Ok::<(), mire::EventStoreError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Append {
    stream: StreamName,
    expected: ExpectedVersion,
    idempotency_key: Option<String>,
    events: Vec<NewEvent>,
}

/// The longest idempotency key, in bytes. It has to fit into a B-tree page beside the stream's name.
const MAX_IDEMPOTENCY_KEY_BYTES: usize = 512;

/// The longest stored name of an event, in bytes.
const MAX_EVENT_TYPE_BYTES: usize = 255;

impl Append {
    /// Nothing yet for the stream `{category}-{id}`.
    ///
    /// # Errors
    ///
    /// [`EventStoreError::InvalidStreamName`], and [`EventStoreError::InvalidArgument`] for a
    /// negative expected version.
    pub fn new(stream_id: &str, expected: ExpectedVersion) -> Result<Self, EventStoreError> {
        Self::to(StreamName::parse(stream_id)?, expected)
    }

    pub(crate) fn to(
        stream: StreamName,
        expected: ExpectedVersion,
    ) -> Result<Self, EventStoreError> {
        if let ExpectedVersion::Exact(version) = expected
            && version < 0
        {
            return Err(EventStoreError::InvalidArgument {
                name: "the expected version",
                value: version.to_string(),
                mend: "pass the version that was loaded, or `NoStream`",
            });
        }
        Ok(Self {
            stream,
            expected,
            idempotency_key: None,
            events: Vec::new(),
        })
    }

    /// Names this append within its stream: repeating it with the same key writes nothing and
    /// answers what the first one did, also after a crash between the commit and the answer. At most
    /// 512 bytes.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// Adds an event.
    ///
    /// # Errors
    ///
    /// [`EventStoreError::Serialization`] when it or its metadata has no JSON form.
    pub fn event<E: EventData>(mut self, event: &Event<E>) -> Result<Self, EventStoreError> {
        let metadata = self.metadata(&event.metadata)?;
        self.push(&event.event, metadata)?;
        Ok(self)
    }

    fn metadata(&self, metadata: &Value) -> Result<Option<Arc<str>>, EventStoreError> {
        match metadata {
            Value::Null => Ok(None),
            metadata => Ok(Some(json(&self.stream, "metadata", metadata)?.into())),
        }
    }

    fn push<E: EventData>(
        &mut self,
        event: &E,
        metadata: Option<Arc<str>>,
    ) -> Result<(), EventStoreError> {
        let event_type = event.event_type();
        let data = event
            .encode()
            .map_err(|source| serialization(&self.stream, event_type, source))?;
        self.events.push(NewEvent {
            event_type,
            schema_version: i32::try_from(event.schema_version()).unwrap_or(i32::MAX),
            data,
            metadata,
        });
        Ok(())
    }

    /// Checks what the database would refuse, before anything is sent.
    fn checked(self, max_event_bytes: usize) -> Result<NewAppend, EventStoreError> {
        if self.events.is_empty() {
            return Err(EventStoreError::InvalidArgument {
                name: "the number of events in an append",
                value: "0".to_owned(),
                mend: "append at least one event",
            });
        }
        if let Some(key) = &self.idempotency_key
            && (key.is_empty() || key.len() > MAX_IDEMPOTENCY_KEY_BYTES || key.contains('\0'))
        {
            return Err(EventStoreError::InvalidArgument {
                name: "the idempotency key",
                value: format!("{key:?}"),
                mend: "use 1 to 512 bytes without NUL characters",
            });
        }
        for (index, event) in self.events.iter().enumerate() {
            let name = event.event_type;
            if name.is_empty()
                || name.len() > MAX_EVENT_TYPE_BYTES
                || name.chars().any(char::is_control)
            {
                return Err(EventStoreError::InvalidArgument {
                    name: "the stored name of an event",
                    value: format!("`{}`", shown(name)),
                    mend: "use 1 to 255 bytes without control characters",
                });
            }
            let metadata = event.metadata.as_deref().unwrap_or_default();
            let bytes = event.data.len() + metadata.len();
            if bytes > max_event_bytes {
                return Err(EventStoreError::EventTooLarge {
                    stream_id: self.stream.into_string(),
                    index,
                    event_type: event.event_type.to_owned(),
                    bytes,
                    limit: max_event_bytes,
                });
            }
            for (part, text) in [("payload", event.data.as_str()), ("metadata", metadata)] {
                if has_nul(text) {
                    return Err(EventStoreError::NulCharacter {
                        stream_id: self.stream.into_string(),
                        index,
                        event_type: event.event_type.to_owned(),
                        part,
                    });
                }
            }
        }
        Ok(NewAppend {
            stream: self.stream,
            expected: self.expected,
            idempotency_key: self.idempotency_key,
            events: self.events,
        })
    }
}

/// What an append did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The stream's version after its last event.
    pub version: i64,
    /// The position of its last event: what to wait for.
    pub position: i64,
    /// Whether an earlier append with the same idempotency key had written it.
    pub repeated: bool,
}

impl<DB: Backend> EventStore<DB> {
    /// Writes the aggregate's pending events, expecting its stream to be as it was loaded, and
    /// answers where they stand: `position` is what to [wait for](Self::wait_for). Without pending
    /// events it does nothing and answers `None`. Once it returns, the events are durable.
    ///
    /// Saves that are under way at the same time in one process are committed together; each has
    /// its own outcome. An aggregate with [snapshots](Aggregate::snapshots) leaves one when a save
    /// crosses a multiple of its frequency; when that fails, the save has still succeeded, and a warning
    /// is logged.
    ///
    /// # Errors
    ///
    /// [`EventStoreError::ConcurrencyConflict`] when the stream has moved on;
    /// [`EventStoreError::EventTooLarge`], [`EventStoreError::NulCharacter`],
    /// [`EventStoreError::Serialization`] and [`EventStoreError::InvalidStreamName`] for what can't
    /// be stored, and [`EventStoreError::InvalidArgument`] for an event without a usable name; [`EventStoreError::Database`]. The pending events stay in place each time, and
    /// nothing was written, except that a connection that broke leaves it unknown.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the pending events stay in place, and may or may not be written.
    /// Saving again can't write them twice: it succeeds, or conflicts because they are there.
    pub async fn save<A: Aggregate>(
        &self,
        root: &mut AggregateRoot<A>,
    ) -> Result<Option<Appended>, EventStoreError> {
        if !root.has_pending() {
            return Ok(None);
        }
        let append = self.pending_append(root)?;
        let appended = self.commit_one(append).await?;
        let before = root.version;
        root.saved(appended.version);
        if A::snapshots().is_some_and(|it| it.is_due(before, root.version)) {
            Box::pin(self.leave_snapshot_of::<A>(&root.stream_id, before)).await;
        }
        Ok(Some(appended))
    }

    /// Appends events to a stream, and answers the stream's version afterwards and the position of
    /// the last event.
    ///
    /// Any events go to any stream; with [`append_to`](Self::append_to) the compiler refuses those of
    /// another aggregate, which the stream's own could not read.
    ///
    /// # Errors
    ///
    /// As [`save`](Self::save), and [`EventStoreError::CategoryMismatch`] when the stream's name
    /// does not begin with the category, [`EventStoreError::InvalidArgument`] for no events.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the events may or may not be written. With
    /// [`ExpectedVersion::Any`] a repetition would write them twice: use
    /// [`append_all`](Self::append_all) with an idempotency key.
    pub async fn append<E: EventData>(
        &self,
        stream_id: &str,
        category: &str,
        expected: ExpectedVersion,
        events: &[Event<E>],
    ) -> Result<Appended, EventStoreError> {
        let append = self.append_of(stream_id, category, expected, events)?;
        self.commit_one(append).await
    }

    /// [`append`](Self::append), to a stream that knows whose events it holds: the compiler refuses
    /// another aggregate's.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append).
    ///
    /// # Cancel safety
    ///
    /// As [`append`](Self::append).
    pub async fn append_to<A: Aggregate>(
        &self,
        stream: &AggregateStream<A>,
        expected: ExpectedVersion,
        events: &[Event<A::Event>],
    ) -> Result<Appended, EventStoreError> {
        self.append(stream.as_str(), stream.category(), expected, events)
            .await
    }

    /// Appends to one or several streams, all or nothing, and answers what each did, in order. A
    /// stream may appear once.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append). A conflict names the first stream that conflicted, and nothing
    /// was written to any. [`EventStoreError::InvalidArgument`] when a stream appears twice.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, either all or nothing is written. With idempotency keys it is
    /// safe to repeat.
    pub async fn append_all(
        &self,
        appends: impl IntoIterator<Item = Append>,
    ) -> Result<Vec<Appended>, EventStoreError> {
        let limit = self.inner.options.max_event_bytes;
        let appends = appends
            .into_iter()
            .map(|append| append.checked(limit))
            .collect::<Result<Vec<_>, _>>()?;
        match appends.len() {
            0 => return Ok(Vec::new()),
            1 => {
                let mut written = Vec::with_capacity(1);
                for append in appends {
                    written.push(self.commit_one(append).await?);
                }
                return Ok(written);
            }
            _ => distinct(&appends)?,
        }
        let outcomes = DB::append(&self.inner.db, &appends, AppendMode::Atomic).await?;
        let answers = answers(&appends, outcomes)?;
        self.committed();
        Ok(answers)
    }

    /// Appends within a transaction of the caller's own, which decides whether it is committed.
    /// On PostgreSQL the transaction has to be `READ COMMITTED`. On SQLite begin it with
    /// `pool.begin_with("BEGIN IMMEDIATE")`: one that has read before it writes can't go on when
    /// somebody else wrote in between.
    ///
    /// Until the transaction ends, subscriptions can't read past these events: append last, and
    /// commit at once. [`begin_transaction`](Self::begin_transaction) does so by itself.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append). The transaction can go on after a conflict. On SQLite also
    /// [`EventStoreError::DeferredTransaction`]; roll back, then, and begin as above.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, roll the transaction back: whether the events are in it is
    /// unknown.
    pub async fn append_in_tx<E: EventData>(
        &self,
        conn: &mut DB::Connection,
        stream_id: &str,
        category: &str,
        expected: ExpectedVersion,
        events: &[Event<E>],
    ) -> Result<Appended, EventStoreError> {
        let append = [self.append_of(stream_id, category, expected, events)?];
        let outcomes = DB::append_in_tx(conn, &append, AppendMode::EachWaiting).await?;
        Ok(answers(&append, outcomes)?[0])
    }

    pub(super) fn append_of<E: EventData>(
        &self,
        stream_id: &str,
        category: &str,
        expected: ExpectedVersion,
        events: &[Event<E>],
    ) -> Result<NewAppend, EventStoreError> {
        crate::stream::check_category(category)?;
        let stream = StreamName::parse(stream_id)?;
        if stream.category() != category {
            return Err(EventStoreError::CategoryMismatch {
                stream_id: stream_id.to_owned(),
                category: category.to_owned(),
            });
        }
        let mut append = Append::to(stream, expected)?;
        for event in events {
            append = append.event(event)?;
        }
        append.checked(self.inner.options.max_event_bytes)
    }

    pub(super) fn pending_append<A: Aggregate>(
        &self,
        root: &AggregateRoot<A>,
    ) -> Result<NewAppend, EventStoreError> {
        let stream = StreamName::parse(&root.stream_id)?;
        if stream.category() != A::stream_category() {
            // One that can't be a category matches no stream.
            crate::stream::check_category(A::stream_category())?;
            return Err(EventStoreError::CategoryMismatch {
                stream_id: root.stream_id.clone(),
                category: A::stream_category().to_owned(),
            });
        }
        let expected = ExpectedVersion::after(root.version);
        let metadata = Value::from(root.metadata.clone());
        self.events_append(stream, expected, &metadata, root.pending())
    }

    pub(super) fn events_append<E: EventData>(
        &self,
        stream: StreamName,
        expected: ExpectedVersion,
        metadata: &Value,
        events: &[E],
    ) -> Result<NewAppend, EventStoreError> {
        let mut append = Append::to(stream, expected)?;
        let metadata = append.metadata(metadata)?;
        append.events.reserve(events.len());
        for event in events {
            append.push(event, metadata.clone())?;
        }
        append.checked(self.inner.options.max_event_bytes)
    }

    /// Hands an append to the group commit.
    pub(super) async fn commit_one(&self, append: NewAppend) -> Result<Appended, EventStoreError> {
        let stream_id = append.stream.as_str().to_owned();
        let expected = append.expected;
        let outcome = self.inner.commits.submit(append).await?;
        answer(&stream_id, expected, &outcome)
    }

    /// Tells subscriptions that the log has grown.
    pub(super) fn committed(&self) {
        self.inner.wake.committed();
    }
}

/// Turns outcomes into answers; the first conflict is the error.
pub(super) fn answers(
    appends: &[NewAppend],
    outcomes: Vec<AppendOutcome>,
) -> Result<Vec<Appended>, EventStoreError> {
    // `Abandoned` says that another one of the group conflicted; name that one.
    let mut answers = Vec::with_capacity(outcomes.len());
    let in_order = appends.iter().zip(outcomes);
    let (conflicts, others): (Vec<_>, Vec<_>) =
        in_order.partition(|(_, outcome)| matches!(outcome, AppendOutcome::Conflict { .. }));
    for (append, outcome) in conflicts.into_iter().chain(others) {
        answers.push(answer(append.stream.as_str(), append.expected, &outcome)?);
    }
    Ok(answers)
}

fn answer(
    stream_id: &str,
    expected: ExpectedVersion,
    outcome: &AppendOutcome,
) -> Result<Appended, EventStoreError> {
    match outcome {
        AppendOutcome::Written {
            version, positions, ..
        } => Ok(Appended {
            version: *version,
            position: positions.last().copied().unwrap_or(0),
            repeated: false,
        }),
        AppendOutcome::Repeated { version, position } => Ok(Appended {
            version: *version,
            position: *position,
            repeated: true,
        }),
        AppendOutcome::Conflict { actual } => Err(EventStoreError::ConcurrencyConflict {
            stream_id: stream_id.to_owned(),
            expected: match expected {
                ExpectedVersion::Exact(version) => version,
                ExpectedVersion::NoStream | ExpectedVersion::Any => 0,
            },
            actual: *actual,
        }),
        AppendOutcome::Busy | AppendOutcome::Abandoned => Err(EventStoreError::Unsupported {
            what: format!(
                "the append to stream `{stream_id}` was answered {outcome:?}, which nobody asked \
                 for: the schema's functions are not this release's; run `migrate()`"
            ),
        }),
    }
}

fn distinct(appends: &[NewAppend]) -> Result<(), EventStoreError> {
    let mut names: Vec<&str> = appends
        .iter()
        .map(|append| append.stream.as_str())
        .collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        None => Ok(()),
        Some(pair) => Err(EventStoreError::InvalidArgument {
            name: "a stream that appears twice in one append",
            value: format!("`{}`", pair[0]),
            mend: "put its events into one `Append`, in order",
        }),
    }
}

pub(super) fn json<T: Serialize>(
    stream: &StreamName,
    what: &str,
    value: &T,
) -> Result<String, EventStoreError> {
    serde_json::to_string(value).map_err(|source| serialization(stream, what, source))
}

pub(super) fn serialization(
    stream: &StreamName,
    event_type: &str,
    source: serde_json::Error,
) -> EventStoreError {
    EventStoreError::Serialization {
        stream_id: stream.as_str().to_owned(),
        event_type: event_type.to_owned(),
        source,
    }
}

/// Whether JSON text spells U+0000. It can do so in one way only, `\u0000`, and a backslash before
/// it, itself not escaped, makes it something else.
pub(super) fn has_nul(json: &str) -> bool {
    json.match_indices("\\u0000").any(|(at, _)| {
        let escapes = json.as_bytes()[..at]
            .iter()
            .rev()
            .take_while(|byte| **byte == b'\\')
            .count();
        escapes % 2 == 0
    })
}

#[cfg(test)]
mod tests {
    use super::has_nul;

    #[test]
    fn a_nul_is_found_and_an_escaped_backslash_is_none() {
        for text in ["\0", "a\0", "\\\0", "\\\\\0"] {
            assert!(has_nul(&serde_json::to_string(text).unwrap()), "{text:?}");
        }
        for text in ["", "\\u0000", "\\\\u0000", "u0000", "\u{1}"] {
            assert!(!has_nul(&serde_json::to_string(text).unwrap()), "{text:?}");
        }
    }
}
