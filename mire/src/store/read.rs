//! Reading events as they stand in the log.

use std::ops::ControlFlow;

use serde_json::Value;

use super::EventStore;
use super::fold::truncation;
use crate::backend::{Backend, LogRead, RawEvent, SafeHead, StreamRead};
use crate::error::EventStoreError;
use crate::event::RecordedEvent;
use crate::stream::{ReadDirection, StreamName, StreamQuery, check_category};

/// Events that [`EventStore::read_stream_all`] asks for at once.
const PAGE: i64 = 1000;

impl<DB: Backend> EventStore<DB> {
    /// Reads a page of a stream; empty when it has no such events, or does not exist.
    ///
    /// # Errors
    ///
    /// [`EventStoreError::InvalidArgument`] for a limit below 1 or a negative version,
    /// [`EventStoreError::InvalidStreamName`], [`EventStoreError::StreamCorruption`] for a hole
    /// within the page, [`EventStoreError::Deserialization`] for a payload that isn't JSON, and
    /// [`EventStoreError::Database`].
    ///
    /// # Cancel safety
    ///
    /// It changes nothing, so it can be dropped at any time.
    pub async fn read_stream(
        &self,
        stream_id: &str,
        query: StreamQuery,
    ) -> Result<Vec<RecordedEvent>, EventStoreError> {
        let stream = StreamName::parse(stream_id)?;
        check_limit(query.limit)?;
        if query.from_version < 0 {
            return Err(EventStoreError::InvalidArgument {
                name: "`from_version`",
                value: query.from_version.to_string(),
                mend: "versions begin at 1; 0 means the start, or backward the end",
            });
        }
        let backward = query.direction == ReadDirection::Backward;
        let from_version = match query.from_version {
            0 if backward => i64::MAX,
            from => from,
        };
        let step = if backward { -1 } else { 1 };

        let mut events: Vec<RecordedEvent> = Vec::new();
        let mut gap = None;
        let mut conn = self.inner.db.pool.acquire().await?;
        let read = StreamRead {
            stream_id: stream.as_str(),
            direction: query.direction,
            from_version,
            limit: query.limit,
        };
        let head = DB::read_stream(&mut conn, read, &mut |event| {
            if let Some(last) = events.last()
                && event.stream_version != last.stream_version + step
            {
                gap = Some((last.stream_version, event.stream_version));
                return Ok(ControlFlow::Break(()));
            }
            events.push(recorded(&event)?);
            Ok(ControlFlow::Continue(()))
        })
        .await?;

        let Some(head) = head.filter(|head| *head > 0) else {
            return Ok(events);
        };
        if let Some((after, found)) = gap {
            return Err(super::fold::corruption(stream_id, after, found, head));
        }
        // The page has to begin and end where the stream's version says.
        let (first, last) = if backward {
            let first = from_version.min(head);
            (first, (first - query.limit + 1).max(1))
        } else {
            let first = from_version.max(1);
            (first, first.saturating_add(query.limit - 1).min(head))
        };
        let expected = if backward { first - last } else { last - first } + 1;
        if expected > 0
            && let Some(found) = events.first().map(|event| event.stream_version)
            && found != first
        {
            return Err(super::fold::corruption(
                stream_id,
                first - step,
                found,
                head,
            ));
        }
        if expected > 0 && events.len() as i64 != expected {
            let after = events.last().map_or(first - step, |e| e.stream_version);
            return Err(truncation(stream_id, after, head));
        }
        Ok(events)
    }

    /// Reads all events of a stream from a version on, in as many pages as it takes. The answer is
    /// held in memory; fold with [`load`](Self::load) where only the state is needed.
    ///
    /// # Errors
    ///
    /// As [`read_stream`](Self::read_stream).
    ///
    /// # Cancel safety
    ///
    /// It changes nothing, so it can be dropped at any time.
    pub async fn read_stream_all(
        &self,
        stream_id: &str,
        from_version: i64,
    ) -> Result<Vec<RecordedEvent>, EventStoreError> {
        let mut all: Vec<RecordedEvent> = Vec::new();
        let mut from = from_version;
        loop {
            let page = self
                .read_stream(
                    stream_id,
                    StreamQuery {
                        direction: ReadDirection::Forward,
                        from_version: from,
                        limit: PAGE,
                    },
                )
                .await?;
            let count = page.len() as i64;
            all.extend(page);
            if count < PAGE {
                return Ok(all);
            }
            from = all.last().map_or(from, |last| last.stream_version + 1);
        }
    }

    /// Reads a page of the whole log, in position order, after a position. Nothing will ever appear
    /// at or below a position that was answered.
    ///
    /// # Errors
    ///
    /// [`EventStoreError::InvalidArgument`] for a limit below 1 or a negative position,
    /// [`EventStoreError::Deserialization`] for a payload that isn't JSON, and
    /// [`EventStoreError::Database`].
    ///
    /// # Cancel safety
    ///
    /// It changes nothing, so it can be dropped at any time.
    pub async fn read_all_after(
        &self,
        position: i64,
        limit: i64,
    ) -> Result<Vec<RecordedEvent>, EventStoreError> {
        self.read_log_after(&[], position, limit).await
    }

    /// [`read_all_after`](Self::read_all_after), for the events of one category.
    ///
    /// # Errors
    ///
    /// As [`read_all_after`](Self::read_all_after), and [`EventStoreError::InvalidStreamName`] for
    /// what can't be a category.
    ///
    /// # Cancel safety
    ///
    /// It changes nothing, so it can be dropped at any time.
    pub async fn read_category_after(
        &self,
        category: &str,
        position: i64,
        limit: i64,
    ) -> Result<Vec<RecordedEvent>, EventStoreError> {
        check_category(category)?;
        self.read_log_after(&[category.to_owned()], position, limit)
            .await
    }

    /// Up to where the log can be read now, and who holds that back: an append that has been
    /// written and not yet committed.
    ///
    /// # Errors
    ///
    /// [`EventStoreError::Database`].
    ///
    /// # Cancel safety
    ///
    /// It changes nothing, so it can be dropped at any time.
    pub async fn safe_head(&self) -> Result<SafeHead, EventStoreError> {
        let mut conn = self.inner.db.pool.acquire().await?;
        DB::safe_head(&mut conn).await
    }

    async fn read_log_after(
        &self,
        categories: &[String],
        position: i64,
        limit: i64,
    ) -> Result<Vec<RecordedEvent>, EventStoreError> {
        check_limit(limit)?;
        if position < 0 {
            return Err(EventStoreError::InvalidArgument {
                name: "the position",
                value: position.to_string(),
                mend: "pass 0 for the start of the log, or a position that was answered",
            });
        }
        let mut conn = self.inner.db.pool.acquire().await?;
        let head = DB::safe_head(&mut conn).await?;
        let mut events = Vec::new();
        let read = LogRead {
            after: position,
            up_to: head.position,
            categories,
            limit,
        };
        DB::read_log(&mut conn, read, &mut |event| {
            events.push(recorded(&event)?);
            Ok(ControlFlow::Continue(()))
        })
        .await?;
        Ok(events)
    }
}

fn check_limit(limit: i64) -> Result<(), EventStoreError> {
    if limit >= 1 {
        return Ok(());
    }
    Err(EventStoreError::InvalidArgument {
        name: "the limit",
        value: limit.to_string(),
        mend: "ask for at least 1 event",
    })
}

/// An event with its payload and metadata as JSON values.
pub(crate) fn recorded(event: &RawEvent<'_>) -> Result<RecordedEvent, EventStoreError> {
    let parse = |json: &[u8]| -> Result<Value, EventStoreError> {
        serde_json::from_slice(json).map_err(|source| EventStoreError::Deserialization {
            stream_id: event.stream_id.to_owned(),
            global_position: event.global_position,
            event_type: event.event_type.to_owned(),
            source: source.into(),
        })
    };
    Ok(RecordedEvent {
        global_position: event.global_position,
        stream_id: event.stream_id.to_owned(),
        stream_version: event.stream_version,
        event_type: event.event_type.to_owned(),
        schema_version: event.schema_version,
        data: parse(event.data)?,
        metadata: event.metadata.map_or(Ok(Value::Null), parse)?,
        created_at: event.created_at.unwrap_or_default(),
    })
}
