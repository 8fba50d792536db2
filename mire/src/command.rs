//! Commands: decisions on a state, written as pure functions.

use crate::aggregate::Aggregate;
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
    note = "answer one event, or an `Option`, a `Vec` or an array of events, of the aggregate's own event type"
)]
pub trait IntoEvents<E> {
    /// The events in order.
    fn into_events(self) -> Vec<E>;
}

impl<E> IntoEvents<E> for Vec<E> {
    fn into_events(self) -> Vec<E> {
        self
    }
}

impl<E> IntoEvents<E> for Option<E> {
    fn into_events(self) -> Vec<E> {
        self.into_iter().collect()
    }
}

impl<E, const N: usize> IntoEvents<E> for [E; N] {
    fn into_events(self) -> Vec<E> {
        self.into()
    }
}

impl<E: crate::event::EventData> IntoEvents<E> for E {
    fn into_events(self) -> Vec<E> {
        vec![self]
    }
}
