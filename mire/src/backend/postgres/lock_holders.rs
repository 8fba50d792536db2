//! Who is in the way of a change of a view or table, in words.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::backend::Result;
use crate::backend::table::quoted;

/// The sessions that hold a lock on a view or table, and how to have them let go.
pub(super) async fn of(conn: &mut PgConnection, name: &str) -> Result<Vec<String>> {
    let rows = sqlx::query(include_str!("queries/lock_holders.sql"))
        .bind(quoted(name))
        .fetch_all(conn)
        .await?;
    rows.iter().map(told).collect()
}

fn told(row: &PgRow) -> Result<String> {
    let Some(pid) = row.try_get::<Option<i32>, _>("pid")? else {
        return Ok("a prepared transaction: `pg_prepared_xacts` lists them".to_owned());
    };
    let known: Vec<String> = [
        row.try_get::<Option<String>, _>("application")?
            .map(|name| format!("`{name}`")),
        row.try_get("state")?,
        row.try_get::<Option<String>, _>("begun")?
            .map(|time| format!("since {time}")),
    ]
    .into_iter()
    .flatten()
    .collect();
    // Of other roles' sessions not everybody is told more.
    let known = if known.is_empty() {
        String::new()
    } else {
        format!(" ({})", known.join(", "))
    };
    Ok(format!(
        "session {pid}{known}: let it finish, or end it with `SELECT pg_terminate_backend({pid})`"
    ))
}
