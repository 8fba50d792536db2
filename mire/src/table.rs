//! Table projections: a row type that is folded from events and kept in a table.

mod fold;
mod lookup;
mod prepare;
mod projection;
mod rebuild;
mod runner;
mod status;
mod version;

pub use crate::backend::table::Row;
pub use crate::column::{
    ColumnDef, ColumnError, ColumnKind, ColumnType, Json, NotNull, RowReader, RowWriter,
    StoredColumn,
};
pub use lookup::{by_index, by_index_range, get, get_many, list};
pub use projection::{Delivery, TableDef, TableProjection, from_row};
pub use runner::runner;
pub use status::{TableStatus, TableVersion, status, wait_for};
pub use version::{MAX_COLUMN_BYTES, MAX_TABLE_BYTES};
