//! The third part of the seam: tables of projections, and the registry of their versions.
//!
//! Statements here are put together from declared names. Names are quoted, values are bound; and
//! nothing here decides anything: see [`crate::table`].

use std::future::Future;
use std::ops::Bound;

use chrono::{DateTime, Utc};
use std::time::Duration;

use super::{Result, coordination::Coordination};
use crate::column::{ColumnDef, ColumnError, ColumnKind, ColumnValue, ColumnVec, RowSource};
use crate::error::EventStoreError;

/// A row of a query's answer: `PgRow` or `SqliteRow`, as far as their features are on. It can't be
/// implemented outside mire.
pub trait Row: sqlx::Row {
    #[doc(hidden)]
    fn index_of(&self, column: &str) -> std::result::Result<usize, ColumnError>;
    #[doc(hidden)]
    fn stored(
        &self,
        index: usize,
        kind: ColumnKind,
    ) -> std::result::Result<ColumnValue, ColumnError>;
}

impl<R: Row> RowSource for R {
    fn value(
        &self,
        index: usize,
        kind: ColumnKind,
    ) -> std::result::Result<ColumnValue, ColumnError> {
        self.stored(index, kind)
    }
}

/// Takes the rows of an answer one by one.
pub type RowSink<'s> = dyn FnMut(&dyn RowSource) -> Result<()> + Send + 's;

/// The name between double quotes, which both databases take.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A column's name behind its table's. Of a name alone that no column has, SQLite makes a text.
pub fn qualified(relation: &str, column: &ColumnDef) -> String {
    format!("{}.{}", quoted(relation), quoted(column.name()))
}

/// The names of columns, quoted and separated, each with something around it.
pub fn listed(columns: &[ColumnDef], each: impl Fn(usize, &ColumnDef, String) -> String) -> String {
    let columns: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(index, column)| each(index, column, quoted(column.name())))
        .collect();
    columns.join(", ")
}

/// The names of a table's indexes, beside the key's, each with its column.
pub fn indexes<'a>(
    table: &'a str,
    columns: &'static [ColumnDef],
) -> impl Iterator<Item = (String, &'static ColumnDef)> + use<'a> {
    let indexed = |(_, column): &(usize, &ColumnDef)| column.is_indexed() && !column.is_key();
    let columns = columns.iter().enumerate().filter(indexed);
    columns.map(move |(index, column)| (format!("{table}_i{index}"), column))
}

/// The key among the columns; a declaration without one is refused before anything is asked.
pub fn key_index(columns: &[ColumnDef]) -> usize {
    columns.iter().position(ColumnDef::is_key).unwrap_or(0)
}

/// How an upsert ends: what happens to a row that is there.
pub fn on_conflict(columns: &[ColumnDef]) -> String {
    let key = quoted(columns[key_index(columns)].name());
    let rest: Vec<String> = columns
        .iter()
        .filter(|column| !column.is_key())
        .map(|column| {
            let name = quoted(column.name());
            format!("{name} = excluded.{name}")
        })
        .collect();
    if rest.is_empty() {
        format!("ON CONFLICT ({key}) DO NOTHING")
    } else {
        format!("ON CONFLICT ({key}) DO UPDATE SET {}", rest.join(", "))
    }
}

/// Which rows are looked up, and so in which order they come.
#[derive(Debug, Clone)]
pub enum Filter {
    /// The rows with these keys, in no order.
    Keys(ColumnVec),
    /// All rows, by key.
    All,
    /// The rows with a value in a column, by key.
    Equal(usize, ColumnValue),
    /// The rows with a value in a range, by value and key.
    Range(usize, Bound<ColumnValue>, Bound<ColumnValue>),
}

/// Which of these rows.
#[derive(Debug, Clone)]
pub struct Part {
    /// How many at most.
    pub limit: i64,
    /// Those behind these values, of the columns that the order is by; none for the first.
    pub after: Vec<ColumnValue>,
    /// Whether from the end.
    pub descending: bool,
}

/// A look-up.
#[derive(Debug, Clone)]
pub struct Find<'a> {
    /// The table or view.
    pub relation: &'a str,
    /// Its columns.
    pub columns: &'static [ColumnDef],
    /// Which rows.
    pub filter: Filter,
    /// Which of them.
    pub part: Part,
}

impl Find<'_> {
    /// The statement, up to the values, which come in the order of their numbers; a list of keys is
    /// left to the backend.
    ///
    /// Conditions and order are such that the index of the column, which the key follows, gives the
    /// rows as they are wanted: they need no sorting, and none before the first is read.
    pub fn sql(self, keys: impl FnOnce(&str) -> String) -> (String, Vec<ColumnValue>) {
        let name = |column: usize| qualified(self.relation, &self.columns[column]);
        let key = name(key_index(self.columns));
        let mut values = Vec::new();
        let mut conditions = Vec::new();
        let order = match self.filter {
            Filter::Keys(_) => {
                conditions.push(keys(&key));
                Vec::new()
            }
            Filter::All => vec![key],
            Filter::Equal(column, ColumnValue::Null) => {
                conditions.push(format!("{} IS NULL", name(column)));
                vec![key]
            }
            Filter::Equal(column, value) => {
                values.push(value);
                conditions.push(format!("{} = $1", name(column)));
                vec![key]
            }
            Filter::Range(column, from, to) => {
                let column = name(column);
                conditions.push(format!("{column} IS NOT NULL"));
                for (bound, including, excluding) in [(from, ">=", ">"), (to, "<=", "<")] {
                    let (comparison, value) = match bound {
                        Bound::Included(value) => (including, value),
                        Bound::Excluded(value) => (excluding, value),
                        Bound::Unbounded => continue,
                    };
                    values.push(value);
                    conditions.push(format!("{column} {comparison} ${}", values.len()));
                }
                vec![column, key]
            }
        };
        let Part {
            limit,
            after,
            descending,
        } = self.part;
        if !after.is_empty() {
            let comparison = if descending { "<" } else { ">" };
            let places: Vec<String> = (values.len() + 1..)
                .take(after.len())
                .map(|number| format!("${number}"))
                .collect();
            values.extend(after);
            let (order, places) = (order.join(", "), places.join(", "));
            conditions.push(format!("({order}) {comparison} ({places})"));
        }
        let names = listed(self.columns, |_, column, _| {
            qualified(self.relation, column)
        });
        let mut sql = format!("SELECT {names} FROM {}", quoted(self.relation));
        if !conditions.is_empty() {
            sql.push_str(" WHERE ");
            sql.push_str(&conditions.join(" AND "));
        }
        if !order.is_empty() {
            let direction = if descending { " DESC" } else { "" };
            let order: Vec<String> = order.into_iter().map(|column| column + direction).collect();
            sql.push_str(" ORDER BY ");
            sql.push_str(&order.join(", "));
        }
        sql.push_str(&format!(" LIMIT {limit}"));
        (sql, values)
    }
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// A table.
    Table,
    /// A view.
    View,
    /// Something else, such as an index.
    Other,
}

/// A column as it is in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundColumn {
    /// Its name.
    pub name: String,
    /// Its type, as the database writes it.
    pub type_name: String,
    /// Whether NULL is refused.
    pub not_null: bool,
    /// Whether it is the primary key, alone.
    pub is_key: bool,
    /// Whether an index begins with it.
    pub is_indexed: bool,
}

/// For how long a version that doesn't serve may be without a leader and still count as kept up to
/// date. A follower looks for a free lease every 5 seconds, so a failover doesn't send look-ups to
/// another table and back.
pub const LEFT_ALONE_SECONDS: f64 = 10.0;

/// A version of a table, as the registry has it.
#[derive(Debug, Clone)]
pub struct RawVersion {
    /// Of its declaration.
    pub fingerprint: String,
    /// The declared name of its table.
    pub table_name: String,
    /// The order in which versions were first seen.
    pub generation: i64,
    /// When it was.
    pub registered_at: DateTime<Utc>,
    /// Since when it is complete.
    pub ready_at: Option<DateTime<Utc>>,
    /// When another one took its place.
    pub retired_at: Option<DateTime<Utc>>,
    /// When its table was dropped.
    pub dropped_at: Option<DateTime<Utc>>,
    /// What kept it from being swapped in.
    pub hindrance: Option<String>,
    /// Whether it serves.
    pub serving: bool,
    /// Its checkpoint.
    pub position: Option<i64>,
    /// How many positions it came forward since a runner last started with it.
    pub measured: Option<i64>,
    /// In how many seconds.
    pub measured_seconds: Option<f64>,
    /// Whether it has a leader.
    pub live: bool,
    /// Since when it has shown no sign of life; negative while its lease lasts.
    pub idle_seconds: f64,
    /// How many of its events are parked.
    pub parked: i64,
}

/// The table that a version's subscription keeps.
#[derive(Debug, Clone)]
pub struct VersionTable {
    /// The declared subscription.
    pub subscription: String,
    /// The version.
    pub fingerprint: String,
    /// The name of its table in the database.
    pub physical: String,
}

/// Tables of projections.
pub trait Tables: Coordination {
    /// The statements of one table's pages, put together once.
    type Statements: Send + Sync + 'static;

    /// Puts them together.
    fn statements(table: &str, columns: &'static [ColumnDef]) -> Self::Statements;

    /// Reads the rows with these keys.
    fn load_rows(
        conn: &mut Self::Connection,
        statements: &Self::Statements,
        keys: ColumnVec,
        sink: &mut RowSink<'_>,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Writes rows, whether they are there or not. Their keys are distinct.
    fn write_rows(
        conn: &mut Self::Connection,
        statements: &Self::Statements,
        rows: Vec<ColumnVec>,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Deletes the rows with these keys.
    fn delete_rows(
        conn: &mut Self::Connection,
        statements: &Self::Statements,
        keys: ColumnVec,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Looks rows up.
    fn find_rows(
        conn: &mut Self::Connection,
        find: Find<'_>,
        sink: &mut RowSink<'_>,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Whether an error says that a table, a column or a fitting type is not there.
    fn is_shape_error(error: &EventStoreError) -> bool;

    /// Whether values of these columns can be compared with a relation's columns, where the database
    /// compares values of any types.
    fn can_compare(
        conn: &mut Self::Connection,
        relation: &str,
        columns: &'static [ColumnDef],
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Whether an error says that a table is not there.
    fn is_missing_table(error: &EventStoreError) -> bool;

    /// The database's name of a column's type.
    fn type_name(column: &ColumnDef) -> &'static str;

    /// What a name stands for; `None` when nothing has it.
    fn relation(
        conn: &mut Self::Connection,
        name: &str,
    ) -> impl Future<Output = Result<Option<Relation>>> + Send;

    /// Who holds a lock on a view or table, and how to have them let go, in words.
    fn lock_holders(
        conn: &mut Self::Connection,
        name: &str,
    ) -> impl Future<Output = Result<Vec<String>>> + Send;

    /// The table that an index is on; `None` when no index has this name where a table is created.
    fn index_table(
        conn: &mut Self::Connection,
        index: &str,
    ) -> impl Future<Output = Result<Option<String>>> + Send;

    /// The columns of a table.
    fn table_columns(
        conn: &mut Self::Connection,
        table: &str,
    ) -> impl Future<Output = Result<Vec<FoundColumn>>> + Send;

    /// Creates a table and its indexes.
    fn create_table(
        conn: &mut Self::Connection,
        table: &str,
        columns: &'static [ColumnDef],
    ) -> impl Future<Output = Result<()>> + Send;

    /// Has a view show a table, whether it is there or not. Waits for no lock for longer than a
    /// moment.
    fn point_view(
        conn: &mut Self::Connection,
        view: &str,
        table: &str,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Drops a view, if it is there.
    fn drop_view(
        conn: &mut Self::Connection,
        view: &str,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Drops a table, if it is there. Waits for no lock for longer than a moment.
    fn drop_table(
        conn: &mut Self::Connection,
        table: &str,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Deletes all rows of a table.
    fn clear_table(
        conn: &mut Self::Connection,
        table: &str,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Locks the registry of a table until the transaction ends.
    fn lock_table(
        conn: &mut Self::Connection,
        subscription: &str,
    ) -> impl Future<Output = Result<()>> + Send;

    /// The same if it can be had at once, and answers whether it could. No lock is waited for longer
    /// than a moment from then on, until the transaction ends: somebody's work stands still meanwhile.
    fn try_lock_table(
        conn: &mut Self::Connection,
        subscription: &str,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// All versions of a table, by generation.
    fn table_versions(
        conn: &mut Self::Connection,
        subscription: &str,
    ) -> impl Future<Output = Result<Vec<RawVersion>>> + Send;

    /// Notes a version that was never seen before.
    fn register_version(
        conn: &mut Self::Connection,
        subscription: &str,
        fingerprint: &str,
        table_name: &str,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Notes that a runner starts with a version.
    fn version_prepared(
        conn: &mut Self::Connection,
        subscription: &str,
        fingerprint: &str,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Notes whether a version has caught up.
    fn version_ready(
        conn: &mut Self::Connection,
        subscription: &str,
        fingerprint: &str,
        ready: bool,
    ) -> impl Future<Output = Result<()>> + Send;

    /// The declared subscription and the fingerprint of a version that nobody has led for so many
    /// seconds, if look-ups read it until then: it is complete, doesn't serve, and is behind the one
    /// that does, or may be before this commits. For whoever has just taken its lease, which lasted until `former` before. On
    /// PostgreSQL the server ends the transaction after a second of silence from then on.
    fn left_alone(
        conn: &mut Self::Connection,
        subscription_id: &str,
        seconds: f64,
        former: Option<DateTime<Utc>>,
    ) -> impl Future<Output = Result<Option<(String, String)>>> + Send;

    /// Notes that a version's table was dropped.
    fn version_dropped(
        conn: &mut Self::Connection,
        subscription: &str,
        fingerprint: &str,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Notes what keeps a version from being swapped in.
    fn version_hindrance(
        conn: &mut Self::Connection,
        subscription: &str,
        fingerprint: &str,
        hindrance: Option<&str>,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Makes a version the one that serves, and retires the one that did.
    fn serve_version(
        conn: &mut Self::Connection,
        subscription: &str,
        fingerprint: &str,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Has no version serve, once their tables are dropped.
    fn serve_none(
        conn: &mut Self::Connection,
        subscription: &str,
    ) -> impl Future<Output = Result<()>> + Send;

    /// The subscription that keeps a table of a declared name, beside a given one.
    fn table_owner(
        conn: &mut Self::Connection,
        table_name: &str,
        subscription: &str,
    ) -> impl Future<Output = Result<Option<String>>> + Send;

    /// The subscription of the version that serves, for the name of a table's subscription.
    fn serving_id(
        conn: &mut Self::Connection,
        subscription_id: &str,
    ) -> impl Future<Output = Result<Option<String>>> + Send;

    /// The table that a version's subscription keeps.
    fn version_table(
        conn: &mut Self::Connection,
        subscription_id: &str,
    ) -> impl Future<Output = Result<Option<VersionTable>>> + Send;
}

/// The time that a number of seconds stands for; none for a negative one.
pub fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// Look-ups whose plans the backends hold against what [`Find::sql`] promises.
#[cfg(test)]
pub(crate) mod plans {
    use super::{Bound, ColumnDef, ColumnValue, Filter, Find, Part};

    pub(crate) const COLUMNS: &[ColumnDef] = &[
        ColumnDef::of::<String>("name").key(),
        ColumnDef::of::<i64>("balance").indexed(),
    ];

    /// Each way to look rows up, in either direction, from the start and behind a row.
    pub(crate) fn finds() -> impl Iterator<Item = Find<'static>> {
        let name = || ColumnValue::Text("n3".to_owned());
        let balance = ColumnValue::I64;
        let range = |from, to| Filter::Range(1, from, to);
        let filters = [
            (Filter::All, vec![name()]),
            (Filter::Equal(1, balance(5)), vec![name()]),
            (
                range(Bound::Unbounded, Bound::Unbounded),
                vec![balance(5), name()],
            ),
            (
                range(Bound::Included(balance(2)), Bound::Excluded(balance(8))),
                vec![balance(5), name()],
            ),
        ];
        filters.into_iter().flat_map(|(filter, behind)| {
            [(false, false), (false, true), (true, false), (true, true)].map(
                |(descending, continued)| Find {
                    relation: "kept",
                    columns: COLUMNS,
                    filter: filter.clone(),
                    part: Part {
                        limit: 20,
                        after: if continued {
                            behind.clone()
                        } else {
                            Vec::new()
                        },
                        descending,
                    },
                },
            )
        })
    }
}
