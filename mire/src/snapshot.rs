//! Snapshots: the folded state of a stream at some version, stored beside the log.
//!
//! A snapshot is disposable. One that doesn't fit (another [`Snapshot::SNAPSHOT_VERSION`], a
//! payload that can't be read) is ignored, and the stream is folded from the start. Snapshots live
//! in a table of their own, so no stream can collide with one and no reader ever sees one.

use serde::{Serialize, de::DeserializeOwned};

use crate::aggregate::Aggregate;

/// An aggregate whose state may be stored between its events.
///
/// That it is done by itself, [`Aggregate::snapshots`] says.
pub trait Snapshot: Aggregate + Serialize + DeserializeOwned {
    /// Identifies the shape and meaning of the state. Change it whenever either changes: older
    /// snapshots are ignored from then on. Generated aggregates use a fingerprint of their
    /// declaration.
    const SNAPSHOT_VERSION: i32 = 1;

    /// A snapshot is written when a save crosses a multiple of this many events. Zero or less:
    /// never by itself.
    const SNAPSHOT_FREQUENCY: i64 = 100;
}

/// How the state of an aggregate is stored between its events, for [`Aggregate::snapshots`].
#[derive(Debug)]
pub struct Snapshots<A> {
    pub(crate) version: i32,
    frequency: i64,
    pub(crate) encode: fn(&A) -> serde_json::Result<String>,
    pub(crate) decode: fn(&[u8]) -> serde_json::Result<A>,
}

impl<A: Snapshot> Snapshots<A> {
    /// As the type itself says it.
    #[must_use]
    pub fn of() -> Self {
        Self {
            version: A::SNAPSHOT_VERSION,
            frequency: A::SNAPSHOT_FREQUENCY,
            encode: |state| crate::json::to_string(state),
            decode: |state| serde_json::from_slice(state),
        }
    }
}

impl<A> Snapshots<A> {
    /// Whether a save that took the stream from `before` to `after` should leave a snapshot.
    pub(crate) fn is_due(&self, before: i64, after: i64) -> bool {
        self.frequency > 0 && after / self.frequency > before / self.frequency
    }
}

/// What a field of a state with snapshots is asked for.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be stored in a snapshot",
    label = "lacks what a field of a state with `snapshot_every` needs",
    note = "put `#[derive(Clone, Default, serde::Serialize, serde::Deserialize)]` on a type of your own",
    note = "for one from another crate, look for a feature of that crate called `serde`",
    note = "the key of a map is text or a number, and has `Eq` and `Hash`, or `Ord` in a `BTreeMap`, as has what is in a set"
)]
pub trait SnapshotField: Serialize + DeserializeOwned {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> SnapshotField for T {}

/// Stops the compiler when a type can't be stored in a snapshot.
pub const fn snapshot_field<T: SnapshotField>() {}
