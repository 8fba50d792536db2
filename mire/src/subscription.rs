//! Subscriptions: reading the log from a position on, without stepping over anything.
//!
//! * The [cursor](cursor) is one position. It reads pages up to the safe head and checks that the
//!   versions of each stream follow one another.
//! * The [feed](feed) runs a cursor ahead of its consumer and sleeps when there is nothing.
//! * A *checkpoint* is a cursor that is stored: all up to it was handled, parked, skipped or not
//!   subscribed to. Since nothing appears below the safe head later, a checkpoint once passed
//!   stays complete; [waiting](crate::EventStore::wait_for) for one is sound for that reason.

pub(crate) mod cursor;
pub(crate) mod feed;
pub(crate) mod page;
pub(crate) mod progress;

pub use page::{EventInfo, EventPage, PageEvent};
