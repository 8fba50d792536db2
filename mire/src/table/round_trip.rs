//! Values as the table gives them back, without asking it.
//!
//! Some are changed by being stored: a time is cut to microseconds, a type of the user's own may
//! round. A page loads a row once and folds many events into it, so what one event leaves is written
//! and read here before the next one sees it; else the row would depend on where pages end. A row of
//! columns that change nothing is left as it is.

use std::cell::RefCell;

use crate::column::{
    ColumnError, ColumnKind, ColumnType, ColumnValue, ColumnVec, RowReader, RowSource, RowWriter,
    StoredColumn,
};
use crate::table::{ColumnDef, TableProjection};

/// A key as it comes back.
pub(super) fn key<P: TableProjection>(key: &P::Key) -> Result<P::Key, ColumnError> {
    let back = || P::Key::from_stored(StoredColumn::from_value(key.to_stored()?.into_value()?)?);
    back().map_err(|error| error.of(P::TABLE.key().name()))
}

/// Columns for one row, which are used again for the next.
pub(super) struct RoundTrip {
    defs: &'static [ColumnDef],
    columns: RefCell<Vec<ColumnVec>>,
    /// Whether all columns give back what they were given.
    exact: bool,
}

impl RoundTrip {
    pub(super) fn of<P: TableProjection>() -> Self {
        let defs = P::TABLE.columns;
        let column = |def: &ColumnDef| ColumnVec::new(def.kind(), 1);
        Self {
            defs,
            columns: RefCell::new(defs.iter().map(column).collect()),
            exact: defs.iter().all(ColumnDef::is_exact),
        }
    }

    /// A row as it comes back.
    pub(super) fn row<P: TableProjection>(&mut self, row: P) -> Result<P, ColumnError> {
        if self.exact {
            return Ok(row);
        }
        let columns = self.columns.get_mut();
        columns.iter_mut().for_each(ColumnVec::clear);
        let mut writer = RowWriter::new(self.defs, columns);
        row.write(&mut writer)?;
        writer.finish()?;
        P::read(&mut RowReader::new(self.defs, self))
    }
}

impl RowSource for RoundTrip {
    fn value(&self, index: usize, _: ColumnKind) -> Result<ColumnValue, ColumnError> {
        let value = self
            .columns
            .borrow_mut()
            .get_mut(index)
            .and_then(ColumnVec::pop);
        value.ok_or_else(|| ColumnError::new("it was read already"))
    }
}
