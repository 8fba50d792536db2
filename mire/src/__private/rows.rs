//! How the columns of a generated row are stored and read.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::table::{ColumnDef, ColumnError, ColumnType, RowReader, RowWriter, TableProjection};

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

/// A type that can have an index.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be a column with an index",
    label = "no column type",
    note = "the database compares what is in an index: take a number, text, a time or an id, or remove `#[index]`",
    note = "a type of your own becomes a column with `impl mire::ColumnType`"
)]
pub trait IndexColumn: ColumnType {}

#[diagnostic::do_not_recommend]
impl<T: ColumnType> IndexColumn for T {}

/// A column with an index.
#[track_caller]
pub const fn index_column<T: IndexColumn>(name: &'static str) -> ColumnOf<T> {
    let column = column::<T>(name);
    if !column.def.is_compared() {
        panic!(
            "an indexed column can't be JSON: it is compared\n\
             help: remove `#[index]`, or take a type that is stored in another form"
        );
    }
    ColumnOf {
        def: column.def.indexed(),
        ..column
    }
}

/// The column that is the key. What is asked of its type, the trait of the projection asks.
#[track_caller]
pub const fn key_column<P: TableProjection>(name: &'static str) -> ColumnOf<P::Key> {
    let column = column::<P::Key>(name);
    if column.def.is_nullable() {
        panic!(
            "the key of a table is never NULL\n\
             help: take a type that is no `Option`"
        );
    }
    if !column.def.is_compared() {
        panic!(
            "the key of a table can't be JSON: it is compared\n\
             help: take a type that is stored in another form"
        );
    }
    ColumnOf {
        def: column.def.key(),
        ..column
    }
}

/// A type that can be stored as JSON.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be stored as JSON",
    label = "lacks what a column with `#[json]` needs",
    note = "put `#[derive(Default, serde::Serialize, serde::Deserialize)]` on a type of your own",
    note = "for one from another crate, look for a feature of that crate called `serde`"
)]
pub trait JsonColumn: Serialize + DeserializeOwned {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> JsonColumn for T {}

/// A column for anything serde.
pub const fn json_column<T: JsonColumn>(name: &'static str) -> ColumnOf<T> {
    ColumnOf {
        def: ColumnDef::json(name),
        put: |row, value| row.put_json(value),
        take: |row| row.take_json(),
    }
}
