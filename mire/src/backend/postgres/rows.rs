//! Rows of tables: stored forms to PostgreSQL's types and back.

use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::types::Json as SqlxJson;

use crate::backend::table::Row;
use crate::column::{ColumnError, ColumnKind, ColumnValue, Json};

impl Row for PgRow {
    fn index_of(&self, column: &str) -> Result<usize, ColumnError> {
        sqlx::ColumnIndex::<Self>::index(&column, self)
            .map_err(|error| ColumnError::new(error).of(column))
    }

    fn stored(&self, index: usize, kind: ColumnKind) -> Result<ColumnValue, ColumnError> {
        macro_rules! get {
            ($kind:ident) => {
                self.try_get::<Option<_>, _>(index)
                    .map(|value| value.map_or(ColumnValue::Null, ColumnValue::$kind))
            };
        }
        let value = match kind {
            ColumnKind::Bool => get!(Bool),
            ColumnKind::I16 => get!(I16),
            ColumnKind::I32 => get!(I32),
            ColumnKind::I64 => get!(I64),
            ColumnKind::F32 => get!(F32),
            ColumnKind::F64 => get!(F64),
            ColumnKind::Text => get!(Text),
            ColumnKind::Uuid => get!(Uuid),
            ColumnKind::Timestamp => get!(Timestamp),
            ColumnKind::Date => get!(Date),
            ColumnKind::Time => get!(Time),
            ColumnKind::DateTime => get!(DateTime),
            ColumnKind::Bytes => get!(Bytes),
            ColumnKind::Json => self
                .try_get::<Option<SqlxJson<Box<serde_json::value::RawValue>>>, _>(index)
                .map(|value| {
                    value.map_or(ColumnValue::Null, |json| {
                        ColumnValue::Json(Json::from_text(String::from(Box::<str>::from(json.0))))
                    })
                }),
        };
        value.map_err(ColumnError::new)
    }
}
