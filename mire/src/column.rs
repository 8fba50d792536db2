//! Columns: which Rust types a table projection's row can hold, and how they are stored.
//!
//! A type of the user's own is a column through one of a closed set of stored forms; each backend
//! maps those, and nothing else, to its own types. What only one database could hold (a NaN, a NUL
//! character, the year 20,000) is refused for all, so that a declaration means the same everywhere.

mod row;
mod types;
mod value;

use std::fmt;

pub use row::{RowReader, RowWriter};
pub(crate) use row::{RowSource, by_name};
pub use types::{ColumnType, Json, NotNull, StoredColumn};
pub use value::ColumnKind;
pub(crate) use value::{ColumnValue, ColumnVec};

/// Why a value can't be stored in its column, or can't be read from it.
///
/// A [`ColumnType`] of your own makes one with [`ColumnError::new`], of a text or of another error.
#[derive(Debug, thiserror::Error)]
#[error("{}{reason}", InColumn(.column.as_deref()))]
pub struct ColumnError {
    column: Option<String>,
    reason: Box<dyn std::error::Error + Send + Sync + 'static>,
}

impl ColumnError {
    /// Says what is wrong, and the mend; in one sentence, without the column's name.
    pub fn new(reason: impl Into<Box<dyn std::error::Error + Send + Sync + 'static>>) -> Self {
        Self {
            column: None,
            reason: reason.into(),
        }
    }

    /// The column, once it is known.
    #[must_use]
    pub fn column(&self) -> Option<&str> {
        self.column.as_deref()
    }

    pub(crate) fn of(mut self, column: &str) -> Self {
        self.column.get_or_insert_with(|| column.to_owned());
        self
    }
}

struct InColumn<'a>(Option<&'a str>);

impl fmt::Display for InColumn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(column) => write!(f, "column `{column}`: "),
            None => Ok(()),
        }
    }
}

/// A column of a table, as it is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnDef {
    name: &'static str,
    kind: ColumnKind,
    nullable: bool,
    key: bool,
    indexed: bool,
    exact: bool,
}

impl ColumnDef {
    /// A column for values of type `T`.
    #[must_use]
    pub const fn of<T: ColumnType>(name: &'static str) -> Self {
        Self {
            name,
            kind: <T::Stored as StoredColumn>::KIND,
            nullable: <T::Stored as StoredColumn>::NULLABLE,
            key: false,
            indexed: false,
            exact: T::EXACT,
        }
    }

    /// A column for anything serde, as JSON. It has no SQL NULL: `None` is the JSON `null`.
    #[must_use]
    pub const fn json(name: &'static str) -> Self {
        Self::of::<Json>(name)
    }

    /// Makes it the key: one row for each value. A table has exactly one.
    ///
    /// # Panics
    ///
    /// For a type that may be NULL, or is stored as JSON; in a constant that is a compile error.
    #[must_use]
    pub const fn key(mut self) -> Self {
        assert!(
            !self.nullable,
            "the key of a table can't be NULL: take a type that is no `Option`"
        );
        assert!(
            self.is_compared(),
            "the key of a table can't be JSON: it is compared"
        );
        self.key = true;
        self
    }

    /// Gives it an index, for look-ups by its value.
    ///
    /// # Panics
    ///
    /// For a type that is stored as JSON; in a constant that is a compile error.
    #[must_use]
    pub const fn indexed(mut self) -> Self {
        assert!(
            self.is_compared(),
            "an indexed column can't be JSON: it is compared"
        );
        self.indexed = true;
        self
    }

    /// Whether both databases compare its values: texts of JSON can mean the same.
    pub(crate) const fn is_compared(&self) -> bool {
        !matches!(self.kind, ColumnKind::Json)
    }

    /// Whether its values come back as they were; see [`ColumnType::EXACT`].
    pub(crate) const fn is_exact(&self) -> bool {
        self.exact
    }

    /// Its name in the table.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The form in which its values are stored.
    #[must_use]
    pub const fn kind(&self) -> ColumnKind {
        self.kind
    }

    /// Whether it may be NULL.
    #[must_use]
    pub const fn is_nullable(&self) -> bool {
        self.nullable
    }

    /// Whether it is the key.
    #[must_use]
    pub const fn is_key(&self) -> bool {
        self.key
    }

    /// Whether it has an index.
    #[must_use]
    pub const fn is_indexed(&self) -> bool {
        self.indexed
    }
}
