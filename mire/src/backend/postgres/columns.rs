//! Values and lists of values of a table's columns, as the driver of PostgreSQL takes and gives them.

use sqlx::PgConnection;
use sqlx::postgres::{PgArguments, Postgres};
use sqlx::query::Query;

use crate::backend::Result;
use crate::backend::table::RowSink;
use crate::column::{ColumnKind, ColumnValue, ColumnVec};

pub(super) fn array(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Json => "text",
        kind => type_of(kind),
    }
}

pub(super) fn type_of(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Bool => "boolean",
        ColumnKind::I16 => "smallint",
        ColumnKind::I32 => "integer",
        ColumnKind::I64 => "bigint",
        ColumnKind::F32 => "real",
        ColumnKind::F64 => "double precision",
        ColumnKind::Text => "text",
        ColumnKind::Uuid => "uuid",
        ColumnKind::Timestamp => "timestamp with time zone",
        ColumnKind::Date => "date",
        ColumnKind::Time => "time without time zone",
        ColumnKind::DateTime => "timestamp without time zone",
        ColumnKind::Bytes => "bytea",
        ColumnKind::Json => "jsonb",
    }
}

pub(super) type PgQuery<'q> = Query<'q, Postgres, PgArguments>;

pub(super) fn bind_column<'q>(query: PgQuery<'q>, column: ColumnVec) -> PgQuery<'q> {
    match column {
        ColumnVec::Bool(values) => query.bind(values),
        ColumnVec::I16(values) => query.bind(values),
        ColumnVec::I32(values) => query.bind(values),
        ColumnVec::I64(values) => query.bind(values),
        ColumnVec::F32(values) => query.bind(values),
        ColumnVec::F64(values) => query.bind(values),
        ColumnVec::Text(values) => query.bind(values),
        ColumnVec::Uuid(values) => query.bind(values),
        ColumnVec::Timestamp(values) => query.bind(values),
        ColumnVec::Date(values) => query.bind(values),
        ColumnVec::Time(values) => query.bind(values),
        ColumnVec::DateTime(values) => query.bind(values),
        ColumnVec::Bytes(values) => query.bind(values),
        ColumnVec::Json(values) => {
            let texts: Vec<Option<String>> = values
                .into_iter()
                .map(|json| json.map(crate::column::Json::into_text))
                .collect();
            query.bind(texts)
        }
    }
}

pub(super) fn bind_value<'q>(query: PgQuery<'q>, value: ColumnValue) -> PgQuery<'q> {
    match value {
        ColumnValue::Null => query.bind(None::<String>),
        ColumnValue::Bool(value) => query.bind(value),
        ColumnValue::I16(value) => query.bind(value),
        ColumnValue::I32(value) => query.bind(value),
        ColumnValue::I64(value) => query.bind(value),
        ColumnValue::F32(value) => query.bind(value),
        ColumnValue::F64(value) => query.bind(value),
        ColumnValue::Text(value) => query.bind(value),
        ColumnValue::Uuid(value) => query.bind(value),
        ColumnValue::Timestamp(value) => query.bind(value),
        ColumnValue::Date(value) => query.bind(value),
        ColumnValue::Time(value) => query.bind(value),
        ColumnValue::DateTime(value) => query.bind(value),
        ColumnValue::Bytes(value) => query.bind(value),
        ColumnValue::Json(value) => query.bind(value.into_text()),
    }
}

pub(super) async fn give_rows(
    conn: &mut PgConnection,
    query: PgQuery<'_>,
    sink: &mut RowSink<'_>,
) -> Result<()> {
    for row in query.fetch_all(conn).await? {
        sink(&row)?;
    }
    Ok(())
}
