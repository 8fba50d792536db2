//! How far the versions of a table are.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use crate::backend::table::{RawVersion, seconds};
use crate::backend::{Backend, Result};
use crate::error::EventStoreError;
use crate::store::EventStore;
use crate::table::TableProjection;
use crate::table::lookup::{Source, source};
use crate::table::version::{physical_table, version_id};

/// How long one version is waited for until it is asked again which one look-ups read.
const TURN: Duration = Duration::from_secs(1);

/// A table's versions, and how far each is.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TableStatus {
    /// The end of the log, up to where it may be read.
    pub head: i64,
    /// All versions that were ever run, the oldest first.
    pub versions: Vec<TableVersion>,
}

impl TableStatus {
    /// The version that serves: the view of the declared name shows its table.
    #[must_use]
    pub fn serving(&self) -> Option<&TableVersion> {
        self.versions.iter().find(|version| version.serving)
    }

    /// The version of this code, once a runner has started with it.
    #[must_use]
    pub fn own(&self) -> Option<&TableVersion> {
        self.versions.iter().find(|version| version.own)
    }
}

/// A version of a table, and how far it is.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TableVersion {
    /// Its subscription, with a lease and a checkpoint of its own.
    pub subscription_id: String,
    /// Its table.
    pub table: String,
    /// The order in which versions were first seen.
    pub generation: i64,
    /// Whether it is that of the code that asks.
    pub own: bool,
    /// Whether the view of the declared name shows it.
    pub serving: bool,
    /// Whether a worker leads it at the moment.
    pub live: bool,
    /// Up to where its table is complete; 0 when it was dropped.
    pub position: i64,
    /// How many positions it is behind the end of the log.
    pub lag: i64,
    /// How many positions it comes forward in a second, on average since a runner last started
    /// with it; `None` before the first.
    pub rate: Option<f64>,
    /// How long it will take to the end of the log at that rate; `None` where the rate says
    /// nothing, or nobody leads it.
    pub left: Option<Duration>,
    /// How many of its events are parked.
    pub parked: i64,
    /// Since when it has caught up.
    pub ready_at: Option<DateTime<Utc>>,
    /// When another version took its place.
    pub retired_at: Option<DateTime<Utc>>,
    /// When its table was dropped.
    pub dropped_at: Option<DateTime<Utc>>,
    /// What it lacks to go on: the error that stopped its leader, or that it meets for now, or that
    /// nobody leads it though it is behind, and serves or is newer than the one that does; what kept
    /// it from being swapped in, or a retired table from being dropped, when it was last tried.
    pub hindrance: Option<String>,
}

/// How far the versions of a projection's table are.
///
/// # Errors
///
/// [`EventStoreError::Database`](crate::EventStoreError::Database).
///
/// # Cancel safety
///
/// A read; dropping it has no effect.
pub async fn status<P: TableProjection, DB: Backend>(
    store: &EventStore<DB>,
) -> Result<TableStatus> {
    let mut conn = store.pool().acquire().await?;
    // In this order, or a checkpoint that moves in between would be ahead of the head.
    let versions = DB::table_versions(&mut conn, P::TABLE.subscription).await?;
    let head = DB::safe_head(&mut conn).await?.position;
    let own = P::TABLE.version();
    let serving = versions.iter().find(|version| version.serving);
    let serving = serving.map(|version| version.generation);
    let versions = versions
        .into_iter()
        .map(|version| described(P::TABLE.subscription, &own, head, serving, version))
        .collect();
    Ok(TableStatus { head, versions })
}

/// `serving` is the generation of the version that serves.
fn described(
    subscription: &str,
    own: &str,
    head: i64,
    serving: Option<i64>,
    version: RawVersion,
) -> TableVersion {
    let dropped = version.dropped_at.is_some();
    // The checkpoint of a table that was dropped says nothing.
    let position = version.position.filter(|_| !dropped).unwrap_or(0);
    let lag = (head - position).max(0);
    #[allow(clippy::cast_precision_loss)]
    let rate = match (version.measured, version.measured_seconds) {
        (Some(positions), Some(seconds)) if positions > 0 && seconds > 0.0 && !dropped => {
            Some(positions as f64 / seconds)
        }
        _ => None,
    };
    #[allow(clippy::cast_precision_loss)]
    let left = match rate {
        _ if dropped => None,
        _ if lag == 0 => Some(Duration::ZERO),
        Some(rate) if version.live => Some(seconds(lag as f64 / rate)),
        _ => None,
    };
    // A retired one needs no leader, nor one that was given up before it came to serve.
    let needed =
        version.retired_at.is_none() && serving.is_none_or(|serving| version.generation >= serving);
    let nobody = needed && !version.live && lag > 0 && !dropped;
    let hindrance = match version.hindrance {
        hindrance if !nobody => hindrance,
        None => Some("nobody leads it; start a runner of this version".to_owned()),
        Some(last) => Some(format!("nobody leads it; what hindered it last: {last}")),
    };
    TableVersion {
        subscription_id: version_id(subscription, &version.fingerprint),
        table: physical_table(&version.table_name, &version.fingerprint),
        generation: version.generation,
        own: version.fingerprint == own,
        serving: version.serving,
        live: version.live,
        position,
        lag,
        rate,
        left,
        parked: version.parked,
        ready_at: version.ready_at,
        retired_at: version.retired_at,
        dropped_at: version.dropped_at,
        hindrance,
    }
}

/// Waits until what look-ups of this code read shows everything up to `position`.
///
/// While look-ups read the version that serves, that one is waited for. When this code's columns are
/// others, a look-up still answers
/// [`EventStoreError::TableNotReady`](crate::EventStoreError::TableNotReady) then: until the swap,
/// which [`status`] shows coming.
///
/// # Errors
///
/// As [`EventStore::wait_for`].
///
/// # Cancel safety
///
/// A read; dropping it has no effect.
pub async fn wait_for<P: TableProjection, DB: Backend>(
    store: &EventStore<DB>,
    position: i64,
    timeout: Duration,
) -> Result<()> {
    let own = P::TABLE.subscription_id();
    let asked = Instant::now();
    loop {
        let reads_own = source::<P, DB>(store).await? == Source::Own;
        let id = if reads_own {
            &*own
        } else {
            P::TABLE.subscription
        };
        // Look-ups may turn to this code's own version meanwhile, and then it is that one's turn.
        let left = timeout.saturating_sub(asked.elapsed());
        let waited = store.wait_for(id, position, left.min(TURN)).await;
        let again = match &waited {
            Ok(()) => !reads_own && source::<P, DB>(store).await? == Source::Own,
            Err(EventStoreError::Timeout { .. }) => left > TURN,
            Err(_) => false,
        };
        if again {
            continue;
        }
        return waited.map_err(|error| match error {
            EventStoreError::Timeout { what, .. } => EventStoreError::Timeout {
                what,
                waited: timeout,
            },
            error => error,
        });
    }
}
