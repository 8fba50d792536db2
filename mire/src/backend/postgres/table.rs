//! Tables of projections on PostgreSQL, and the registry of their versions. The rows of a page
//! travel as one array a column, so that each statement is one round trip whatever the page's
//! length.

use std::borrow::Cow;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection as _, Executor, PgConnection, Postgres, Row as _};

use super::columns::{array, bind_column, bind_value, give_rows, type_of};
use super::lock_holders;
use crate::backend::Result;
use crate::backend::table::{
    Filter, Find, FoundColumn, RawVersion, Relation, RowSink, Tables, VersionTable, indexes,
    key_index, listed, on_conflict, quoted,
};
use crate::column::{ColumnDef, ColumnKind, ColumnVec};
use crate::error::EventStoreError;

/// The statements of one table's pages.
#[derive(Debug)]
pub struct Statements {
    load: Arc<str>,
    write: Arc<str>,
    delete: Arc<str>,
}

/// How long a change of a view or table waits for those who read it. Whoever wants to read it
/// meanwhile waits behind the change.
const DDL_PATIENCE: &str = "SET LOCAL lock_timeout = 300";

async fn run(conn: &mut PgConnection, sql: String) -> Result<()> {
    conn.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
    Ok(())
}

impl Tables for Postgres {
    type Statements = Statements;

    fn statements(table: &str, columns: &'static [ColumnDef]) -> Statements {
        let table = quoted(table);
        let names = listed(columns, |_, _, name| name);
        let key = &columns[key_index(columns)];
        let keys = format!("{} = ANY($1::{}[])", quoted(key.name()), array(key.kind()));
        let arrays = listed(columns, |index, column, _| {
            format!("${}::{}[]", index + 1, array(column.kind()))
        });
        let aliases = listed(columns, |index, _, _| format!("c{index}"));
        let values = listed(columns, |index, column, _| match column.kind() {
            ColumnKind::Json => format!("c{index}::jsonb"),
            _ => format!("c{index}"),
        });
        let on_conflict = on_conflict(columns);
        Statements {
            load: format!("SELECT {names} FROM {table} WHERE {keys}").into(),
            write: format!(
                "INSERT INTO {table} ({names}) SELECT {values} FROM unnest({arrays}) AS u({aliases}) \
                 {on_conflict}"
            )
            .into(),
            delete: format!("DELETE FROM {table} WHERE {keys}").into(),
        }
    }

    async fn load_rows(
        conn: &mut PgConnection,
        statements: &Statements,
        keys: ColumnVec,
        sink: &mut RowSink<'_>,
    ) -> Result<()> {
        let query = sqlx::query(AssertSqlSafe(Arc::clone(&statements.load)));
        give_rows(conn, bind_column(query, keys), sink).await
    }

    async fn write_rows(
        conn: &mut PgConnection,
        statements: &Statements,
        rows: Vec<ColumnVec>,
    ) -> Result<()> {
        let query = sqlx::query(AssertSqlSafe(Arc::clone(&statements.write)));
        rows.into_iter()
            .fold(query, bind_column)
            .execute(conn)
            .await?;
        Ok(())
    }

    async fn delete_rows(
        conn: &mut PgConnection,
        statements: &Statements,
        keys: ColumnVec,
    ) -> Result<()> {
        let query = sqlx::query(AssertSqlSafe(Arc::clone(&statements.delete)));
        bind_column(query, keys).execute(conn).await?;
        Ok(())
    }

    async fn find_rows(
        conn: &mut PgConnection,
        find: Find<'_>,
        sink: &mut RowSink<'_>,
    ) -> Result<()> {
        match find_once(conn, find.clone(), sink).await {
            // The connection has prepared this for a view that shows another table by now, and would
            // refuse it for as long as it lives.
            Err(error) if code_of(&error).as_deref() == Some(CHANGED_RESULT) => {
                conn.clear_cached_statements().await?;
                find_once(conn, find, sink).await
            }
            answer => answer,
        }
    }

    async fn can_compare(_: &mut PgConnection, _: &str, _: &'static [ColumnDef]) -> Result<bool> {
        Ok(true)
    }

    fn is_shape_error(error: &EventStoreError) -> bool {
        // Undefined table, column and operator (two types that can't be compared), and a type that
        // differs.
        matches!(
            code_of(error).as_deref(),
            Some("42P01" | "42703" | "42883" | "42804" | CHANGED_RESULT)
        )
    }

    fn is_missing_table(error: &EventStoreError) -> bool {
        code_of(error).as_deref() == Some("42P01")
    }

    fn type_name(column: &ColumnDef) -> &'static str {
        type_of(column.kind())
    }

    async fn relation(conn: &mut PgConnection, name: &str) -> Result<Option<Relation>> {
        let kind: Option<String> = sqlx::query_scalar(include_str!("queries/relation.sql"))
            .bind(quoted(name))
            .fetch_optional(conn)
            .await?;
        Ok(kind.map(|kind| match kind.as_str() {
            "r" | "p" => Relation::Table,
            "v" => Relation::View,
            _ => Relation::Other,
        }))
    }

    async fn lock_holders(conn: &mut PgConnection, name: &str) -> Result<Vec<String>> {
        lock_holders::of(conn, name).await
    }

    async fn index_table(conn: &mut PgConnection, index: &str) -> Result<Option<String>> {
        Ok(sqlx::query_scalar(include_str!("queries/index_table.sql"))
            .bind(quoted(index))
            .fetch_optional(conn)
            .await?)
    }

    async fn table_columns(conn: &mut PgConnection, table: &str) -> Result<Vec<FoundColumn>> {
        let rows: Vec<(String, String, bool, bool, bool)> =
            sqlx::query_as(include_str!("queries/table_columns.sql"))
                .bind(quoted(table))
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
        conn: &mut PgConnection,
        table: &str,
        columns: &'static [ColumnDef],
    ) -> Result<()> {
        let described = listed(columns, |_, column, name| {
            let type_name = type_of(column.kind());
            let by_bytes =
                column.kind() == ColumnKind::Text && (column.is_key() || column.is_indexed());
            let collation = if by_bytes { " COLLATE \"C\"" } else { "" };
            let not_null = if column.is_nullable() {
                ""
            } else {
                " NOT NULL"
            };
            let key = if column.is_key() { " PRIMARY KEY" } else { "" };
            format!("{name} {type_name}{collation}{not_null}{key}")
        });
        // Rows are updated far more often than they are inserted, and a page with room takes the
        // new version of a row without touching an index.
        let mut sql = format!(
            "CREATE TABLE {} ({described}) WITH (fillfactor = 80)",
            quoted(table)
        );
        for (index, column) in indexes(table, columns) {
            let key = quoted(columns[key_index(columns)].name());
            sql.push_str(&format!(
                "; CREATE INDEX {} ON {} ({}, {key})",
                quoted(&index),
                quoted(table),
                quoted(column.name()),
            ));
        }
        run(conn, sql).await
    }

    async fn point_view(conn: &mut PgConnection, view: &str, table: &str) -> Result<()> {
        sqlx::query("SELECT set_config('lock_timeout', '300', true)")
            .execute(&mut *conn)
            .await?;
        sqlx::query(include_str!("queries/point_view.sql"))
            .bind(view)
            .bind(table)
            .execute(conn)
            .await?;
        Ok(())
    }

    async fn drop_view(conn: &mut PgConnection, view: &str) -> Result<()> {
        let view = quoted(view);
        run(conn, format!("{DDL_PATIENCE}; DROP VIEW IF EXISTS {view}")).await
    }

    async fn drop_table(conn: &mut PgConnection, table: &str) -> Result<()> {
        let table = quoted(table);
        run(
            conn,
            format!("{DDL_PATIENCE}; DROP TABLE IF EXISTS {table}"),
        )
        .await
    }

    async fn clear_table(conn: &mut PgConnection, table: &str) -> Result<()> {
        run(conn, format!("DELETE FROM {}", quoted(table))).await
    }

    async fn lock_table(conn: &mut PgConnection, subscription: &str) -> Result<()> {
        for statement in [
            include_str!("queries/register_table.sql"),
            include_str!("queries/lock_table.sql"),
        ] {
            sqlx::query(statement)
                .bind(subscription)
                .execute(&mut *conn)
                .await?;
        }
        Ok(())
    }

    async fn try_lock_table(conn: &mut PgConnection, subscription: &str) -> Result<bool> {
        sqlx::query(include_str!("queries/register_table.sql"))
            .bind(subscription)
            .execute(&mut *conn)
            .await?;
        let locked: Option<i32> = sqlx::query_scalar(include_str!("queries/try_lock_table.sql"))
            .bind(subscription)
            .fetch_optional(&mut *conn)
            .await?;
        run(conn, DDL_PATIENCE.to_owned()).await?;
        Ok(locked.is_some())
    }

    async fn table_versions(
        conn: &mut PgConnection,
        subscription: &str,
    ) -> Result<Vec<RawVersion>> {
        let rows = sqlx::query(include_str!("queries/table_versions.sql"))
            .bind(subscription)
            .fetch_all(conn)
            .await?;
        rows.iter().map(version).collect()
    }

    async fn register_version(
        conn: &mut PgConnection,
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
        conn: &mut PgConnection,
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
        conn: &mut PgConnection,
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
        conn: &mut PgConnection,
        subscription_id: &str,
        seconds: f64,
        former: Option<DateTime<Utc>>,
    ) -> Result<Option<(String, String)>> {
        let row: (Option<String>, Option<String>) =
            sqlx::query_as(include_str!("queries/left_alone.sql"))
                .bind(subscription_id)
                .bind(seconds)
                .bind(former)
                .fetch_one(conn)
                .await?;
        Ok(row.0.zip(row.1))
    }

    async fn version_dropped(
        conn: &mut PgConnection,
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
        conn: &mut PgConnection,
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
        conn: &mut PgConnection,
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

    async fn serve_none(conn: &mut PgConnection, subscription: &str) -> Result<()> {
        sqlx::query(include_str!("queries/serve_none.sql"))
            .bind(subscription)
            .execute(conn)
            .await?;
        Ok(())
    }

    async fn table_owner(
        conn: &mut PgConnection,
        table_name: &str,
        subscription: &str,
    ) -> Result<Option<String>> {
        Ok(sqlx::query_scalar(include_str!("queries/table_owner.sql"))
            .bind(table_name)
            .bind(subscription)
            .fetch_optional(conn)
            .await?)
    }

    async fn serving_id(conn: &mut PgConnection, subscription_id: &str) -> Result<Option<String>> {
        Ok(sqlx::query_scalar(include_str!("queries/serving_id.sql"))
            .bind(subscription_id)
            .fetch_optional(conn)
            .await?)
    }

    async fn version_table(
        conn: &mut PgConnection,
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

fn version(row: &PgRow) -> Result<RawVersion> {
    Ok(RawVersion {
        fingerprint: row.try_get(0)?,
        table_name: row.try_get(1)?,
        generation: row.try_get(2)?,
        registered_at: row.try_get(3)?,
        ready_at: row.try_get(4)?,
        retired_at: row.try_get(5)?,
        dropped_at: row.try_get(6)?,
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

/// `feature_not_supported`: what a prepared statement answers would have other types.
const CHANGED_RESULT: &str = "0A000";

fn code_of(error: &EventStoreError) -> Option<Cow<'_, str>> {
    match error {
        EventStoreError::Database(sqlx::Error::Database(error)) => error.code(),
        _ => None,
    }
}

async fn find_once(
    conn: &mut PgConnection,
    mut find: Find<'_>,
    sink: &mut RowSink<'_>,
) -> Result<()> {
    let keys = match &mut find.filter {
        Filter::Keys(keys) => Some(std::mem::replace(keys, ColumnVec::Bool(Vec::new()))),
        _ => None,
    };
    let (sql, values) = find.sql(|key| format!("{key} = ANY($1)"));
    let mut query = sqlx::query(AssertSqlSafe(sql));
    if let Some(keys) = keys {
        query = bind_column(query, keys);
    }
    give_rows(conn, values.into_iter().fold(query, bind_value), sink).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::table::plans::{COLUMNS, finds};

    #[tokio::test]
    async fn look_ups_go_along_an_index_and_sort_nothing() {
        let database = mire_testkit::test_database().await;
        let mut conn = PgConnection::connect(database.url()).await.unwrap();
        Postgres::create_table(&mut conn, "kept", COLUMNS)
            .await
            .unwrap();
        let rows = "INSERT INTO kept SELECT 'n' || i, i % 10 FROM generate_series(1, 50000) i";
        run(&mut conn, format!("{rows}; ANALYZE kept"))
            .await
            .unwrap();
        for find in finds() {
            let (sql, values) = find.sql(|_| String::new());
            let explain = sqlx::query(AssertSqlSafe(format!("EXPLAIN {sql}")));
            let explain = values.into_iter().fold(explain, bind_value);
            let rows = explain.fetch_all(&mut conn).await.unwrap();
            let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
            let plan = plan.join("\n");
            let along = plan.contains("Index Scan") || plan.contains("Index Only Scan");
            assert!(along, "{sql}:\n{plan}");
            assert!(!plan.contains("Sort"), "{sql}:\n{plan}");
            // The place to go on from is found in the index, not looked for along it.
            let filter = plan.lines().find(|line| line.contains("Filter:"));
            assert!(filter.is_none(), "{sql}:\n{plan}");
        }
    }
}
