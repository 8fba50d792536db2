//! What both backends ask of sqlx's migrator, whose bookkeeping stands in a table of our own: so it
//! never meets the user's `_sqlx_migrations`.

use sqlx::SqlSafeStr;
use sqlx::migrate::{AppliedMigration, MigrateError, Migration, MigrationType, Migrator};

use crate::error::EventStoreError;

pub(super) const TABLE: &str = "mire_migrations";

/// Number, description and SQL of each migration, in order. They are never edited once released, only
/// followed.
pub(super) type Migrations = &'static [(i64, &'static str, &'static str)];

/// A migrator that takes no lock: its caller has one.
pub(super) fn migrator(migrations: Migrations) -> Migrator {
    let migrations = migrations.iter().map(|(version, description, sql)| {
        Migration::new(
            *version,
            (*description).into(),
            MigrationType::Simple,
            sql.into_sql_str(),
            false,
        )
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    migrator.dangerous_set_table_name(TABLE);
    migrator.set_locking(false);
    // A newer release may have migrated while this one is being rolled out or back.
    migrator.set_ignore_missing(true);
    migrator
}

/// Whether all migrations are applied as they stand here. Migrations are only ever added, so that
/// stays true.
pub(super) fn are_applied(migrator: &Migrator, applied: &[AppliedMigration]) -> bool {
    migrator.iter().all(|migration| {
        let is_same = |it: &AppliedMigration| {
            it.version == migration.version && it.checksum == migration.checksum
        };
        applied.iter().any(is_same)
    })
}

/// What the database said, or what is amiss with the migrations themselves.
pub(super) fn described(error: MigrateError) -> EventStoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            EventStoreError::Database(error)
        }
        other => EventStoreError::Migration(Box::new(other)),
    }
}
