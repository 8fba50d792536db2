//! The Rust types that a column can hold.

use std::io::{self, Write};

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::ser::{CompactFormatter, Formatter};
use uuid::Uuid;

use super::{ColumnError, ColumnKind, ColumnValue};

pub(super) mod sealed {
    pub trait Sealed {}
}

/// A form in which the databases hold a column: `bool`, `i16`, `i32`, `i64`, `f32`, `f64`,
/// `String`, `Uuid`, `DateTime<Utc>`, `NaiveDate`, `NaiveTime`, `NaiveDateTime`, `Vec<u8>`,
/// [`Json`], and `Option` of each.
///
/// | stored form | PostgreSQL | SQLite |
/// |---|---|---|
/// | `bool` | `boolean` | `INTEGER`, 0 or 1 |
/// | `i16`, `i32`, `i64` | `smallint`, `integer`, `bigint` | `INTEGER` |
/// | `f32`, `f64` | `real`, `double precision` | `REAL` |
/// | `String` | `text`; `COLLATE "C"` in keys and indexes | `TEXT` |
/// | `Uuid` | `uuid` | `BLOB` of 16 bytes |
/// | `DateTime<Utc>` | `timestamptz` | `TEXT`, `2026-01-31T23:59:59.000000+00:00` |
/// | `NaiveDate`, `NaiveTime`, `NaiveDateTime` | `date`, `time`, `timestamp` | `TEXT`, `2026-01-31`, `23:59:59.000000`, `2026-01-31 23:59:59.000000` |
/// | `Vec<u8>` | `bytea` | `BLOB` |
/// | [`Json`] | `jsonb` | `TEXT` |
///
/// Times are cut down to whole microseconds, and -0.0 becomes 0.0: in rows and keys, and also in what
/// is looked up. NaN, NUL characters in text, leap seconds and years outside 1 to 9999 are refused on
/// both.
pub trait StoredColumn: sealed::Sealed + Sized + Send + 'static {
    #[doc(hidden)]
    const KIND: ColumnKind;
    #[doc(hidden)]
    const NULLABLE: bool;
    #[doc(hidden)]
    fn into_value(self) -> Result<ColumnValue, ColumnError>;
    #[doc(hidden)]
    fn from_value(value: ColumnValue) -> Result<Self, ColumnError>;
}

/// A stored form that is no `Option`, of which there can therefore be one.
#[diagnostic::on_unimplemented(
    message = "`Option<{Self}>` can't be a column",
    label = "NULL twice",
    note = "a column is NULL or it isn't: use one `Option`, or store the field as JSON with `#[json]`"
)]
pub trait NotNull: StoredColumn {}

impl<S: NotNull> sealed::Sealed for Option<S> {}

impl<S: NotNull> StoredColumn for Option<S> {
    const KIND: ColumnKind = S::KIND;
    const NULLABLE: bool = true;

    fn into_value(self) -> Result<ColumnValue, ColumnError> {
        self.map_or(Ok(ColumnValue::Null), S::into_value)
    }

    fn from_value(value: ColumnValue) -> Result<Self, ColumnError> {
        match value {
            ColumnValue::Null => Ok(None),
            value => S::from_value(value).map(Some),
        }
    }
}

/// A type that a column of a table projection can hold.
///
/// There are implementations for `bool`, the integers up to 64 bits, floats, `String`, `Uuid`,
/// `chrono`'s types, `Vec<u8>`, ids that `aggregate!` generates, and `Option` of all of these. A
/// type of your own says in which form it is stored:
///
/// ```
/// use mire::{ColumnError, ColumnType};
///
/// struct Iban(String);
///
/// impl ColumnType for Iban {
///     type Stored = String;
///
///     fn to_stored(&self) -> Result<String, ColumnError> {
///         Ok(self.0.clone())
///     }
///
///     fn from_stored(stored: String) -> Result<Self, ColumnError> {
///         Ok(Self(stored))
///     }
/// }
/// ```
///
/// What is read may be less than what was written, as an amount that is rounded to cents. It has to
/// be equal to that when it is written and read again: what an event leaves is written and read before
/// the next one sees it, and how often beyond that depends on where pages end.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be a column",
    label = "no column type",
    note = "a field of a serde type that is neither key nor index becomes a JSON column with `#[json]`",
    note = "a type of your own becomes a column with `impl mire::ColumnType`"
)]
pub trait ColumnType: Sized {
    /// How it is stored.
    type Stored: StoredColumn;

    /// Whether each value that can be stored comes back as it was. Then a fold needn't be shown what the
    /// table would give, which is written and read in memory otherwise; see above.
    const EXACT: bool = false;

    /// The stored form of a value.
    ///
    /// # Errors
    ///
    /// When the value has none, as a `u64` above `i64::MAX`.
    fn to_stored(&self) -> Result<Self::Stored, ColumnError>;

    /// Reads the stored form.
    ///
    /// # Errors
    ///
    /// When it is the form of no value of this type.
    fn from_stored(stored: Self::Stored) -> Result<Self, ColumnError>;
}

macro_rules! stored_as_they_are {
    ($exact:literal: $($type:ty)*) => {$(
        impl ColumnType for $type {
            type Stored = Self;
            const EXACT: bool = $exact;

            fn to_stored(&self) -> Result<Self, ColumnError> {
                Ok(self.clone())
            }

            fn from_stored(stored: Self) -> Result<Self, ColumnError> {
                Ok(stored)
            }
        }
    )*};
}

stored_as_they_are! { true: bool i16 i32 i64 String Uuid NaiveDate Vec<u8> }

// Times are cut, one zero is the other, and what JSON text means is for who reads it.
stored_as_they_are! { false: f32 f64 DateTime<Utc> NaiveTime NaiveDateTime Json }

macro_rules! stored_as_wider {
    ($($type:ident as $stored:ident)*) => {$(
        impl ColumnType for $type {
            type Stored = $stored;
            const EXACT: bool = true;

            fn to_stored(&self) -> Result<$stored, ColumnError> {
                $stored::try_from(*self).map_err(|_| {
                    ColumnError::new(format!(
                        "{self} is above the largest stored number, {}; store it as text, or \
                         bound it where the event is recorded",
                        $stored::MAX,
                    ))
                })
            }

            fn from_stored(stored: $stored) -> Result<Self, ColumnError> {
                Self::try_from(stored).map_err(|_| {
                    ColumnError::new(format!(
                        concat!("{} is not within the range of `", stringify!($type), "`"),
                        stored,
                    ))
                })
            }
        }
    )*};
}

stored_as_wider! { i8 as i16 u8 as i16 u16 as i32 u32 as i64 u64 as i64 }

impl<T> ColumnType for Option<T>
where
    T: ColumnType,
    T::Stored: NotNull,
{
    type Stored = Option<T::Stored>;
    const EXACT: bool = T::EXACT;

    fn to_stored(&self) -> Result<Self::Stored, ColumnError> {
        self.as_ref().map(T::to_stored).transpose()
    }

    fn from_stored(stored: Self::Stored) -> Result<Self, ColumnError> {
        stored.map(T::from_stored).transpose()
    }
}

/// Writes -0.0 as 0.0, since PostgreSQL's numbers have one zero.
struct OneZero;

impl Formatter for OneZero {
    fn write_f32<W: ?Sized + Write>(&mut self, writer: &mut W, value: f32) -> io::Result<()> {
        CompactFormatter.write_f32(writer, value + 0.0)
    }

    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        CompactFormatter.write_f64(writer, value + 0.0)
    }
}

/// JSON text, for a column of JSON.
///
/// PostgreSQL keeps what the text means, and gives it back with other spaces and with the keys of an
/// object in an order of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Json(String);

impl Json {
    /// Writes a value.
    ///
    /// # Errors
    ///
    /// What serde reports for a value that has no JSON form, such as a map whose keys aren't
    /// strings; for a number that is NaN or infinite.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, ColumnError> {
        let mut text = Vec::with_capacity(128);
        let mut serializer = serde_json::Serializer::with_formatter(&mut text, OneZero);
        if let Err(error) = value.serialize(&mut serializer) {
            crate::json::refuse_what_is_lost(value).map_err(ColumnError::new)?;
            return Err(ColumnError::new(error));
        }
        let text = String::from_utf8(text).map_err(ColumnError::new)?;
        if text.contains("null") {
            crate::json::refuse_what_is_lost(value).map_err(ColumnError::new)?;
        }
        Ok(Self(text))
    }

    /// Reads it.
    ///
    /// # Errors
    ///
    /// What serde reports when it is the form of no `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ColumnError> {
        serde_json::from_str(&self.0).map_err(|error| {
            ColumnError::new(format!(
                "what is stored can't be read ({error}); if the type has changed, count the \
                 projection's `revision` up, and the table is built anew"
            ))
        })
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn from_text(text: String) -> Self {
        Self(text)
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }
}
