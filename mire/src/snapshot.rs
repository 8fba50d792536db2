//! Snapshots: the folded state of a stream at some version, stored beside the log.
//!
//! A snapshot is disposable. One that doesn't fit (another [`Snapshot::SNAPSHOT_VERSION`], a
//! payload that can't be read) is ignored, and the stream is folded from the start. Snapshots live
//! in a table of their own, so no stream can collide with one and no reader ever sees one.

use serde::{Serialize, de::DeserializeOwned};

use crate::aggregate::Aggregate;

/// An aggregate whose state may be stored between its events.
pub trait Snapshot: Aggregate + Serialize + DeserializeOwned {
    /// Identifies the shape and meaning of the state. Change it whenever either changes: older
    /// snapshots are ignored from then on. Generated aggregates use a fingerprint of their
    /// declaration.
    const SNAPSHOT_VERSION: i32 = 1;

    /// A snapshot is written when a save crosses a multiple of this many events. Zero or less:
    /// never by itself.
    const SNAPSHOT_FREQUENCY: i64 = 100;
}

/// What a field of a state with snapshots is asked for.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be stored in a snapshot",
    label = "lacks what a field of a state with `snapshot_every` needs",
    note = "put `#[derive(serde::Serialize, serde::Deserialize)]` on a type of your own",
    note = "for one from another crate, look for a feature of that crate called `serde`"
)]
pub trait SnapshotField: Serialize + DeserializeOwned {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> SnapshotField for T {}

/// Stops the compiler when a type can't be stored in a snapshot.
pub const fn snapshot_field<T: SnapshotField>() {}

/// Whether a save that took the stream from `before` to `after` should leave a snapshot.
pub(crate) fn is_due<A: Snapshot>(before: i64, after: i64) -> bool {
    let every = A::SNAPSHOT_FREQUENCY;
    every > 0 && before / every < after / every
}
