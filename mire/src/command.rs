//! Commands: decisions on a state, written as pure functions.

use crate::aggregate::{Aggregate, NoAggregate};
use crate::error::EventStoreError;

/// A decision: looks at the state, and answers the events that it makes happen, or refuses.
///
/// It has no access to the store, so it can be tested without one.
pub trait Command {
    /// What it decides on.
    type Aggregate: Aggregate;
    /// Why it may refuse.
    type Error;
    /// The events it answers: an array, an `Option`, a `Vec` …
    type Events: IntoIterator<Item = <Self::Aggregate as Aggregate>::Event>;

    /// Decides.
    ///
    /// # Errors
    ///
    /// The refusal, in the domain's own words. Nothing is recorded then.
    fn handle(self, state: &Self::Aggregate) -> Result<Self::Events, Self::Error>;
}

/// Why a command had no effect.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError<E> {
    /// The domain refused it; nothing was written.
    #[error("the command was rejected")]
    Rejected(#[source] E),
    /// The store failed while loading or saving.
    #[error(transparent)]
    Store(#[from] EventStoreError),
}

impl<E> CommandError<E> {
    /// The domain's refusal, if that was the reason.
    pub fn rejected(self) -> Option<E> {
        match self {
            Self::Rejected(error) => Some(error),
            Self::Store(_) => None,
        }
    }
}

/// What a decision in closure form may answer: one event, an `Option`, a `Vec` or an array.
#[diagnostic::on_unimplemented(
    message = "a command can't answer `{Self}` for an aggregate whose event is `{E}`",
    label = "not events of this aggregate",
    note = "answer one event, or an `Option`, a `Vec` or an array of events, of the aggregate's own event type"
)]
pub trait IntoEvents<E> {
    /// The events in order.
    fn into_events(self) -> Vec<E>;
}

#[diagnostic::do_not_recommend]
impl<E> IntoEvents<E> for Vec<E> {
    fn into_events(self) -> Vec<E> {
        self
    }
}

#[diagnostic::do_not_recommend]
impl<E> IntoEvents<E> for Option<E> {
    fn into_events(self) -> Vec<E> {
        self.into_iter().collect()
    }
}

#[diagnostic::do_not_recommend]
impl<E, const N: usize> IntoEvents<E> for [E; N] {
    fn into_events(self) -> Vec<E> {
        self.into()
    }
}

#[diagnostic::do_not_recommend]
impl<E: crate::event::EventData> IntoEvents<E> for E {
    fn into_events(self) -> Vec<E> {
        vec![self]
    }
}

/// What a command may return: events ([`IntoEvents`]), or a `Result` of events and a refusal.
#[diagnostic::on_unimplemented(
    message = "a command can't return `{Self}` for an aggregate whose event is `{E}`",
    label = "not events of this aggregate",
    note = "return one event, or an `Option`, a `Vec` or an array of events, of the aggregate's own event type, or a `Result` of these"
)]
pub trait Decision<E>: Sized {
    /// Why it may refuse; [`Infallible`](std::convert::Infallible) when it can't.
    type Rejection;
    /// What is left once the events are recorded: `()`, or a `Result` of it.
    type Recorded;

    /// The events in order, or the refusal.
    ///
    /// # Errors
    ///
    /// The refusal.
    fn into_result(self) -> Result<Vec<E>, Self::Rejection>;

    /// Hands the events to `record`, unless it is a refusal.
    fn record(self, record: impl FnOnce(Vec<E>)) -> Self::Recorded;
}

#[diagnostic::do_not_recommend]
impl<E: crate::event::EventData, T: IntoEvents<E>, R> Decision<E> for Result<T, R> {
    type Rejection = R;
    type Recorded = Result<(), R>;

    fn into_result(self) -> Result<Vec<E>, R> {
        self.map(T::into_events)
    }

    fn record(self, record: impl FnOnce(Vec<E>)) -> Result<(), R> {
        self.map(|events| record(events.into_events()))
    }
}

macro_rules! certain {
    ($([$($generics:tt)*] $type:ty;)*) => {$(
        #[diagnostic::do_not_recommend]
        impl<E: crate::event::EventData $($generics)*> Decision<E> for $type {
            type Rejection = std::convert::Infallible;
            type Recorded = ();

            fn into_result(self) -> Result<Vec<E>, Self::Rejection> {
                Ok(self.into_events())
            }

            fn record(self, record: impl FnOnce(Vec<E>)) {
                record(self.into_events());
            }
        }
    )*};
}

certain! {
    [] E;
    [] Vec<E>;
    [] Option<E>;
    [, const N: usize] [E; N];
}

/// A function that decides on an `A`, and answers `D`, which refuses by an `R`: a [`Decision`], asked of
/// the function, so that the compiler shows that one when the answer is wrong. Every function has it a
/// second time, for no aggregate at all, as an id has [`Names`](crate::Names).
#[diagnostic::on_unimplemented(
    message = "a command can't answer `{D}` for the aggregate `{A}`",
    label = "doesn't answer events of this aggregate",
    note = "answer one event, or an `Option`, a `Vec` or an array of events, of the aggregate's own event type, or a `Result` of these"
)]
pub trait Answers<A, D, R> {
    /// The event type of the aggregate.
    type Event;

    /// The events in order, or the refusal.
    ///
    /// # Errors
    ///
    /// The refusal.
    fn into_result(answer: D) -> Result<Vec<Self::Event>, R>;
}

#[diagnostic::do_not_recommend]
impl<F, A: Aggregate, D: Decision<A::Event>> Answers<A, D, D::Rejection> for F {
    type Event = A::Event;

    fn into_result(answer: D) -> Result<Vec<A::Event>, D::Rejection> {
        answer.into_result()
    }
}

#[diagnostic::do_not_recommend]
impl<F, D, R> Answers<NoAggregate, D, R> for F {
    type Event = ();

    fn into_result(_: D) -> Result<Vec<()>, R> {
        Ok(Vec::new())
    }
}
