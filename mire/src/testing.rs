//! Given, when, then: tests of a domain without a database.
//!
//! ```
//! mod bank {
//!     #[derive(Debug, PartialEq)]
//!     pub enum AccountError {
//!         Overdrawn,
//!     }
//!
//!     mire::aggregate!(
//!         /// A bank account.
//!         #[aggregate(category = "account")]
//!         pub struct Account {
//!             balance: i64,
//!         }
//!
//!         #[event]
//!         fn deposited(&mut self, amount: i64) {
//!             self.balance += amount;
//!         }
//!
//!         #[event]
//!         fn withdrawn(&mut self, amount: i64) {
//!             self.balance -= amount;
//!         }
//!
//!         #[command]
//!         pub fn withdraw(&self, amount: i64) -> Result<AccountEvent, AccountError> {
//!             if amount > self.balance {
//!                 return Err(AccountError::Overdrawn);
//!             }
//!             Ok(AccountEvent::Withdrawn { amount })
//!         }
//!     );
//! }
//! use bank::{Account, AccountError, AccountEvent};
//!
//! Account::given([AccountEvent::Deposited { amount: 50 }])
//!     .when(|account| account.withdraw(30))
//!     .then([AccountEvent::Withdrawn { amount: 30 }]);
//!
//! Account::given([])
//!     .when(|account| account.withdraw(30))
//!     .then_error(AccountError::Overdrawn);
//! ```
//!
//! Events take the way through the log and back: what is given, and what a command answers, is
//! encoded and decoded, so a test also fails when an event doesn't survive being stored.

use std::fmt::Debug;

use crate::aggregate::Aggregate;
use crate::command::Decision;
use crate::event::{EventData, StoredEvent};

/// An aggregate that some events have happened to. Made by [`given`], or by the `given` of a
/// generated aggregate.
#[must_use = "a test says what happens next with `when`"]
pub struct Given<A> {
    state: A,
}

/// Begins a test: the aggregate after these events.
///
/// # Panics
///
/// When an event doesn't survive being stored.
#[track_caller]
pub fn given<A: Aggregate>(events: impl IntoIterator<Item = A::Event>) -> Given<A> {
    let mut state = A::default();
    for event in events {
        state.apply(&stored_and_read(&event));
    }
    Given { state }
}

impl<A: Aggregate> Given<A> {
    /// Lets a command decide on the state. It answers what a command may answer: events, or a
    /// `Result` of events and a refusal.
    ///
    /// # Panics
    ///
    /// When an event that it answers doesn't survive being stored.
    #[track_caller]
    #[must_use = "a test says what it expects with `then`"]
    pub fn when<D: Decision<A::Event>>(
        self,
        decide: impl FnOnce(&A) -> D,
    ) -> Decided<A, D::Rejection> {
        let outcome = decide(&self.state).into_result();
        let mut state = self.state;
        if let Ok(events) = &outcome {
            for event in events {
                state.apply(&stored_and_read(event));
            }
        }
        Decided { state, outcome }
    }

    /// Looks at the state as the events have left it.
    #[track_caller]
    pub fn then_state(self, look: impl FnOnce(&A)) -> Self {
        look(&self.state);
        self
    }
}

/// What a command decided. Each `then…` panics when it was something else.
pub struct Decided<A: Aggregate, R> {
    state: A,
    outcome: Result<Vec<A::Event>, R>,
}

impl<A: Aggregate, R: Debug> Decided<A, R>
where
    A::Event: Debug,
{
    /// Exactly these events, in this order.
    ///
    /// # Panics
    ///
    /// When the command answered other events, or refused.
    #[track_caller]
    pub fn then(self, expected: impl IntoIterator<Item = A::Event>) -> Self
    where
        A::Event: PartialEq,
    {
        let expected: Vec<A::Event> = expected.into_iter().collect();
        match &self.outcome {
            Ok(events) => assert_eq!(
                events, &expected,
                "the command decided on other events (left) than expected (right)"
            ),
            Err(refusal) => {
                panic!("expected the events {expected:?}, but the command refused: {refusal:?}")
            }
        }
        self
    }

    /// No event, and no refusal.
    ///
    /// # Panics
    ///
    /// When the command answered an event, or refused.
    #[track_caller]
    pub fn then_nothing(self) -> Self
    where
        A::Event: PartialEq,
    {
        self.then([])
    }

    /// This refusal.
    ///
    /// # Panics
    ///
    /// When the command refused for another reason, or didn't refuse.
    #[track_caller]
    pub fn then_error(self, expected: R) -> Self
    where
        R: PartialEq,
    {
        match &self.outcome {
            Err(refusal) => assert_eq!(
                refusal, &expected,
                "the command refused for another reason (left) than expected (right)"
            ),
            Ok(events) => {
                panic!("expected the refusal {expected:?}, but the command decided on {events:?}")
            }
        }
        self
    }

    /// A refusal that `matches` accepts, for errors that can't be compared.
    ///
    /// # Panics
    ///
    /// When it doesn't accept the refusal, or there is none.
    #[track_caller]
    pub fn then_error_matches(self, matches: impl FnOnce(&R) -> bool) -> Self {
        match &self.outcome {
            Err(refusal) => assert!(matches(refusal), "the refusal is another one: {refusal:?}"),
            Ok(events) => panic!("expected a refusal, but the command decided on {events:?}"),
        }
        self
    }

    /// Looks at the state after the decision's events.
    pub fn then_state(self, look: impl FnOnce(&A)) -> Self {
        look(&self.state);
        self
    }

    /// Goes on with another command, on the state that this one has left.
    pub fn and(self) -> Given<A> {
        Given { state: self.state }
    }
}

#[track_caller]
fn stored_and_read<E: EventData>(event: &E) -> E {
    let name = event.event_type();
    let data = event
        .encode()
        .unwrap_or_else(|error| panic!("the event `{name}` can't be stored: {error}"));
    E::decode(&StoredEvent {
        event_type: name,
        schema_version: event.schema_version(),
        data: data.as_bytes(),
    })
    .unwrap_or_else(|error| {
        panic!("the event `{name}` can't be read back from what was stored, {data}: {error}")
    })
}
