//! The closed set of stored forms: as a kind, as a value, and as a vector of values, which is how
//! rows travel to the database.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Utc};
use uuid::Uuid;

use super::{ColumnError, Json, StoredColumn};

macro_rules! stored_forms {
    ($($(#[$doc:meta])* $kind:ident($type:ty) as $sql:literal $(check $check:path)?;)*) => {
        /// The form in which a column's values are stored.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ColumnKind {
            $($(#[$doc])* $kind,)*
        }

        impl ColumnKind {
            /// What it is called in messages: the Rust type.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$kind => $sql,)* }
            }
        }

        /// A stored value.
        #[derive(Debug, Clone, PartialEq)]
        pub enum ColumnValue {
            /// No value.
            Null,
            $(#[allow(missing_docs)] $kind($type),)*
        }

        /// The values of one column, row by row.
        #[derive(Debug, Clone)]
        pub enum ColumnVec {
            $(#[allow(missing_docs)] $kind(Vec<Option<$type>>),)*
        }

        impl ColumnVec {
            pub(crate) fn new(kind: ColumnKind, capacity: usize) -> Self {
                match kind {
                    $(ColumnKind::$kind => Self::$kind(Vec::with_capacity(capacity)),)*
                }
            }

            #[cfg(feature = "sqlite")]
            pub(crate) fn len(&self) -> usize {
                match self { $(Self::$kind(values) => values.len(),)* }
            }

            /// Takes a row's value out, and leaves NULL.
            #[cfg(feature = "sqlite")]
            pub(crate) fn take(&mut self, row: usize) -> ColumnValue {
                match self {
                    $(Self::$kind(values) => values
                        .get_mut(row)
                        .and_then(Option::take)
                        .map_or(ColumnValue::Null, ColumnValue::$kind),)*
                }
            }

            /// Says whether the value was of this column's kind.
            #[must_use]
            pub(crate) fn push(&mut self, value: ColumnValue) -> bool {
                match (self, value) {
                    $((Self::$kind(values), ColumnValue::$kind(value)) => values.push(Some(value)),
                    (Self::$kind(values), ColumnValue::Null) => values.push(None),)*
                    _ => return false,
                }
                true
            }
        }

        $(impl StoredColumn for $type {
            const KIND: ColumnKind = ColumnKind::$kind;
            const NULLABLE: bool = false;

            fn into_value(self) -> Result<ColumnValue, ColumnError> {
                $($check(&self)?;)?
                Ok(ColumnValue::$kind(self))
            }

            fn from_value(value: ColumnValue) -> Result<Self, ColumnError> {
                match value {
                    ColumnValue::$kind(value) => Ok(value),
                    ColumnValue::Null => Err(ColumnError::new(
                        "it is NULL, and its type is no `Option`; was the table written by hand?",
                    )),
                    _ => Err(ColumnError::new(concat!("it holds no `", $sql, "`"))),
                }
            }
        }

        impl super::types::sealed::Sealed for $type {}
        impl super::types::NotNull for $type {})*
    };
}

stored_forms! {
    /// `bool`.
    Bool(bool) as "bool";
    /// A 16-bit integer.
    I16(i16) as "i16";
    /// A 32-bit integer.
    I32(i32) as "i32";
    /// A 64-bit integer.
    I64(i64) as "i64";
    /// A 32-bit float.
    F32(f32) as "f32" check no_nan_32;
    /// A 64-bit float.
    F64(f64) as "f64" check no_nan_64;
    /// Text without NUL characters.
    Text(String) as "String" check no_nul;
    /// A UUID.
    Uuid(Uuid) as "Uuid";
    /// A point in time, to the microsecond.
    Timestamp(DateTime<Utc>) as "DateTime<Utc>" check timestamp;
    /// A day.
    Date(NaiveDate) as "NaiveDate" check date;
    /// A time of day, to the microsecond.
    Time(NaiveTime) as "NaiveTime" check time;
    /// A day and a time without a zone, to the microsecond.
    DateTime(NaiveDateTime) as "NaiveDateTime" check date_time;
    /// Bytes.
    Bytes(Vec<u8>) as "Vec<u8>";
    /// JSON text.
    Json(Json) as "Json" check json;
}

const NAN: &str = "it is NaN, which SQLite would turn into NULL; store an `Option` instead, `None` \
                   where there is no number";
const NUL: &str = "it has a NUL character (U+0000), for which PostgreSQL has no place; remove it, or \
                   store the text as `Vec<u8>`";
const YEARS: &str = "its year is not within 1 to 9999; store an `Option` instead, `None` where there \
                     is no date";
const LEAP: &str = "it is within a leap second, which neither database can hold; round it";

fn refuse_if(is_bad: bool, reason: &'static str) -> Result<(), ColumnError> {
    if is_bad {
        Err(ColumnError::new(reason))
    } else {
        Ok(())
    }
}

fn no_nan_32(value: &f32) -> Result<(), ColumnError> {
    refuse_if(value.is_nan(), NAN)
}

fn no_nan_64(value: &f64) -> Result<(), ColumnError> {
    refuse_if(value.is_nan(), NAN)
}

fn no_nul(value: &str) -> Result<(), ColumnError> {
    refuse_if(value.as_bytes().contains(&0), NUL)
}

/// Serde writes a NUL as this escape, and an escaped backslash as two.
fn json(value: &Json) -> Result<(), ColumnError> {
    let mut rest = value.as_str();
    while let Some(at) = rest.find('\\') {
        let escape = &rest[at + 1..];
        refuse_if(escape.starts_with("u0000"), NUL)?;
        rest = escape.get(1..).unwrap_or_default();
    }
    Ok(())
}

fn date(value: &NaiveDate) -> Result<(), ColumnError> {
    refuse_if(!(1..=9999).contains(&value.year()), YEARS)
}

fn time(value: &NaiveTime) -> Result<(), ColumnError> {
    refuse_if(value.nanosecond() >= 1_000_000_000, LEAP)
}

fn date_time(value: &NaiveDateTime) -> Result<(), ColumnError> {
    date(&value.date())?;
    time(&value.time())
}

fn timestamp(value: &DateTime<Utc>) -> Result<(), ColumnError> {
    date_time(&value.naive_utc())
}
