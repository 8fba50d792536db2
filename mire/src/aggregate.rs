//! Aggregates: state that is folded from a stream, and the root that records new events on it.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use crate::command::Command;
use crate::error::EventStoreError;
use crate::event::{EventData, EventMetadata};
use crate::snapshot::Snapshots;
use crate::stream::StreamName;

/// State that is folded from the events of a stream.
///
/// `aggregate!` writes this from a declaration; by hand it is four items:
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize, mire::EventData)]
/// # #[mire(entity = "order")]
/// # enum OrderEvent { Placed { amount: i64 } }
/// #[derive(Default)]
/// struct Order {
///     amount: i64,
/// }
///
/// impl mire::Aggregate for Order {
///     type Event = OrderEvent;
///     type Id = String;
///
///     fn stream_category() -> &'static str {
///         "order"
///     }
///
///     fn apply(&mut self, event: &OrderEvent) {
///         match event {
///             OrderEvent::Placed { amount } => self.amount += amount,
///         }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an aggregate",
    label = "no aggregate",
    note = "name the struct that is declared in `aggregate!`, as in `store.load::<Account>(id)`"
)]
pub trait Aggregate: Default + Send + Sync + 'static {
    /// The events of its streams.
    type Event: EventData;

    /// What names one of them: `String` for any text, or an id type of its own, which no text and no
    /// other aggregate's id stands in for.
    type Id: AggregateId<Self>;

    /// The first half of its streams' names. See [`StreamName`] for what it may contain.
    fn stream_category() -> &'static str;

    /// Folds one event into the state. It can't fail: the event has happened.
    fn apply(&mut self, event: &Self::Event);

    /// A copy of the state for the store's in-process cache. The default, `None`, says that this
    /// type can't be copied: then `load` folds its stream each time. `Some(self.clone())` makes a
    /// load cost what is new in the stream. Generated aggregates do so.
    fn cached(&self) -> Option<Self> {
        None
    }

    /// How its state is stored between its events: loads start from there, and saves store it now
    /// and then. The default, `None`, is never. `Some(Snapshots::of::<Self>())` does so for a type
    /// that is a [`Snapshot`](crate::Snapshot). Generated aggregates with `snapshot_every` answer it.
    fn snapshots() -> Option<Snapshots<Self>> {
        None
    }
}

/// What names one aggregate of type `A`: its id.
///
/// Text names an aggregate whose [`Id`](Aggregate::Id) is `String`. An id type names its own aggregate
/// only, so that the compiler refuses an order's id where an account is loaded.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an id of the aggregate `{A}`",
    label = "this id belongs to something else",
    note = "pass an id of this aggregate itself: `id(…)` on its struct names the type; without it, that is text",
    note = "an id type that `id(…)` generates is made of a UUID by `{A}Id::from(uuid)`, if that is its name"
)]
pub trait AggregateId<A: Aggregate> {
    /// The id as it stands in the stream's name, after the category.
    fn id_text(&self) -> Cow<'_, str>;
}

/// An aggregate whose ids are any text.
#[diagnostic::on_unimplemented(
    message = "an id of `{Self}` has a type of its own, which text is not",
    label = "text where an id is needed",
    note = "make an id of the text by `text.parse::<{Self}Id>()?`, or whatever `id(…)` on the struct of `{Self}` names"
)]
pub trait NamedByText: Aggregate {}

#[diagnostic::do_not_recommend]
impl<A: Aggregate<Id = String>> NamedByText for A {}

impl<A: NamedByText> AggregateId<A> for str {
    fn id_text(&self) -> Cow<'_, str> {
        Cow::Borrowed(self)
    }
}

impl<A: NamedByText> AggregateId<A> for String {
    fn id_text(&self) -> Cow<'_, str> {
        Cow::Borrowed(self)
    }
}

impl<A: Aggregate, I: AggregateId<A> + ?Sized> AggregateId<A> for &I {
    fn id_text(&self) -> Cow<'_, str> {
        (**self).id_text()
    }
}

/// An id of the aggregate `A`: [`AggregateId`], for where the aggregate is only known from what decides
/// on it. There the compiler would take it from the id, and call the function for another aggregate a
/// mismatched type. So every type has this trait a second time, for no aggregate at all: of two, it takes
/// neither.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an id of the aggregate `{A}`",
    label = "this id belongs to something else",
    note = "pass an id of this aggregate itself: `id(…)` on its struct names the type; without it, that is text",
    note = "an id type that `id(…)` generates is made of a UUID by `{A}Id::from(uuid)`, if that is its name"
)]
pub trait Names<A> {
    /// The name of the aggregate's stream.
    ///
    /// # Errors
    ///
    /// [`EventStoreError::InvalidStreamName`], as [`StreamName::new`].
    fn stream_name(&self) -> Result<StreamName, EventStoreError>;
}

impl<A: Aggregate, I: AggregateId<A>> Names<A> for I {
    fn stream_name(&self) -> Result<StreamName, EventStoreError> {
        stream_name::<A>(self)
    }
}

/// No aggregate. It is there for [`Names`] alone, and nothing has it.
pub enum NoAggregate {}

#[diagnostic::do_not_recommend]
impl<I> Names<NoAggregate> for I {
    fn stream_name(&self) -> Result<StreamName, EventStoreError> {
        StreamName::new("", "")
    }
}

/// The name of the stream that holds the aggregate `A` of this id.
///
/// # Errors
///
/// [`EventStoreError::InvalidStreamName`], as [`StreamName::new`].
pub fn stream_name<A: Aggregate>(
    id: &(impl AggregateId<A> + ?Sized),
) -> Result<StreamName, EventStoreError> {
    StreamName::new(A::stream_category(), &id.id_text())
}

/// The name of an aggregate's stream, which knows whose events the stream holds. Generated aggregates
/// answer it from `Account::stream(&id)`.
pub struct AggregateStream<A> {
    name: StreamName,
    aggregate: PhantomData<fn() -> A>,
}

impl<A: Aggregate> AggregateStream<A> {
    /// The stream of the aggregate with this id.
    ///
    /// # Errors
    ///
    /// [`EventStoreError::InvalidStreamName`], as [`StreamName::new`].
    pub fn of(id: &(impl AggregateId<A> + ?Sized)) -> Result<Self, EventStoreError> {
        Ok(Self {
            name: stream_name::<A>(id)?,
            aggregate: PhantomData,
        })
    }
}

impl<A> Deref for AggregateStream<A> {
    type Target = StreamName;

    fn deref(&self) -> &StreamName {
        &self.name
    }
}

impl<A> From<AggregateStream<A>> for StreamName {
    fn from(stream: AggregateStream<A>) -> Self {
        stream.name
    }
}

impl<A> Clone for AggregateStream<A> {
    fn clone(&self) -> Self {
        Self {
            name: self.name.clone(),
            aggregate: PhantomData,
        }
    }
}

impl<A> fmt::Debug for AggregateStream<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AggregateStream")
            .field(&self.name.as_str())
            .finish()
    }
}

impl<A> fmt::Display for AggregateStream<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

/// An aggregate in memory: its state, the version up to which it is stored, and the events that
/// were recorded on it since and wait for a save.
pub struct AggregateRoot<A: Aggregate> {
    /// The state, with all recorded events applied, also those that aren't saved yet.
    pub state: A,
    /// The version of the last event that is stored; 0 for a new aggregate.
    pub version: i64,
    /// The stream's name, `{category}-{id}`.
    pub stream_id: String,
    /// What a save writes beside each event.
    pub metadata: EventMetadata,
    pending: Vec<A::Event>,
}

impl<A: Aggregate> AggregateRoot<A> {
    /// A new aggregate without events. The id is checked when it is saved.
    #[must_use]
    pub fn new(id: &(impl AggregateId<A> + ?Sized)) -> Self {
        let stream_id = format!("{}-{}", A::stream_category(), id.id_text());
        Self::at(stream_id, A::default(), 0)
    }

    /// An aggregate whose events up to `version` are folded into `state`.
    pub(crate) fn at(stream_id: String, state: A, version: i64) -> Self {
        Self {
            state,
            version,
            stream_id,
            metadata: EventMetadata::default(),
            pending: Vec::new(),
        }
    }

    /// Applies an event and keeps it for the next save.
    pub fn record(&mut self, event: A::Event) {
        self.state.apply(&event);
        self.pending.push(event);
    }

    /// [`record`](Self::record), for several events in order.
    pub fn record_many(&mut self, events: impl IntoIterator<Item = A::Event>) {
        for event in events {
            self.record(event);
        }
    }

    /// Lets a command decide on the state, and records the events that it answers.
    ///
    /// # Errors
    ///
    /// The command's own; nothing is recorded then.
    pub fn execute<C: Command<Aggregate = A>>(&mut self, command: C) -> Result<(), C::Error> {
        let events = command.handle(&self.state)?;
        self.record_many(events);
        Ok(())
    }

    /// Sets what the next saves write beside each event.
    pub fn set_metadata(&mut self, metadata: EventMetadata) {
        self.metadata = metadata;
    }

    /// Whether a save would write something.
    #[must_use]
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// How many events a save would write.
    #[must_use]
    pub fn pending_count(&self) -> usize {
        self.pending.len()
    }

    /// The events that a save would write, in order.
    #[must_use]
    pub fn pending(&self) -> &[A::Event] {
        &self.pending
    }

    /// Takes the pending events away, for a caller that appends them by itself. They stay applied
    /// to the state.
    pub fn take_pending(&mut self) -> Vec<A::Event> {
        std::mem::take(&mut self.pending)
    }

    /// Puts events that were taken back, in front of those recorded since. They are not applied a
    /// second time.
    pub fn restore_pending(&mut self, mut events: Vec<A::Event>) {
        events.append(&mut self.pending);
        self.pending = events;
    }

    /// Marks the pending events as stored: the last one got `version`.
    pub(crate) fn saved(&mut self, version: i64) {
        self.pending.clear();
        self.version = version;
    }
}

impl<A: Aggregate + fmt::Debug> fmt::Debug for AggregateRoot<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AggregateRoot")
            .field("stream_id", &self.stream_id)
            .field("version", &self.version)
            .field("state", &self.state)
            .field("pending_count", &self.pending.len())
            .finish_non_exhaustive()
    }
}
