//! Loading from and saving with snapshots: by themselves for an aggregate that
//! [says so](Aggregate::snapshots), and when asked for.
//!
//! A snapshot is only ever a help: one is stored once its events are, and one that doesn't fit is
//! folded without. Those that are left by themselves are folds by the store alone, like what is
//! cached, so that no other change of a state gets into one.

use futures_util::future::BoxFuture;

use super::fold::Folded;
use super::{Appended, EventStore};
use crate::aggregate::{Aggregate, AggregateId, AggregateRoot, stream_name};
use crate::backend::Backend;
use crate::error::EventStoreError;
use crate::snapshot::{Snapshot, Snapshots};
use crate::stream::StreamName;

impl<DB: Backend> EventStore<DB> {
    /// [`load`](Self::load), starting from the stored snapshot where there is one that fits: for an
    /// aggregate that doesn't do so [by itself](Aggregate::snapshots).
    ///
    /// A snapshot of another [`Snapshot::SNAPSHOT_VERSION`], one that can't be read, and one that
    /// is ahead of its stream are ignored: the stream is folded from the start.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    ///
    /// # Cancel safety
    ///
    /// It changes nothing, so it can be dropped at any time.
    pub fn load_snapshotted<A: Snapshot>(
        &self,
        id: impl AggregateId<A>,
    ) -> BoxFuture<'_, Result<Option<AggregateRoot<A>>, EventStoreError>> {
        let stream = stream_name::<A>(&id);
        Box::pin(async move {
            let stream = stream?;
            let folded = self.fold_snapshotted(&stream).await?;
            Ok(folded.map(|folded| folded.into_root(stream.into_string())))
        })
    }

    /// [`load_snapshotted`](Self::load_snapshotted), with a new aggregate where there are no
    /// events.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    ///
    /// # Cancel safety
    ///
    /// It changes nothing, so it can be dropped at any time.
    pub fn load_or_default_snapshotted<A: Snapshot>(
        &self,
        id: impl AggregateId<A>,
    ) -> BoxFuture<'_, Result<AggregateRoot<A>, EventStoreError>> {
        let stream = stream_name::<A>(&id);
        Box::pin(async move {
            let stream = stream?;
            let folded = self.fold_snapshotted(&stream).await?;
            Ok(folded.unwrap_or_default().into_root(stream.into_string()))
        })
    }

    async fn fold_snapshotted<A: Snapshot>(
        &self,
        stream: &StreamName,
    ) -> Result<Option<Folded<A>>, EventStoreError> {
        self.fold_cached_with(stream.as_str(), Some(&Snapshots::of()))
            .await
    }

    /// [`save`](Self::save), and a snapshot when the save crosses a multiple of
    /// [`Snapshot::SNAPSHOT_FREQUENCY`]: for an aggregate that doesn't do so
    /// [by itself](Aggregate::snapshots).
    ///
    /// A snapshot is an optimisation: once the events are saved, this returns `Ok`, and a failure
    /// to store the snapshot is logged as a warning.
    ///
    /// # Errors
    ///
    /// As [`save`](Self::save).
    ///
    /// # Cancel safety
    ///
    /// As [`save`](Self::save).
    pub async fn save_snapshotting<A: Snapshot>(
        &self,
        root: &mut AggregateRoot<A>,
    ) -> Result<Option<Appended>, EventStoreError> {
        let before = root.version;
        let appended = self.save(root).await?;
        if A::snapshots().is_none()
            && Snapshots::<A>::of().is_due(before, root.version)
            && let Err(error) = self.save_snapshot(root).await
        {
            not_stored(&root.stream_id, root.version, &error);
        }
        Ok(appended)
    }

    /// Stores a snapshot of the aggregate now. An older one never replaces a newer one.
    ///
    /// # Errors
    ///
    /// [`EventStoreError::InvalidArgument`] when there are pending events, since the state is then
    /// ahead of the stored version; [`EventStoreError::Serialization`],
    /// [`EventStoreError::NulCharacter`] and [`EventStoreError::Database`].
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the snapshot may or may not be stored; either is fine.
    pub async fn save_snapshot<A: Snapshot>(
        &self,
        root: &AggregateRoot<A>,
    ) -> Result<(), EventStoreError> {
        let stream = StreamName::parse(&root.stream_id)?;
        if root.has_pending() {
            return Err(EventStoreError::InvalidArgument {
                name: "the number of pending events at a snapshot",
                value: root.pending_count().to_string(),
                mend: "save the aggregate first",
            });
        }
        if root.version == 0 {
            return Ok(());
        }
        self.store_snapshot(&stream, root.version, &root.state, &Snapshots::of())
            .await
    }

    /// Stores a snapshot when a save that took the stream on from `before` should leave one. The
    /// events are saved, so a failure is only logged.
    pub(super) async fn leave_snapshot<A: Aggregate>(
        &self,
        stream: &StreamName,
        before: i64,
        folded: &Folded<A>,
    ) {
        let Some(snapshots) = A::snapshots() else {
            return;
        };
        if snapshots.is_due(before, folded.version)
            && let Err(error) = self
                .store_snapshot(stream, folded.version, &folded.state, &snapshots)
                .await
        {
            not_stored(stream.as_str(), folded.version, &error);
        }
    }

    /// [`leave_snapshot`](Self::leave_snapshot), of a state that is folded for it: what the caller
    /// holds may be changed by other things than events.
    pub(super) async fn leave_snapshot_of<A: Aggregate>(&self, stream_id: &str, before: i64) {
        let left = async {
            let stream = StreamName::parse(stream_id)?;
            if let Some(folded) = self.fold_cached::<A>(stream_id).await? {
                self.leave_snapshot(&stream, before, &folded).await;
            }
            Ok::<(), EventStoreError>(())
        };
        if let Err(error) = left.await {
            not_stored(stream_id, before, &error);
        }
    }

    async fn store_snapshot<A: Aggregate>(
        &self,
        stream: &StreamName,
        version: i64,
        state: &A,
        snapshots: &Snapshots<A>,
    ) -> Result<(), EventStoreError> {
        let state = (snapshots.encode)(state)
            .map_err(|source| super::append::serialization(stream, "snapshot", source))?;
        if super::append::has_nul(&state) {
            return Err(EventStoreError::NulCharacter {
                stream_id: stream.as_str().to_owned(),
                index: 0,
                event_type: "snapshot".to_owned(),
                part: "state",
            });
        }
        let (stream_id, kind) = (stream.as_str(), snapshots.version);
        DB::save_snapshot(&self.inner.db, stream_id, version, kind, &state).await
    }

    /// Where a fold of a stream that isn't cached starts.
    pub(super) async fn start<A: Aggregate>(
        &self,
        stream_id: &str,
        snapshots: Option<&Snapshots<A>>,
    ) -> Result<Folded<A>, EventStoreError> {
        let Some(snapshots) = snapshots else {
            return Ok(Folded::default());
        };
        let mut conn = self.inner.db.pool.acquire().await?;
        let stored = stored::<DB, A>(&mut conn, stream_id, snapshots).await?;
        Ok(stored.unwrap_or_default())
    }
}

fn not_stored(stream_id: &str, version: i64, error: &EventStoreError) {
    tracing::warn!(
        stream_id,
        version,
        error = error as &dyn std::error::Error,
        "the events are saved, but their snapshot is not"
    );
}

/// The stored snapshot of a stream, if it is one that this code can use.
pub(super) async fn stored<DB: Backend, A: Aggregate>(
    conn: &mut DB::Connection,
    stream_id: &str,
    snapshots: &Snapshots<A>,
) -> Result<Option<Folded<A>>, EventStoreError> {
    let Some(snapshot) = DB::load_snapshot(conn, stream_id).await? else {
        return Ok(None);
    };
    if snapshot.snapshot_version != snapshots.version {
        tracing::debug!(
            stream_id,
            found = snapshot.snapshot_version,
            wanted = snapshots.version,
            "ignoring a snapshot of another version"
        );
        return Ok(None);
    }
    if snapshot.version < 1 {
        tracing::warn!(
            stream_id,
            version = snapshot.version,
            "ignoring a snapshot of a version that no stream has"
        );
        return Ok(None);
    }
    match (snapshots.decode)(&snapshot.state) {
        Ok(state) => Ok(Some(Folded {
            state,
            version: snapshot.version,
            bytes: snapshot.state.len(),
        })),
        Err(error) => {
            tracing::warn!(
                stream_id,
                error = &error as &dyn std::error::Error,
                "ignoring a snapshot that can't be read"
            );
            Ok(None)
        }
    }
}
