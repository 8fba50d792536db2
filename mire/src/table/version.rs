//! Names of versions, and what a declaration must keep to.

use std::collections::HashSet;

use crate::column::ColumnDef;
use crate::error::EventStoreError;
use crate::table::TableDef;

/// The longest name of a table, in bytes. PostgreSQL cuts names at 63, and tables of versions and
/// their indexes are named after it.
pub const MAX_TABLE_BYTES: usize = 48;

/// The longest name of a column, in bytes.
pub const MAX_COLUMN_BYTES: usize = 63;

/// Columns that a row has already, on either backend.
const SYSTEM_COLUMNS: [&str; 9] = [
    "tableoid", "xmin", "cmin", "xmax", "cmax", "ctid", "rowid", "oid", "_rowid_",
];

/// Columns that belong to the runtime.
const RESERVED_PREFIX: &str = "mire_";

/// Tables that belong to the runtime and to the databases.
const RESERVED_TABLES: [&str; 3] = [RESERVED_PREFIX, "pg_", "sqlite_"];

impl TableDef {
    /// The fingerprint as it stands in names: eight hexadecimal digits.
    #[must_use]
    pub fn version(&self) -> String {
        format!("{:08x}", self.fingerprint)
    }

    /// The subscription that keeps this version's table: with its own lease and checkpoint.
    #[must_use]
    pub fn subscription_id(&self) -> String {
        version_id(self.subscription, &self.version())
    }

    /// The table of this version. The one that serves is also there under the declared name, as a
    /// view.
    #[must_use]
    pub fn physical_table(&self) -> String {
        physical_table(self.table, &self.version())
    }

    /// The place of the key among the columns.
    pub(crate) fn key_index(&self) -> usize {
        crate::backend::table::key_index(self.columns)
    }

    pub(crate) fn key(&self) -> &'static ColumnDef {
        &self.columns[self.key_index()]
    }

    /// Looks for what no database could hold, or what means two things.
    pub(crate) fn check(&self) -> Result<(), EventStoreError> {
        let table = self.table;
        let mend = name_problem(table, MAX_TABLE_BYTES);
        if let Some(problem) = mend {
            return Err(self.invalid(format!("its name {problem}")));
        }
        let reserved = RESERVED_TABLES.iter().find(|it| starts_with(table, it));
        if let Some(prefix) = reserved {
            return Err(self.invalid(format!(
                "names that begin with `{prefix}` are reserved; use another one"
            )));
        }
        let keys = self.columns.iter().filter(|column| column.is_key()).count();
        if keys != 1 {
            return Err(self.invalid(format!("it has {keys} key columns; mark exactly one")));
        }
        let mut names = HashSet::new();
        for column in self.columns {
            let name = column.name();
            if let Some(problem) = name_problem(name, MAX_COLUMN_BYTES) {
                return Err(self.invalid(format!("the column `{name}` {problem}")));
            }
            let lower = name.to_ascii_lowercase();
            if SYSTEM_COLUMNS.contains(&&*lower) {
                return Err(self.invalid(format!(
                    "every row of PostgreSQL or SQLite has a column `{name}` already; use another \
                     name"
                )));
            }
            if starts_with(name, RESERVED_PREFIX) {
                return Err(self.invalid(format!(
                    "the column `{name}`: names that begin with `mire_` are reserved; use another \
                     one"
                )));
            }
            if !names.insert(lower) {
                return Err(self.invalid(format!(
                    "two columns are called `{name}`, where capitals don't count; rename one"
                )));
            }
        }
        Ok(())
    }

    fn invalid(&self, reason: String) -> EventStoreError {
        EventStoreError::InvalidTable {
            table: self.table.to_owned(),
            reason,
        }
    }
}

fn starts_with(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

fn name_problem(name: &str, max: usize) -> Option<String> {
    if name.is_empty() {
        Some("is empty; give it one".to_owned())
    } else if name.len() > max {
        Some(format!("is longer than {max} bytes; use a shorter one"))
    } else if name.chars().any(char::is_control) {
        Some("has a control character; use printable ones".to_owned())
    } else {
        None
    }
}

/// The subscription of a version.
pub(crate) fn version_id(subscription: &str, fingerprint: &str) -> String {
    format!("{subscription}@{fingerprint}")
}

/// The table of a version.
pub(crate) fn physical_table(table: &str, fingerprint: &str) -> String {
    format!("{table}__{fingerprint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: ColumnDef = ColumnDef::of::<i64>("id").key();

    fn def(table: &'static str, columns: &'static [ColumnDef]) -> TableDef {
        TableDef {
            subscription: "s",
            table,
            fingerprint: 0xab,
            categories: &["account"],
            columns,
        }
    }

    #[test]
    fn versions_are_named_after_the_fingerprint() {
        let def = def("balances", &[KEY]);
        assert_eq!(def.subscription_id(), "s@000000ab");
        assert_eq!(def.physical_table(), "balances__000000ab");
        assert!(def.check().is_ok());
    }

    #[test]
    fn declarations_that_no_database_could_hold_are_refused() {
        const TWO: &[ColumnDef] = &[KEY, ColumnDef::of::<i64>("other").key()];
        const NONE: &[ColumnDef] = &[ColumnDef::of::<i64>("id")];
        const TWICE: &[ColumnDef] = &[KEY, ColumnDef::of::<bool>("Id")];
        const SYSTEM: &[ColumnDef] = &[KEY, ColumnDef::of::<bool>("xmin")];
        const ROWID: &[ColumnDef] = &[KEY, ColumnDef::of::<bool>("RowId")];
        const RESERVED: &[ColumnDef] = &[KEY, ColumnDef::of::<bool>("mire_at")];
        for (table, columns, reason) in [
            ("", &[KEY][..], "its name is empty"),
            ("a table\n", &[KEY], "control character"),
            (
                "a23456789a23456789a23456789a23456789a23456789a2345",
                &[KEY],
                "longer than 48 bytes",
            ),
            ("Mire_x", &[KEY], "begin with `mire_`"),
            ("sqlite_x", &[KEY], "begin with `sqlite_`"),
            ("t", TWO, "has 2 key columns"),
            ("t", NONE, "has 0 key columns"),
            ("t", TWICE, "two columns are called `Id`"),
            ("t", SYSTEM, "column `xmin` already"),
            ("t", ROWID, "column `RowId` already"),
            ("t", RESERVED, "the column `mire_at`"),
        ] {
            let error = def(table, columns).check().unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
