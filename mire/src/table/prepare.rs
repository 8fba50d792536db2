//! Before a runner starts: the version is registered, its table created or checked, and, when
//! nothing serves yet, shown under the declared name. All in one transaction that holds the
//! registry's row, so any number of replicas may start at once.

use std::fmt::Write as _;

use crate::backend::table::{RawVersion, Relation, indexes, quoted};
use crate::backend::{Backend, Result};
use crate::error::EventStoreError;
use crate::table::TableDef;
use crate::table::version::{physical_table, version_id};

/// Makes a version's table ready to be kept.
pub(crate) async fn prepare<DB: Backend>(conn: &mut DB::Connection, def: &TableDef) -> Result<()> {
    def.check()?;
    let (subscription, own) = (def.subscription, def.version());
    DB::lock_table(conn, subscription).await?;
    let versions = DB::table_versions(conn, subscription).await?;
    let known = versions.iter().find(|version| version.fingerprint == own);
    match known {
        Some(known) if known.table_name != def.table => {
            return Err(EventStoreError::TableMismatch {
                table: def.table.to_owned(),
                differences: format!(
                    "version {own} of subscription `{subscription}` was registered with the table \
                     `{}`; give the changed declaration another fingerprint",
                    known.table_name,
                ),
            });
        }
        Some(_) => {}
        None => DB::register_version(conn, subscription, &own, def.table).await?,
    }

    let table = def.physical_table();
    let found = DB::relation(conn, &table).await?;
    match found {
        None => create::<DB>(conn, def, &table).await?,
        Some(Relation::Table) => check::<DB>(conn, def, &table).await?,
        Some(_) => return Err(in_use(&table, "is no table; rename or drop it")),
    }
    // Nobody followed the log for it meanwhile: it is behind until it has caught up once more.
    if known.is_some_and(|known| !known.serving && !known.live) {
        DB::version_ready(conn, subscription, &own, false).await?;
    }
    DB::version_prepared(conn, subscription, &own).await?;
    show::<DB>(conn, def, &versions, found.is_none()).await
}

/// A new table starts at the beginning of the log, whatever checkpoint there is: one that came with
/// a copy of the log, or is left of a table that was dropped, says nothing about this table.
async fn create<DB: Backend>(conn: &mut DB::Connection, def: &TableDef, table: &str) -> Result<()> {
    for (index, _) in indexes(table, def.columns) {
        if let Some(other) = DB::index_table(conn, &index).await? {
            return Err(renamed(table, &index, &other));
        }
    }
    DB::create_table(conn, table, def.columns).await?;
    DB::version_ready(conn, def.subscription, &def.version(), false).await?;
    let id = def.subscription_id();
    let token = DB::revoke_lease(conn, &id).await?;
    DB::reset_checkpoint(conn, &id, 0, token.unwrap_or(0)).await?;
    DB::forget_parked_after(conn, &id, 0).await?;
    Ok(())
}

/// The error about a table that somebody renamed: its indexes kept their names.
fn renamed(table: &str, index: &str, other: &str) -> EventStoreError {
    let (from, to) = (quoted(other), quoted(table));
    EventStoreError::TableMismatch {
        table: table.to_owned(),
        differences: format!(
            "it is gone, and its index `{index}` is on the table `{other}`, as after a change of \
             names by hand; undo that (`ALTER TABLE {from} RENAME TO {to}`), or drop `{other}` (on \
             PostgreSQL `DROP TABLE {from} CASCADE`, with the view that shows it): the table is made \
             again, from the log"
        ),
    }
}

/// Holds a table against its declaration, and says all that differs.
async fn check<DB: Backend>(conn: &mut DB::Connection, def: &TableDef, table: &str) -> Result<()> {
    let found = DB::table_columns(conn, table).await?;
    let mut differences = String::new();
    let mut differs = |what: std::fmt::Arguments<'_>| {
        let _ = write!(differences, "{what}; ");
    };
    for column in def.columns {
        let name = column.name();
        let Some(found) = found.iter().find(|found| found.name == name) else {
            differs(format_args!("the column `{name}` is missing"));
            continue;
        };
        let type_name = DB::type_name(column);
        if found.type_name != type_name {
            let is = &found.type_name;
            differs(format_args!(
                "the column `{name}` is of type {is}, declared is {type_name}"
            ));
        }
        if found.not_null == column.is_nullable() {
            let (is, declared) = if column.is_nullable() {
                ("NOT NULL", "that it may be NULL")
            } else {
                ("nullable", "NOT NULL")
            };
            differs(format_args!(
                "the column `{name}` is {is}, declared is {declared}"
            ));
        }
        if found.is_key != column.is_key() {
            let is = if found.is_key { "is" } else { "is not" };
            differs(format_args!("the column `{name}` {is} the primary key"));
        }
        if column.is_indexed() && !found.is_indexed {
            differs(format_args!("the column `{name}` has no index"));
        }
    }
    for found in &found {
        let declared = def.columns.iter().any(|column| column.name() == found.name);
        if !declared {
            differs(format_args!("the column `{}` is not declared", found.name));
        }
    }
    if differences.is_empty() {
        return Ok(());
    }
    Err(EventStoreError::TableMismatch {
        table: table.to_owned(),
        differences: format!(
            "{differences}undo the change, or drop the table together with its view (on \
             PostgreSQL `DROP TABLE {} CASCADE`) and start again: it is rebuilt from the log",
            quoted(table),
        ),
    })
}

/// Sees to the view of the declared name: it shows the version that serves, and that is this one
/// when there is none. When the table was just `created`, the view may show what was in its place.
async fn show<DB: Backend>(
    conn: &mut DB::Connection,
    def: &TableDef,
    versions: &[RawVersion],
    created: bool,
) -> Result<()> {
    let serving = versions.iter().find(|version| version.serving);
    let (view, table) = match serving {
        None => (def.table, def.physical_table()),
        Some(serving) => (
            &*serving.table_name,
            physical_table(&serving.table_name, &serving.fingerprint),
        ),
    };
    match (DB::relation(conn, view).await?, serving) {
        (Some(Relation::View), Some(serving)) => {
            if created && serving.fingerprint == def.version() {
                DB::point_view(conn, view, &table).await?;
            }
            Ok(())
        }
        (Some(_), _) => Err(taken::<DB>(conn, def, view).await?),
        (None, _) => {
            if serving.is_none() {
                DB::serve_version(conn, def.subscription, &def.version()).await?;
            }
            // The table that serves may have been dropped by hand; its own code makes it again.
            if DB::relation(conn, &table).await?.is_none() {
                let id = serving.map(|serving| version_id(def.subscription, &serving.fingerprint));
                tracing::warn!(view, table, subscription_id = id, "the table is gone");
                return Ok(());
            }
            DB::point_view(conn, view, &table).await
        }
    }
}

/// The error about a name that is taken: whose it is, and the mend.
pub(crate) async fn taken<DB: Backend>(
    conn: &mut DB::Connection,
    def: &TableDef,
    name: &str,
) -> Result<EventStoreError> {
    let owner = DB::table_owner(conn, name, def.subscription).await?;
    Ok(match owner {
        Some(owner) => EventStoreError::TableMismatch {
            table: name.to_owned(),
            differences: format!(
                "subscription `{owner}` keeps a table of this name; give the one of `{}` another \
                 name (`table = \"…\"`), or, if no code declares `{owner}` any more, because it was \
                 renamed, call `mire::table::remove(&store, \"{owner}\")`, which drops its tables",
                def.subscription,
            ),
        },
        None => in_use(
            name,
            "is not mire's; rename it, or give the projection's table another name (on PostgreSQL a \
             name is that of any schema in `search_path`)",
        ),
    })
}

fn in_use(table: &str, why: &str) -> EventStoreError {
    EventStoreError::TableMismatch {
        table: table.to_owned(),
        differences: format!("what has this name in the database {why}"),
    }
}
