//! Removing the tables of a subscription that no code declares any more.

use crate::backend::{Backend, Result, TxLimits};
use crate::error::{EventStoreError, is_depended_on, told};
use crate::store::EventStore;
use crate::table::rebuild::drop_version;

/// Drops the tables of a subscription, of all versions, and the view that shows them.
///
/// Nobody else does so: the tables of a version go once another version of the same subscription
/// serves. When the subscription itself was renamed or its code deleted, they stay, and so does the
/// view, which shows what it showed last. A renamed subscription that keeps its table's name can't
/// start before this is done; it then builds its table from the start of the log, and shows it at
/// once. To have readers see the old rows meanwhile, give it another table.
///
/// ```no_run
/// # async fn example(store: mire::EventStore) -> Result<(), mire::EventStoreError> {
/// // `desk` is called `help-desk` now.
/// mire::table::remove(&store, "desk").await?;
/// # Ok(())
/// # }
/// ```
///
/// Code that still declares it builds its table again when its runner starts. From here on the name may
/// be that of a subscription without a table, which a runner refuses before.
///
/// # Errors
///
/// [`EventStoreError::InvalidArgument`] for a subscription that never kept a table, and for one that
/// a worker leads; [`EventStoreError::TableInUse`] on PostgreSQL for a view of your own that reads the
/// table, and [`EventStoreError::Database`].
///
/// # Cancel safety
///
/// Dropped before the commit, nothing happened.
pub async fn remove<DB: Backend>(store: &EventStore<DB>, subscription: &str) -> Result<()> {
    let refused = |value: String, mend| EventStoreError::InvalidArgument {
        name: "the subscription whose tables are removed",
        value,
        mend,
    };
    let mut tx = DB::begin(store.db(), TxLimits::of(store.db())).await?;
    let conn = &mut tx.tx;
    // Before it is locked, since that registers it.
    if DB::table_versions(conn, subscription).await?.is_empty() {
        return Err(refused(
            format!("`{}`, which keeps none", crate::error::shown(subscription)),
            "pass the name that its code declared, without a version",
        ));
    }
    DB::lock_table(conn, subscription).await?;
    let versions = DB::table_versions(conn, subscription).await?;
    if versions.iter().any(|version| version.live) {
        return Err(refused(
            format!("`{subscription}`, which a worker leads"),
            "stop its runner, or wait until the lease of a killed one has expired",
        ));
    }
    for version in versions.iter().filter(|it| it.dropped_at.is_none()) {
        let dropped = drop_version::<DB>(conn, subscription, &versions, version).await;
        dropped.map_err(|error| match is_depended_on(&error) {
            true => EventStoreError::TableInUse {
                table: version.table_name.clone(),
                reason: told(&error),
            },
            false => error,
        })?;
    }
    DB::serve_none(conn, subscription).await?;
    tx.commit().await
}
