//! Loading from and saving with snapshots.

use futures_util::future::BoxFuture;

use super::EventStore;
use super::fold::Folded;
use crate::aggregate::{AggregateId, AggregateRoot, stream_name};
use crate::backend::Backend;
use crate::error::EventStoreError;
use crate::snapshot::{Snapshot, is_due};
use crate::stream::StreamName;

impl<DB: Backend> EventStore<DB> {
    /// [`load`](Self::load), starting from the stored snapshot where there is one that fits.
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
        let start = match self.inner.cache.copy::<A>(stream.as_str()) {
            Some(cached) => cached,
            None => {
                let mut conn = self.inner.db.pool.acquire().await?;
                let snapshot = stored::<DB, A>(&mut conn, stream.as_str()).await?;
                snapshot.unwrap_or_default()
            }
        };
        let folded = self.fold_fresh(stream.as_str(), start).await?;
        if let Some(folded) = &folded {
            self.inner.cache.keep_copy(stream.as_str(), folded);
        }
        Ok(folded)
    }

    /// [`save`](Self::save), and a snapshot when the save crosses a multiple of
    /// [`Snapshot::SNAPSHOT_FREQUENCY`].
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
    ) -> Result<(), EventStoreError> {
        let before = root.version;
        self.save(root).await?;
        if is_due::<A>(before, root.version)
            && let Err(error) = self.save_snapshot(root).await
        {
            tracing::warn!(
                stream_id = root.stream_id,
                version = root.version,
                error = &error as &dyn std::error::Error,
                "the events are saved, but their snapshot is not"
            );
        }
        Ok(())
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
        let state = super::append::json(&stream, "snapshot", &root.state)?;
        if super::append::has_nul(&state) {
            return Err(EventStoreError::NulCharacter {
                stream_id: stream.into_string(),
                index: 0,
                event_type: "snapshot".to_owned(),
                part: "state",
            });
        }
        let _turn = DB::turn(&self.inner.db).await?;
        let mut conn = self.inner.db.pool.acquire().await?;
        DB::save_snapshot(
            &mut conn,
            stream.as_str(),
            root.version,
            A::SNAPSHOT_VERSION,
            &state,
        )
        .await
    }
}

/// The stored snapshot of a stream, if it is one that this code can use.
pub(super) async fn stored<DB: Backend, A: Snapshot>(
    conn: &mut DB::Connection,
    stream_id: &str,
) -> Result<Option<Folded<A>>, EventStoreError> {
    let Some(snapshot) = DB::load_snapshot(conn, stream_id).await? else {
        return Ok(None);
    };
    if snapshot.snapshot_version != A::SNAPSHOT_VERSION {
        tracing::debug!(
            stream_id,
            found = snapshot.snapshot_version,
            wanted = A::SNAPSHOT_VERSION,
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
    match serde_json::from_slice(&snapshot.state) {
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
