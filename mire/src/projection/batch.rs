//! What a handler is given: some events of a page, and a way to say which of them it is at.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::error::EventStoreError;
use crate::event::EventData;
use crate::projection::HandledEvent;
use crate::subscription::{EventInfo, EventPage, PageEvent};

/// Why a batch was not handled.
#[derive(Debug)]
pub struct Failure {
    pub(crate) index: Option<usize>,
    pub(crate) permanent: bool,
    /// Not the events, but the database or the schema is at fault.
    pub(crate) of_database: bool,
    pub(crate) source: anyhow::Error,
}

impl Failure {
    /// The event at this place of the page is at fault.
    pub fn at(event: &PageEvent<'_>, source: impl Into<anyhow::Error>) -> Self {
        Self {
            index: Some(event.index()),
            permanent: false,
            of_database: false,
            source: source.into(),
        }
    }

    /// The database is at fault: the leader waits, and goes on from the stored checkpoint. No event
    /// is counted against, so none is parked or skipped for it.
    pub(crate) fn of_database(source: EventStoreError) -> Self {
        Self {
            of_database: true,
            ..Self::from(anyhow::Error::from(source))
        }
    }

    /// Says that trying again can't help, as with an event that can't be decoded.
    #[must_use]
    pub fn permanent(mut self) -> Self {
        self.permanent = true;
        self
    }
}

impl From<anyhow::Error> for Failure {
    /// Some event is at fault: the one that [`Batch::next`] gave last, or any.
    fn from(source: anyhow::Error) -> Self {
        Self {
            index: None,
            permanent: false,
            of_database: false,
            source,
        }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(source: sqlx::Error) -> Self {
        anyhow::Error::from(source).into()
    }
}

const NOTHING_TAKEN: usize = usize::MAX;

/// Events to handle, in order.
///
/// Take them one by one with [`next`](Self::next), which ends early when it is time to commit, or
/// all at once with [`all`](Self::all). Those that were not taken are delivered again.
#[derive(Debug)]
pub struct Batch {
    page: Arc<EventPage>,
    /// Places in the page.
    indexes: Vec<usize>,
    /// How many of them were taken.
    taken: AtomicUsize,
    /// The place in the page of the event that is being handled by itself.
    at: AtomicUsize,
    until: Instant,
    cancel: CancellationToken,
}

impl Batch {
    pub(crate) fn new(
        page: &Arc<EventPage>,
        indexes: Vec<usize>,
        slice: Duration,
        cancel: &CancellationToken,
    ) -> Self {
        Self {
            page: Arc::clone(page),
            indexes,
            taken: AtomicUsize::new(0),
            at: AtomicUsize::new(NOTHING_TAKEN),
            until: Instant::now() + slice,
            cancel: cancel.clone(),
        }
    }

    /// How many events there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.indexes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.indexes.is_empty()
    }

    /// The page that the events are of.
    #[must_use]
    pub fn page(&self) -> &Arc<EventPage> {
        &self.page
    }

    /// The next event; the one before it has been handled. `None` when all were taken, and also
    /// when what was handled should be committed first.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&self) -> Option<PageEvent<'_>> {
        let taken = self.taken.load(Ordering::Relaxed);
        let enough = taken > 0 && (self.cancel.is_cancelled() || Instant::now() >= self.until);
        if enough || taken >= self.indexes.len() {
            self.at.store(NOTHING_TAKEN, Ordering::Relaxed);
            return None;
        }
        self.taken.store(taken + 1, Ordering::Relaxed);
        self.at_event(self.indexes[taken]);
        self.page.event(self.indexes[taken])
    }

    /// All events, to be handled together: all of them or none.
    pub fn all(&self) -> impl Iterator<Item = PageEvent<'_>> {
        self.taken.store(self.indexes.len(), Ordering::Relaxed);
        self.indexes
            .iter()
            .filter_map(|index| self.page.event(*index))
    }

    /// All events, to be handled together; the one that was given last is the one that a panic is
    /// blamed on.
    pub(crate) fn each(&self) -> impl Iterator<Item = PageEvent<'_>> {
        self.taken.store(self.indexes.len(), Ordering::Relaxed);
        self.indexes.iter().filter_map(|index| {
            self.at_event(*index);
            self.page.event(*index)
        })
    }

    /// The event at this place of the page is being handled by itself.
    pub(crate) fn at_event(&self, index: usize) {
        self.at.store(index, Ordering::Relaxed);
    }

    /// No event is being handled by itself any more.
    pub(crate) fn at_none(&self) {
        self.at.store(NOTHING_TAKEN, Ordering::Relaxed);
    }

    /// Decodes an event of this batch, with what stands beside it.
    ///
    /// # Errors
    ///
    /// A permanent [`Failure`] that names the event.
    pub fn decode<E: EventData>(&self, event: &PageEvent<'_>) -> Result<HandledEvent<E>, Failure> {
        let decoded = event
            .decode()
            .map_err(|error| Failure::at(event, error).permanent())?;
        let info = EventInfo::new(&self.page, event.index())
            .ok_or_else(|| Failure::at(event, anyhow::anyhow!("the event is of another page")))?;
        Ok(HandledEvent::new(decoded, info))
    }

    /// How many events were taken.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// The place in the page of the event that is being handled by itself.
    pub(crate) fn current(&self) -> Option<usize> {
        let at = self.at.load(Ordering::Relaxed);
        (at != NOTHING_TAKEN).then_some(at)
    }
}
