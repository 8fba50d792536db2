//! How the columns of a generated row are stored and read.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::table::{ColumnDef, ColumnError, ColumnType, RowReader, RowWriter};

/// A column for values of type `T`. What is asked of the type is asked where it is made, once.
pub struct ColumnOf<T> {
    /// Its declaration.
    pub def: ColumnDef,
    /// Writes a value.
    pub put: fn(&mut RowWriter<'_>, &T) -> Result<(), ColumnError>,
    /// Reads a value.
    pub take: fn(&mut RowReader<'_>) -> Result<T, ColumnError>,
}

/// A column of this name.
pub const fn column<T: ColumnType>(name: &'static str) -> ColumnOf<T> {
    ColumnOf {
        def: ColumnDef::of::<T>(name),
        put: |row, value| row.put(value),
        take: |row| row.take(),
    }
}

/// A column with an index.
pub const fn index_column<T: ColumnType>(name: &'static str) -> ColumnOf<T> {
    let column = column::<T>(name);
    ColumnOf {
        def: column.def.indexed(),
        ..column
    }
}

/// The column that is the key.
#[track_caller]
pub const fn key_column<T: ColumnType>(name: &'static str) -> ColumnOf<T> {
    let column = column::<T>(name);
    if column.def.is_nullable() {
        panic!(
            "the key of a table is never NULL\n\
             help: take a type that is no `Option`"
        );
    }
    ColumnOf {
        def: column.def.key(),
        ..column
    }
}

/// A column for anything serde.
pub const fn json_column<T: Serialize + DeserializeOwned>(name: &'static str) -> ColumnOf<T> {
    ColumnOf {
        def: ColumnDef::json(name),
        put: |row, value| row.put_json(value),
        take: |row| row.take_json(),
    }
}
