//! Rows of tables: stored forms to SQLite's types and back.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Row as _, Sqlite, Type, TypeInfo as _, ValueRef as _};
use uuid::Uuid;

use crate::backend::table::Row;
use crate::column::{ColumnError, ColumnKind, ColumnValue, Json};

/// The texts of points in time. All have one length, so that they sort as what they stand for.
pub(super) const TIMESTAMP: &str = "%Y-%m-%dT%H:%M:%S%.6f+00:00";
pub(super) const TIME: &str = "%H:%M:%S%.6f";
pub(super) const DATE_TIME: &str = "%Y-%m-%d %H:%M:%S%.6f";
pub(super) const DATE: &str = "%Y-%m-%d";

impl Row for SqliteRow {
    fn index_of(&self, column: &str) -> Result<usize, ColumnError> {
        sqlx::ColumnIndex::<Self>::index(&column, self)
            .map_err(|error| ColumnError::new(error).of(column))
    }

    fn stored(&self, index: usize, kind: ColumnKind) -> Result<ColumnValue, ColumnError> {
        let value = self.try_get_raw(index).map_err(ColumnError::new)?;
        if value.is_null() {
            return Ok(ColumnValue::Null);
        }
        Ok(match kind {
            ColumnKind::Bool => ColumnValue::Bool(get::<i64>(value)? != 0),
            ColumnKind::I16 => ColumnValue::I16(integer(get(value)?)?),
            ColumnKind::I32 => ColumnValue::I32(integer(get(value)?)?),
            ColumnKind::I64 => ColumnValue::I64(get(value)?),
            // The value was an `f32` when it was written.
            #[allow(clippy::cast_possible_truncation)]
            ColumnKind::F32 => ColumnValue::F32(get::<f64>(value)? as f32),
            ColumnKind::F64 => ColumnValue::F64(get(value)?),
            ColumnKind::Text => ColumnValue::Text(get(value)?),
            ColumnKind::Uuid => {
                ColumnValue::Uuid(Uuid::from_slice(get::<&[u8]>(value)?).map_err(ColumnError::new)?)
            }
            ColumnKind::Timestamp => ColumnValue::Timestamp(
                DateTime::parse_from_rfc3339(get::<&str>(value)?)
                    .map_err(ColumnError::new)?
                    .with_timezone(&Utc),
            ),
            ColumnKind::Date => ColumnValue::Date(
                NaiveDate::parse_from_str(get::<&str>(value)?, DATE).map_err(ColumnError::new)?,
            ),
            ColumnKind::Time => ColumnValue::Time(
                NaiveTime::parse_from_str(get::<&str>(value)?, "%H:%M:%S%.f")
                    .map_err(ColumnError::new)?,
            ),
            ColumnKind::DateTime => ColumnValue::DateTime(
                NaiveDateTime::parse_from_str(get::<&str>(value)?, "%Y-%m-%d %H:%M:%S%.f")
                    .map_err(ColumnError::new)?,
            ),
            ColumnKind::Bytes => ColumnValue::Bytes(get(value)?),
            ColumnKind::Json => ColumnValue::Json(Json::from_text(get(value)?)),
        })
    }
}

fn get<'r, T: Decode<'r, Sqlite> + Type<Sqlite>>(
    value: sqlx::sqlite::SqliteValueRef<'r>,
) -> Result<T, ColumnError> {
    let found = value.type_info().into_owned();
    if !T::compatible(&found) {
        return Err(ColumnError::new(format!(
            "it holds `{}`, which is no `{}`",
            found.name(),
            T::type_info().name(),
        )));
    }
    T::decode(value).map_err(ColumnError::new)
}

fn integer<T: TryFrom<i64>>(value: i64) -> Result<T, ColumnError>
where
    T::Error: std::error::Error + Send + Sync + 'static,
{
    T::try_from(value).map_err(ColumnError::new)
}
