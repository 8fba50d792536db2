//! The closed set of stored forms: as a kind, as a value, and as a vector of values, which is how
//! rows travel to the database.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, SubsecRound, Timelike, Utc};
use uuid::Uuid;

use super::{ColumnError, Json, StoredColumn};

macro_rules! stored_forms {
    ($($(#[$doc:meta])* $kind:ident($type:ty) as $sql:literal $(by $stored:path)?;)*) => {
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

            /// Takes the last value off.
            pub(crate) fn pop(&mut self) -> Option<ColumnValue> {
                match self {
                    $(Self::$kind(values) => values
                        .pop()
                        .map(|value| value.map_or(ColumnValue::Null, ColumnValue::$kind)),)*
                }
            }

            pub(crate) fn clear(&mut self) {
                match self { $(Self::$kind(values) => values.clear(),)* }
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
                let value = self;
                $(let value = $stored(value)?;)?
                Ok(ColumnValue::$kind(value))
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
    F32(f32) as "f32" by single;
    /// A 64-bit float.
    F64(f64) as "f64" by double;
    /// Text without NUL characters.
    Text(String) as "String" by text;
    /// A UUID.
    Uuid(Uuid) as "Uuid";
    /// A point in time, to the microsecond.
    Timestamp(DateTime<Utc>) as "DateTime<Utc>" by timestamp;
    /// A day.
    Date(NaiveDate) as "NaiveDate" by date;
    /// A time of day, to the microsecond.
    Time(NaiveTime) as "NaiveTime" by time;
    /// A day and a time without a zone, to the microsecond.
    DateTime(NaiveDateTime) as "NaiveDateTime" by date_time;
    /// Bytes.
    Bytes(Vec<u8>) as "Vec<u8>";
    /// JSON text.
    Json(Json) as "Json" by json;
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

/// SQLite has one zero: the sum takes the sign off the negative one.
fn single(value: f32) -> Result<f32, ColumnError> {
    refuse_if(value.is_nan(), NAN)?;
    Ok(value + 0.0)
}

fn double(value: f64) -> Result<f64, ColumnError> {
    refuse_if(value.is_nan(), NAN)?;
    Ok(value + 0.0)
}

fn text(value: String) -> Result<String, ColumnError> {
    refuse_if(value.as_bytes().contains(&0), NUL)?;
    Ok(value)
}

/// Serde writes a NUL as this escape, and an escaped backslash as two.
fn json(value: Json) -> Result<Json, ColumnError> {
    let mut rest = value.as_str();
    while let Some(at) = rest.find('\\') {
        let escape = &rest[at + 1..];
        refuse_if(escape.starts_with("u0000"), NUL)?;
        rest = escape.get(1..).unwrap_or_default();
    }
    Ok(value)
}

fn date(value: NaiveDate) -> Result<NaiveDate, ColumnError> {
    refuse_if(!(1..=9999).contains(&value.year()), YEARS)?;
    Ok(value)
}

/// Cut here, since the drivers cut in ways of their own: one down, one towards the year 2000.
fn time(value: NaiveTime) -> Result<NaiveTime, ColumnError> {
    refuse_if(value.nanosecond() >= 1_000_000_000, LEAP)?;
    Ok(value.trunc_subsecs(6))
}

fn date_time(value: NaiveDateTime) -> Result<NaiveDateTime, ColumnError> {
    Ok(date(value.date())?.and_time(time(value.time())?))
}

fn timestamp(value: DateTime<Utc>) -> Result<DateTime<Utc>, ColumnError> {
    Ok(date_time(value.naive_utc())?.and_utc())
}
