//! What the leader of a version does when it has caught up: swap its table in, and drop what was
//! retired long ago. See [`crate::table`] for the states.
//!
//! All of it happens in a transaction that locks the registry's row first and ends with the fenced
//! checkpoint. Folding stands still meanwhile, so no lock is waited for longer than a moment, and the
//! registry's, which every replica takes, not at all. What may fail for a reason of the user's own
//! (somebody reads the view for minutes, a view of theirs depends on it) stands behind a savepoint: it
//! is noted as the version's *hindrance*, said aloud, and tried again.

use std::time::Duration;

use sqlx::Connection as _;

use crate::backend::table::{RawVersion, Relation};
use crate::backend::{Backend, Result};
use crate::error::{DbErrorKind, EventStoreError, told};
use crate::table::TableDef;
use crate::table::prepare::taken;
use crate::table::version::{physical_table, version_id};

/// How often the leader looks after its table when all is as it should be, and how soon it tries a
/// swap again that could not be made.
const REGULAR: Duration = Duration::from_secs(30);
pub(crate) const SOON: Duration = Duration::from_millis(100);
const HINDERED: Duration = Duration::from_secs(5);

/// The times that decide over versions; see the runner's builder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Upkeep {
    /// For how long a version that doesn't serve must have been without a leader until its table
    /// is dropped.
    pub(crate) drop_after: Duration,
    /// For how long the version that serves must have been without a leader until an older one
    /// takes its place.
    pub(crate) take_over_after: Duration,
}

/// What a look after a table came to.
enum Found {
    /// All is as it should be.
    Order,
    /// The version that serves is ahead.
    Behind,
    /// Something stands in the way.
    Hindered(String),
}

impl From<Option<String>> for Found {
    fn from(hindrance: Option<String>) -> Self {
        hindrance.map_or(Self::Order, Self::Hindered)
    }
}

/// Does what is due, and answers when to look again; `None` when somebody else has the registry, and
/// nothing was done.
pub(crate) async fn upkeep<DB: Backend>(
    conn: &mut DB::Connection,
    def: &TableDef,
    up_to: i64,
    times: &Upkeep,
) -> Result<Option<Duration>> {
    let (subscription, own) = (def.subscription, def.version());
    if !DB::try_lock_table(conn, subscription).await? {
        return Ok(None);
    }
    let versions = DB::table_versions(conn, subscription).await?;
    let Some(version) = versions.iter().find(|version| version.fingerprint == own) else {
        // Someone emptied the registry; the next start registers it again.
        return Ok(Some(REGULAR));
    };
    let found = look_after::<DB>(conn, def, up_to, times, &versions, version).await?;
    let (hindrance, again) = match found {
        Found::Order => (None, REGULAR),
        Found::Behind => (None, SOON),
        Found::Hindered(hindrance) => (Some(hindrance), HINDERED),
    };
    if let Some(hindrance) = &hindrance {
        tracing::warn!(
            subscription_id = version_id(subscription, &own),
            hindrance,
            "a table can't be swapped in or dropped; trying again",
        );
    }
    if hindrance != version.hindrance {
        DB::version_hindrance(conn, subscription, &own, hindrance.as_deref()).await?;
    }
    // An older version looks more often, so that it takes over when it should.
    Ok(Some(
        again
            .min(times.take_over_after.max(SOON))
            .min(times.drop_after.max(SOON)),
    ))
}

/// Does what is due for a version, in the registry that is locked.
async fn look_after<DB: Backend>(
    conn: &mut DB::Connection,
    def: &TableDef,
    up_to: i64,
    times: &Upkeep,
    versions: &[RawVersion],
    version: &RawVersion,
) -> Result<Found> {
    let (subscription, own) = (def.subscription, &version.fingerprint);
    let table = def.physical_table();
    // Dropped by hand. SQLite lets a view show what is not there.
    if DB::relation(conn, &table).await?.is_none() {
        return Err(EventStoreError::TableMismatch {
            table,
            differences: "it is gone; its leader makes it again, from the log".to_owned(),
        });
    }
    let serving = versions.iter().find(|version| version.serving);
    if version.ready_at.is_none() {
        // From now on look-ups read it, and may see no less than they did.
        if !version.serving
            && let Some(not_yet) = not_ahead::<DB>(conn, def, serving, up_to).await?
        {
            return Ok(not_yet);
        }
        DB::version_ready(conn, subscription, own, true).await?;
    }
    if version.serving {
        restore_view::<DB>(conn, def, &table).await?;
        return Ok(drop_retired::<DB>(conn, subscription, versions, times)
            .await?
            .into());
    }
    if !is_due(version, serving, times) {
        return Ok(Found::Order);
    }
    if version.parked > 0 {
        return Ok(Found::Hindered(format!(
            "{} of its events are parked: `retry_parked` or `drop_parked` them, under \
             `{}`",
            version.parked,
            version_id(subscription, own),
        )));
    }
    if let Some(not_yet) = not_ahead::<DB>(conn, def, serving, up_to).await? {
        return Ok(not_yet);
    }
    Ok(swap::<DB>(conn, def, versions).await?.into())
}

/// A newer version takes the place of the one that serves at once; an older one, whose code was
/// rolled back, only after nobody has led that one for a while. So two of them never take turns
/// while both run.
fn is_due(version: &RawVersion, serving: Option<&RawVersion>, times: &Upkeep) -> bool {
    serving.is_none_or(|serving| {
        version.generation > serving.generation
            || serving.idle_seconds > times.take_over_after.as_secs_f64()
    })
}

/// What keeps the version from being as far as the one that serves, so that no reader sees the table
/// go back; `None` when it is. That one's checkpoint stays locked until the swap is done or given up.
async fn not_ahead<DB: Backend>(
    conn: &mut DB::Connection,
    def: &TableDef,
    serving: Option<&RawVersion>,
    up_to: i64,
) -> Result<Option<Found>> {
    let Some(serving) = serving else {
        return Ok(None);
    };
    if serving.position.is_some_and(|position| position > up_to) {
        return Ok(Some(Found::Behind));
    }
    let id = version_id(def.subscription, &serving.fingerprint);
    let mut savepoint = conn.begin().await?;
    match DB::lock_checkpoint(&mut savepoint, &id).await {
        Ok(position) => {
            savepoint.commit().await?;
            let behind = position.is_some_and(|position| position > up_to);
            Ok(behind.then_some(Found::Behind))
        }
        Err(error) if error.db_kind() == Some(DbErrorKind::LockTimeout) => {
            savepoint.rollback().await?;
            Ok(Some(Found::Hindered(format!(
                "a transaction that doesn't end holds the checkpoint of the version that serves, \
                 `{id}`; if the process of its leader was stopped, end it"
            ))))
        }
        Err(error) => Err(error),
    }
}

/// Swaps the version's table in, or answers what hinders it.
async fn swap<DB: Backend>(
    conn: &mut DB::Connection,
    def: &TableDef,
    versions: &[RawVersion],
) -> Result<Option<String>> {
    let table = def.physical_table();
    let is_ours = shown(versions, def.table).is_some();
    let mut savepoint = conn.begin().await?;
    let shown = async {
        if let Some(other) = DB::relation(&mut savepoint, def.table).await?
            && !(is_ours && other == Relation::View)
        {
            return Err(taken::<DB>(&mut savepoint, def, def.table).await?);
        }
        DB::point_view(&mut savepoint, def.table, &table).await?;
        DB::serve_version(&mut savepoint, def.subscription, &def.version()).await
    };
    match shown.await {
        Ok(()) => {
            savepoint.commit().await?;
            tracing::info!(
                view = def.table,
                table,
                "a rebuilt table serves from now on"
            );
            Ok(None)
        }
        Err(error) => {
            savepoint.rollback().await?;
            Ok(Some(why::<DB>(conn, &error, &[def.table]).await?))
        }
    }
}

/// Why a change of these views and tables failed: the error, and who holds the lock it waited for.
async fn why<DB: Backend>(
    conn: &mut DB::Connection,
    error: &EventStoreError,
    relations: &[&str],
) -> Result<String> {
    let mut why = told(error);
    if error.db_kind() == Some(DbErrorKind::LockTimeout) {
        for relation in relations {
            for holder in DB::lock_holders(conn, relation).await? {
                why.push_str(&format!("; `{relation}` is in use by {holder}"));
            }
        }
    }
    Ok(why)
}

/// The version whose table the view of a declared name shows, if the view is the projection's: the
/// one that serves, or the last that did so under a name that is declared no longer.
fn shown<'v>(versions: &'v [RawVersion], name: &str) -> Option<&'v RawVersion> {
    versions
        .iter()
        .filter(|version| version.table_name == name && version.dropped_at.is_none())
        .filter(|version| version.serving || version.retired_at.is_some())
        .max_by_key(|version| (version.serving, version.retired_at))
}

/// A view that was dropped by hand comes back; but not over a table that is gone as well, where it
/// would stand in the way of whoever brings that back.
async fn restore_view<DB: Backend>(
    conn: &mut DB::Connection,
    def: &TableDef,
    table: &str,
) -> Result<()> {
    let is_due = DB::relation(conn, def.table).await?.is_none()
        && DB::relation(conn, table).await?.is_some();
    if is_due {
        DB::point_view(conn, def.table, table).await?;
    }
    Ok(())
}

/// Drops the tables of versions that have long had neither readers to serve nor a leader.
async fn drop_retired<DB: Backend>(
    conn: &mut DB::Connection,
    subscription: &str,
    versions: &[RawVersion],
    times: &Upkeep,
) -> Result<Option<String>> {
    let mut hindrance = None;
    for version in versions {
        let keep = version.serving
            || version.dropped_at.is_some()
            // Below zero while it is led.
            || version.idle_seconds <= times.drop_after.as_secs_f64();
        if keep {
            continue;
        }
        let table = physical_table(&version.table_name, &version.fingerprint);
        let mut savepoint = conn.begin().await?;
        match drop_version::<DB>(&mut savepoint, subscription, versions, version).await {
            Ok(()) => {
                savepoint.commit().await?;
                tracing::info!(table, "dropped the table of a retired version");
            }
            Err(error) => {
                savepoint.rollback().await?;
                let why = why::<DB>(conn, &error, &[&version.table_name, &table]).await?;
                hindrance = Some(format!("the retired table `{table}`: {why}"));
            }
        }
    }
    Ok(hindrance)
}

/// Drops the table of a version, with the view that shows it: that of a declared name which is no
/// longer used.
pub(crate) async fn drop_version<DB: Backend>(
    conn: &mut DB::Connection,
    subscription: &str,
    versions: &[RawVersion],
    version: &RawVersion,
) -> Result<()> {
    let view = &version.table_name;
    let own_view =
        shown(versions, view).is_some_and(|shown| shown.fingerprint == version.fingerprint);
    if own_view && DB::relation(conn, view).await? == Some(Relation::View) {
        DB::drop_view(conn, view).await?;
    }
    DB::drop_table(conn, &physical_table(view, &version.fingerprint)).await?;
    DB::version_dropped(conn, subscription, &version.fingerprint).await
}

/// The longest text that is kept.
const MAX_HINDRANCE_BYTES: usize = 4096;

/// Notes what hinders a version's leader, or that nothing does.
pub(crate) async fn note<DB: Backend>(
    conn: &mut DB::Connection,
    def: &TableDef,
    hindrance: Option<&str>,
) -> Result<()> {
    if hindrance.is_some() {
        DB::lock_table(conn, def.subscription).await?;
    } else if !DB::try_lock_table(conn, def.subscription).await? {
        // There is time for it later, and folding would stand still meanwhile.
        return Err(EventStoreError::Timeout {
            what: format!("the lock on the registry of `{}`", def.subscription),
            waited: Duration::ZERO,
        });
    }
    let hindrance = hindrance.map(|text| {
        // PostgreSQL has no place for a NUL.
        text[..text.floor_char_boundary(MAX_HINDRANCE_BYTES)].replace('\0', "\u{fffd}")
    });
    DB::version_hindrance(conn, def.subscription, &def.version(), hindrance.as_deref()).await
}
