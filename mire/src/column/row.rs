//! Writing a row's values into columns, and reading them back, in the order of the declaration.

use serde::{Serialize, de::DeserializeOwned};

use super::{
    ColumnDef, ColumnError, ColumnKind, ColumnType, ColumnValue, ColumnVec, Json, StoredColumn,
};

/// Takes the values of a row, one column after the other, as the table declares them.
#[derive(Debug)]
pub struct RowWriter<'a> {
    defs: &'static [ColumnDef],
    columns: &'a mut [ColumnVec],
    next: usize,
}

impl<'a> RowWriter<'a> {
    pub(crate) fn new(defs: &'static [ColumnDef], columns: &'a mut [ColumnVec]) -> Self {
        Self {
            defs,
            columns,
            next: 0,
        }
    }

    /// Writes the next column.
    ///
    /// # Errors
    ///
    /// When the value can't be stored, or the table has no further column, or one of another type.
    pub fn put<T: ColumnType>(&mut self, value: &T) -> Result<(), ColumnError> {
        let Some((def, column)) = self
            .defs
            .get(self.next)
            .zip(self.columns.get_mut(self.next))
        else {
            return Err(ColumnError::new(
                "the row has more values than the table has columns",
            ));
        };
        self.next += 1;
        let value = value
            .to_stored()
            .and_then(StoredColumn::into_value)
            .map_err(|error| error.of(def.name()))?;
        let fits = (def.is_nullable() || value != ColumnValue::Null) && column.push(value);
        if fits {
            return Ok(());
        }
        Err(wrong_type::<T>(def))
    }

    /// Writes the next column, as JSON.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put), and when the value has no JSON form.
    pub fn put_json<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), ColumnError> {
        let column = self.defs.get(self.next).map_or("", ColumnDef::name);
        let json = Json::of(value).map_err(|error| error.of(column))?;
        self.put(&json)
    }

    /// Checks that the row is complete.
    pub(crate) fn finish(self) -> Result<(), ColumnError> {
        match self.defs.get(self.next) {
            None => Ok(()),
            Some(def) => Err(ColumnError::new("the row has no value for it").of(def.name())),
        }
    }
}

/// Where a row's values come from.
pub trait RowSource {
    /// The value of a column, by its place.
    fn value(&self, index: usize, kind: ColumnKind) -> Result<ColumnValue, ColumnError>;
}

/// Gives the values of a row, one column after the other, as the table declares them.
pub struct RowReader<'a> {
    defs: &'static [ColumnDef],
    row: &'a dyn RowSource,
    next: usize,
}

impl std::fmt::Debug for RowReader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowReader")
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

impl<'a> RowReader<'a> {
    pub(crate) fn new(defs: &'static [ColumnDef], row: &'a dyn RowSource) -> Self {
        Self { defs, row, next: 0 }
    }

    /// Reads the next column.
    ///
    /// # Errors
    ///
    /// When the table has no such column, or one of another type.
    pub fn take<T: ColumnType>(&mut self) -> Result<T, ColumnError> {
        let Some(def) = self.defs.get(self.next) else {
            return Err(ColumnError::new(
                "more values are asked for than the table has columns",
            ));
        };
        if def.kind() != T::Stored::KIND {
            return Err(wrong_type::<T>(def));
        }
        let value = self.row.value(self.next, def.kind());
        self.next += 1;
        value
            .and_then(T::Stored::from_value)
            .and_then(T::from_stored)
            .map_err(|error| error.of(def.name()))
    }

    /// Reads the next column, from JSON.
    ///
    /// # Errors
    ///
    /// As [`take`](Self::take), and what serde reports when it is the form of no `T`.
    pub fn take_json<T: DeserializeOwned>(&mut self) -> Result<T, ColumnError> {
        let column = self.defs.get(self.next).map_or("", ColumnDef::name);
        let json: Json = self.take()?;
        json.read().map_err(|error| error.of(column))
    }
}

fn wrong_type<T: ColumnType>(def: &ColumnDef) -> ColumnError {
    let found = T::Stored::KIND.name();
    ColumnError::new(format!(
        "it is declared as `{}`, and the value is stored as `{found}`; `write` and `read` have to \
         take the columns in the order of the declaration",
        def.kind().name(),
    ))
    .of(def.name())
}

/// The values of a row of the user's own query, found by their columns' names.
pub(crate) fn by_name<'a, F>(defs: &'static [ColumnDef], value: F) -> impl RowSource + use<'a, F>
where
    F: Fn(&'static str, ColumnKind) -> Result<ColumnValue, ColumnError> + 'a,
{
    struct ByName<F> {
        defs: &'static [ColumnDef],
        value: F,
    }
    impl<F> RowSource for ByName<F>
    where
        F: Fn(&'static str, ColumnKind) -> Result<ColumnValue, ColumnError>,
    {
        fn value(&self, index: usize, kind: ColumnKind) -> Result<ColumnValue, ColumnError> {
            let name = self.defs.get(index).map_or("", ColumnDef::name);
            (self.value)(name, kind)
        }
    }
    ByName { defs, value }
}
