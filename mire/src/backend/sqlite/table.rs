//! Tables of projections on SQLite, and the registry of their versions. Rows travel as the values of
//! statements with many places, of a few fixed lengths, so that each is prepared once.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, Executor, Row as _, Sqlite, SqliteConnection};

use super::append::time;
use super::rows::{DATE, DATE_TIME, TIME, TIMESTAMP};
use crate::backend::Result;
use crate::backend::table::{
    Filter, Find, FoundColumn, RawVersion, Relation, RowSink, Tables, VersionTable, indexes,
    key_index, listed, on_conflict, qualified, quoted,
};
use crate::column::{ColumnDef, ColumnKind, ColumnValue, ColumnVec};
use crate::error::EventStoreError;

/// How many rows the statements of a page have places for, the largest first. A page is cut into
/// these.
const LENGTHS: [usize; 5] = [256, 64, 16, 4, 1];

/// The most places of a statement; SQLite takes 32,766.
const MAX_PLACES: usize = 8192;

/// A statement for each length.
type Lengths = Vec<(usize, std::sync::Arc<str>)>;

/// The statements of one table's pages.
#[derive(Debug)]
pub struct Statements {
    load: Lengths,
    write: Lengths,
    delete: Lengths,
}

fn places(rows: usize, columns: usize) -> String {
    let mut places = String::new();
    for row in 0..rows {
        places.push_str(if row == 0 { "(?" } else { ", (?" });
        for _ in 1..columns {
            places.push_str(", ?");
        }
        places.push(')');
    }
    places
}

fn lengths(columns: usize, statement: impl Fn(usize) -> String) -> Lengths {
    LENGTHS
        .into_iter()
        .filter(|rows| *rows == 1 || rows * columns <= MAX_PLACES)
        .map(|rows| (rows, statement(rows).into()))
        .collect()
}

type SqliteQuery<'q> = Query<'q, Sqlite, SqliteArguments>;

fn bind_value<'q>(query: SqliteQuery<'q>, value: ColumnValue) -> SqliteQuery<'q> {
    match value {
        ColumnValue::Null => query.bind(None::<i64>),
        ColumnValue::Bool(value) => query.bind(value),
        ColumnValue::I16(value) => query.bind(value),
        ColumnValue::I32(value) => query.bind(value),
        ColumnValue::I64(value) => query.bind(value),
        ColumnValue::F32(value) => query.bind(f64::from(value)),
        ColumnValue::F64(value) => query.bind(value),
        ColumnValue::Text(value) => query.bind(value),
        ColumnValue::Uuid(value) => query.bind(value.as_bytes().to_vec()),
        ColumnValue::Timestamp(value) => query.bind(value.format(TIMESTAMP).to_string()),
        ColumnValue::Date(value) => query.bind(value.format(DATE).to_string()),
        ColumnValue::Time(value) => query.bind(value.format(TIME).to_string()),
        ColumnValue::DateTime(value) => query.bind(value.format(DATE_TIME).to_string()),
        ColumnValue::Bytes(value) => query.bind(value),
        ColumnValue::Json(value) => query.bind(value.into_text()),
    }
}

/// Runs statements of fixed lengths over all rows.
async fn in_chunks(
    conn: &mut SqliteConnection,
    statements: &Lengths,
    mut columns: Vec<ColumnVec>,
    mut sink: Option<&mut RowSink<'_>>,
) -> Result<()> {
    let mut left = columns.first().map_or(0, ColumnVec::len);
    while left > 0 {
        let Some((rows, sql)) = statements.iter().find(|(rows, _)| *rows <= left) else {
            break;
        };
        let mut query = sqlx::query(AssertSqlSafe(std::sync::Arc::clone(sql)));
        for row in left - rows..left {
            for column in &mut columns {
                query = bind_value(query, column.take(row));
            }
        }
        left -= rows;
        match &mut sink {
            Some(sink) => {
                for row in query.fetch_all(&mut *conn).await? {
                    sink(&row)?;
                }
            }
            None => {
                query.execute(&mut *conn).await?;
            }
        }
    }
    Ok(())
}

async fn run(conn: &mut SqliteConnection, sql: String) -> Result<()> {
    conn.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
    Ok(())
}

impl Tables for Sqlite {
    type Statements = Statements;

    fn statements(table: &str, columns: &'static [ColumnDef]) -> Statements {
        let found = listed(columns, |_, column, _| qualified(table, column));
        let key = qualified(table, &columns[key_index(columns)]);
        let table = quoted(table);
        let names = listed(columns, |_, _, name| name);
        let on_conflict = on_conflict(columns);
        let width = columns.len();
        Statements {
            load: lengths(1, |rows| {
                let keys = places(rows, 1);
                format!("SELECT {found} FROM {table} WHERE {key} IN (VALUES {keys})")
            }),
            write: lengths(width, |rows| {
                let values = places(rows, width);
                format!("INSERT INTO {table} ({names}) VALUES {values} {on_conflict}")
            }),
            delete: lengths(1, |rows| {
                let keys = places(rows, 1);
                format!("DELETE FROM {table} WHERE {key} IN (VALUES {keys})")
            }),
        }
    }

    async fn load_rows(
        conn: &mut SqliteConnection,
        statements: &Statements,
        keys: ColumnVec,
        sink: &mut RowSink<'_>,
    ) -> Result<()> {
        in_chunks(conn, &statements.load, vec![keys], Some(sink)).await
    }

    async fn write_rows(
        conn: &mut SqliteConnection,
        statements: &Statements,
        rows: Vec<ColumnVec>,
    ) -> Result<()> {
        in_chunks(conn, &statements.write, rows, None).await
    }

    async fn delete_rows(
        conn: &mut SqliteConnection,
        statements: &Statements,
        keys: ColumnVec,
    ) -> Result<()> {
        in_chunks(conn, &statements.delete, vec![keys], None).await
    }

    async fn find_rows(
        conn: &mut SqliteConnection,
        find: Find<'_>,
        sink: &mut RowSink<'_>,
    ) -> Result<()> {
        if let Filter::Keys(keys) = find.filter {
            let names = listed(find.columns, |_, column, _| {
                qualified(find.relation, column)
            });
            let relation = quoted(find.relation);
            let key = qualified(find.relation, &find.columns[key_index(find.columns)]);
            let load = lengths(1, |rows| {
                let keys = places(rows, 1);
                format!("SELECT {names} FROM {relation} WHERE {key} IN (VALUES {keys})")
            });
            return in_chunks(conn, &load, vec![keys], Some(sink)).await;
        }
        let (sql, values) = find.sql(|_| String::new());
        let query = sqlx::query(AssertSqlSafe(sql));
        let query = values.into_iter().fold(query, bind_value);
        for row in query.fetch_all(conn).await? {
            sink(&row)?;
        }
        Ok(())
    }

    async fn can_compare(
        conn: &mut SqliteConnection,
        relation: &str,
        columns: &'static [ColumnDef],
    ) -> Result<bool> {
        let found = Self::table_columns(conn, relation).await?;
        // Of those that aren't there, the statement itself tells.
        Ok(found.iter().all(|found| {
            let declared = columns.iter().find(|column| column.name() == found.name);
            declared.is_none_or(|column| Self::type_name(column) == found.type_name)
        }))
    }

    fn is_shape_error(error: &EventStoreError) -> bool {
        let EventStoreError::Database(sqlx::Error::Database(error)) = error else {
            return false;
        };
        let text = error.message();
        text.starts_with("no such table") || text.starts_with("no such column")
    }

    fn is_missing_table(error: &EventStoreError) -> bool {
        let EventStoreError::Database(sqlx::Error::Database(error)) = error else {
            return false;
        };
        error.message().starts_with("no such table")
    }

    fn type_name(column: &ColumnDef) -> &'static str {
        match column.kind() {
            ColumnKind::Bool | ColumnKind::I16 | ColumnKind::I32 | ColumnKind::I64 => "INTEGER",
            ColumnKind::F32 | ColumnKind::F64 => "REAL",
            ColumnKind::Uuid | ColumnKind::Bytes => "BLOB",
            ColumnKind::Text
            | ColumnKind::Timestamp
            | ColumnKind::Date
            | ColumnKind::Time
            | ColumnKind::DateTime
            | ColumnKind::Json => "TEXT",
        }
    }

    async fn relation(conn: &mut SqliteConnection, name: &str) -> Result<Option<Relation>> {
        let kind: Option<String> = sqlx::query_scalar(include_str!("queries/relation.sql"))
            .bind(name)
            .fetch_optional(conn)
            .await?;
        Ok(kind.map(|kind| match kind.as_str() {
            "table" => Relation::Table,
            "view" => Relation::View,
            _ => Relation::Other,
        }))
    }

    /// One writer at a time has all of the file, and who reads hinders nobody.
    async fn lock_holders(_: &mut SqliteConnection, _: &str) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    async fn index_table(conn: &mut SqliteConnection, index: &str) -> Result<Option<String>> {
        Ok(sqlx::query_scalar(include_str!("queries/index_table.sql"))
            .bind(index)
            .fetch_optional(conn)
            .await?)
    }

    async fn table_columns(conn: &mut SqliteConnection, table: &str) -> Result<Vec<FoundColumn>> {
        let rows: Vec<(String, String, bool, bool, bool)> =
            sqlx::query_as(include_str!("queries/table_columns.sql"))
                .bind(table)
                .fetch_all(conn)
                .await?;
        Ok(rows
            .into_iter()
            .map(
                |(name, type_name, not_null, is_key, is_indexed)| FoundColumn {
                    name,
                    type_name,
                    not_null,
                    is_key,
                    is_indexed,
                },
            )
            .collect())
    }

    async fn create_table(
        conn: &mut SqliteConnection,
        table: &str,
        columns: &'static [ColumnDef],
    ) -> Result<()> {
        let described = listed(columns, |_, column, name| {
            let type_name = Self::type_name(column);
            let not_null = if column.is_nullable() {
                ""
            } else {
                " NOT NULL"
            };
            let key = if column.is_key() { " PRIMARY KEY" } else { "" };
            format!("{name} {type_name}{not_null}{key}")
        });
        let mut sql = format!(
            "CREATE TABLE {} ({described}) STRICT, WITHOUT ROWID",
            quoted(table)
        );
        for (index, column) in indexes(table, columns) {
            // The key follows by itself in a table without row ids.
            let _ = write!(
                sql,
                "; CREATE INDEX {} ON {} ({})",
                quoted(&index),
                quoted(table),
                quoted(column.name()),
            );
        }
        run(conn, sql).await
    }

    async fn point_view(conn: &mut SqliteConnection, view: &str, table: &str) -> Result<()> {
        let (view, table) = (quoted(view), quoted(table));
        let sql =
            format!("DROP VIEW IF EXISTS {view}; CREATE VIEW {view} AS SELECT * FROM {table}");
        run(conn, sql).await
    }

    async fn drop_view(conn: &mut SqliteConnection, view: &str) -> Result<()> {
        run(conn, format!("DROP VIEW IF EXISTS {}", quoted(view))).await
    }

    async fn drop_table(conn: &mut SqliteConnection, table: &str) -> Result<()> {
        run(conn, format!("DROP TABLE IF EXISTS {}", quoted(table))).await
    }

    async fn clear_table(conn: &mut SqliteConnection, table: &str) -> Result<()> {
        run(conn, format!("DELETE FROM {}", quoted(table))).await
    }

    async fn lock_table(conn: &mut SqliteConnection, subscription: &str) -> Result<()> {
        // The transaction has locked everything already.
        sqlx::query(include_str!("queries/register_table.sql"))
            .bind(subscription)
            .execute(conn)
            .await?;
        Ok(())
    }

    async fn try_lock_table(conn: &mut SqliteConnection, subscription: &str) -> Result<bool> {
        Self::lock_table(conn, subscription).await?;
        Ok(true)
    }

    async fn table_versions(
        conn: &mut SqliteConnection,
        subscription: &str,
    ) -> Result<Vec<RawVersion>> {
        let rows = sqlx::query(include_str!("queries/table_versions.sql"))
            .bind(subscription)
            .fetch_all(conn)
            .await?;
        rows.iter().map(version).collect()
    }

    async fn register_version(
        conn: &mut SqliteConnection,
        subscription: &str,
        fingerprint: &str,
        table_name: &str,
    ) -> Result<()> {
        let generation: i64 = sqlx::query_scalar(include_str!("queries/next_generation.sql"))
            .bind(subscription)
            .fetch_one(&mut *conn)
            .await?;
        sqlx::query(include_str!("queries/register_version.sql"))
            .bind(subscription)
            .bind(fingerprint)
            .bind(table_name)
            .bind(generation)
            .execute(conn)
            .await?;
        Ok(())
    }

    async fn version_prepared(
        conn: &mut SqliteConnection,
        subscription: &str,
        fingerprint: &str,
    ) -> Result<()> {
        sqlx::query(include_str!("queries/version_prepared.sql"))
            .bind(subscription)
            .bind(fingerprint)
            .execute(conn)
            .await?;
        Ok(())
    }

    async fn version_ready(
        conn: &mut SqliteConnection,
        subscription: &str,
        fingerprint: &str,
        ready: bool,
    ) -> Result<()> {
        sqlx::query(include_str!("queries/version_ready.sql"))
            .bind(subscription)
            .bind(fingerprint)
            .bind(ready)
            .execute(conn)
            .await?;
        Ok(())
    }

    async fn left_alone(
        conn: &mut SqliteConnection,
        subscription_id: &str,
        seconds: f64,
        former: Option<DateTime<Utc>>,
    ) -> Result<Option<(String, String)>> {
        Ok(sqlx::query_as(include_str!("queries/left_alone.sql"))
            .bind(subscription_id)
            .bind(seconds)
            .bind(former.map(|former| former.timestamp_micros()))
            .fetch_optional(conn)
            .await?)
    }

    async fn version_dropped(
        conn: &mut SqliteConnection,
        subscription: &str,
        fingerprint: &str,
    ) -> Result<()> {
        sqlx::query(include_str!("queries/version_dropped.sql"))
            .bind(subscription)
            .bind(fingerprint)
            .execute(conn)
            .await?;
        Ok(())
    }

    async fn version_hindrance(
        conn: &mut SqliteConnection,
        subscription: &str,
        fingerprint: &str,
        hindrance: Option<&str>,
    ) -> Result<()> {
        sqlx::query(include_str!("queries/version_hindrance.sql"))
            .bind(subscription)
            .bind(fingerprint)
            .bind(hindrance)
            .execute(conn)
            .await?;
        Ok(())
    }

    async fn serve_version(
        conn: &mut SqliteConnection,
        subscription: &str,
        fingerprint: &str,
    ) -> Result<()> {
        for statement in [
            include_str!("queries/retire_version.sql"),
            include_str!("queries/serve_version.sql"),
        ] {
            sqlx::query(statement)
                .bind(subscription)
                .bind(fingerprint)
                .execute(&mut *conn)
                .await?;
        }
        Ok(())
    }

    async fn serve_none(conn: &mut SqliteConnection, subscription: &str) -> Result<()> {
        sqlx::query(include_str!("queries/serve_none.sql"))
            .bind(subscription)
            .execute(conn)
            .await?;
        Ok(())
    }

    async fn table_owner(
        conn: &mut SqliteConnection,
        table_name: &str,
        subscription: &str,
    ) -> Result<Option<String>> {
        Ok(sqlx::query_scalar(include_str!("queries/table_owner.sql"))
            .bind(table_name)
            .bind(subscription)
            .fetch_optional(conn)
            .await?)
    }

    async fn serving_id(
        conn: &mut SqliteConnection,
        subscription_id: &str,
    ) -> Result<Option<String>> {
        Ok(sqlx::query_scalar(include_str!("queries/serving_id.sql"))
            .bind(subscription_id)
            .fetch_optional(conn)
            .await?)
    }

    async fn version_table(
        conn: &mut SqliteConnection,
        subscription_id: &str,
    ) -> Result<Option<VersionTable>> {
        let row: Option<(String, String, String)> =
            sqlx::query_as(include_str!("queries/version_table.sql"))
                .bind(subscription_id)
                .fetch_optional(conn)
                .await?;
        Ok(
            row.map(|(subscription, fingerprint, physical)| VersionTable {
                subscription,
                fingerprint,
                physical,
            }),
        )
    }
}

fn version(row: &SqliteRow) -> Result<RawVersion> {
    let at = |index: usize| -> Result<_> {
        let micros: Option<i64> = row.try_get(index)?;
        micros.map(time).transpose()
    };
    Ok(RawVersion {
        fingerprint: row.try_get(0)?,
        table_name: row.try_get(1)?,
        generation: row.try_get(2)?,
        registered_at: time(row.try_get(3)?)?,
        ready_at: at(4)?,
        retired_at: at(5)?,
        dropped_at: at(6)?,
        hindrance: row.try_get(7)?,
        serving: row.try_get(8)?,
        position: row.try_get(9)?,
        measured: row.try_get(10)?,
        measured_seconds: row.try_get(11)?,
        live: row.try_get(12)?,
        idle_seconds: row.try_get(13)?,
        parked: row.try_get(14)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::table::plans::{COLUMNS, finds};
    use sqlx::Connection as _;

    /// One with no rows at all, too: SQLite plans by the indexes alone.
    #[tokio::test]
    async fn look_ups_go_along_an_index_and_sort_nothing() {
        let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        Sqlite::create_table(&mut conn, "kept", COLUMNS)
            .await
            .unwrap();
        for find in finds() {
            let (sql, values) = find.sql(|_| String::new());
            let explain = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")));
            let explain = values.into_iter().fold(explain, bind_value);
            let rows = explain.fetch_all(&mut conn).await.unwrap();
            let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
            let plan = plan.join("; ");
            assert!(!plan.contains("TEMP B-TREE"), "{sql}: {plan}");
            // What goes along all of it, from the start, is not called a search.
            let all = !sql.contains("= $1") && !sql.contains("> $") && !sql.contains("< $");
            assert!(plan.starts_with("SEARCH") || all, "{sql}: {plan}");
        }
    }
}
