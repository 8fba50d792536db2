//! Projections: handlers that follow the log, on several replicas of which one leads.
//!
//! A [runner](runner) drives each subscription in a task of its own:
//!
//! ```text
//! follow ──lease acquired──▶ lead: page ▶ handle ▶ fenced checkpoint ▶ commit ▶ next page …
//!   ▲                          │
//!   └── lease lost ────────────┤ the handler is dropped, its transaction rolls back
//!       released and ended ◀───┘ cancelled (a running handler has `shutdown_grace` to finish),
//!                                or a handler failed for good under `FailurePolicy::Stop`
//! ```
//!
//! **Transactional** handlers write in the transaction that moves the checkpoint: what they do
//! there takes effect exactly once. A commit whose answer was lost is not repeated, since the
//! checkpoint is read again, and the next one states where it takes it to be. **Plain** handlers
//! run before the checkpoint moves: at least once, and after a failover a prefix is repeated, never
//! reordered within a stream.
//!
//! **A failure** rolls the page back. It is then delivered in smaller pieces until the failing event
//! stands alone and all before it is committed. That event is tried `max_attempts` times, with
//! growing pauses; an event that can't be decoded, once. Then the [policy](FailurePolicy) decides.
//! A panic is a failure. So is a handler that exceeds its time-out, if it was given one. What the
//! database fails at by itself (a lost connection, a begin or commit that failed) is never counted
//! against an event: the leader waits and goes on from the stored checkpoint.

pub(crate) mod acting;
mod adapter;
mod batch;
mod delivery;
mod handler;
mod hindrance;
mod leader;
mod member;
mod parking;
pub(crate) mod reads;
mod runner;
mod settings;

pub use acting::ActingProjection;
pub use batch::{Batch, Failure};
pub use handler::{
    EventHandler, HandledEvent, PageHandler, TransactionalBatchEventHandler,
    TransactionalEventHandler, TransactionalPageHandler,
};
pub(crate) use member::Handler;
pub use parking::{ParkedEvent, ParkedState};
pub use runner::{ProjectionRunner, ProjectionRunnerBuilder};
pub use settings::{FailurePolicy, RunnerError, Subscription};
