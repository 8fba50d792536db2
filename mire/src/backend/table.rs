//! The third part of the seam: tables of projections, and the registry of their versions.

use crate::column::{ColumnError, ColumnKind, ColumnValue};

/// A row of a query's answer: `PgRow` or `SqliteRow`, as far as their features are on. It can't be
/// implemented outside mire.
pub trait Row: sqlx::Row {
    #[doc(hidden)]
    fn index_of(&self, column: &str) -> Result<usize, ColumnError>;
    #[doc(hidden)]
    fn stored(&self, index: usize, kind: ColumnKind) -> Result<ColumnValue, ColumnError>;
}
