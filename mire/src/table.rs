//! Table projections: a row type that is folded from events and kept in a table.

mod projection;

pub use crate::backend::table::Row;
pub use crate::column::{
    ColumnDef, ColumnError, ColumnKind, ColumnType, Json, NotNull, RowReader, RowWriter,
    StoredColumn,
};
pub use projection::{Delivery, TableDef, TableProjection, from_row};
