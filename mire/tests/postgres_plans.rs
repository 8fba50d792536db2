//! No query's cost grows with the log: each touches a page of rows and scans no table, whatever the
//! planner knows, or doesn't know, about the tables.
//!
//! What is counted are the rows that the server says it touched, not the words of a plan: a bitmap
//! scan with a sort above it shows as well as a sequential scan does.

#![cfg(feature = "postgres")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::common::projections::{elsewhere, fast, start, stop, until};
use crate::declared_projections::Balance;
use mire::TableProjection;
use mire::table::Page;
use mire_testkit::TestDatabase;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

/// Events of the longest stream, and of all others together.
const LONG: i64 = 20_000;
const OTHERS: i64 = 20_000;

/// The limit that every page is asked for with.
const LIMIT: i64 = 100;

/// The arguments of each query on the tables of the log, and how many rows it may touch.
fn queries() -> BTreeMap<&'static str, (&'static str, i64)> {
    let page = LIMIT + 8;
    let append = "ARRAY['account-long', 'account-7', 'account-new'], \
         ARRAY['account', 'account', 'account'], ARRAY[-1, 20, 0]::bigint[], ARRAY[1, 1, 1], \
         ARRAY['a', NULL, NULL], ARRAY[1, 2, 3], ARRAY[1, 1, 1], ARRAY['t', 't', 't'], \
         ARRAY[1, 1, 1], ARRAY['{}', '{}', '{}'], ARRAY[NULL, NULL, NULL]::text[], \
         false, false, 1000";
    BTreeMap::from([
        ("append.sql", (append, 20)),
        ("create_stream.sql", ("'account-newer', 'account'", 4)),
        ("export_keys.sql", ("'account-1', 'k', 1000000, 100", page)),
        (
            "first_orphan.sql",
            ("ARRAY['account-long', 'account-7'], ARRAY[5000, 3]", 8),
        ),
        ("fold_stream.sql", ("'account-long', 5000, 100", page)),
        (
            "fold_streams.sql",
            (
                "ARRAY['account-long', 'account-7'], ARRAY[5000, 3], 100",
                2 * page,
            ),
        ),
        ("import_head.sql", ("", 2)),
        (
            "import.sql",
            (
                "ARRAY[9000000], ARRAY['account-x'], ARRAY['account'], ARRAY[1], ARRAY['t'], \
                 ARRAY[1], ARRAY['{}'], ARRAY[NULL]::text[], ARRAY[now()]",
                4,
            ),
        ),
        (
            "import_keys.sql",
            (
                "ARRAY['account-1'], ARRAY['k'], ARRAY[1], ARRAY[1], ARRAY[now()]",
                4,
            ),
        ),
        (
            "import_streams.sql",
            ("ARRAY['account-7'], ARRAY['account'], ARRAY[99]", 4),
        ),
        ("is_migrated.sql", ("", 2)),
        ("load_snapshot.sql", ("'account-long'", 2)),
        ("lock_log.sql", ("", 0)),
        ("lock_stream.sql", ("'account-long'", 4)),
        (
            "read_categories.sql",
            ("5000, 1000000, 100, ARRAY['account', 'order']", 2 * page),
        ),
        ("read_category.sql", ("5000, 1000000, 100, 'account'", page)),
        ("read_log.sql", ("5000, 1000000, 100", page)),
        (
            "read_stream_backward.sql",
            ("'account-long', 9223372036854775807, 100", page),
        ),
        (
            "read_stream_forward.sql",
            ("'account-long', 5000, 100", page),
        ),
        ("safe_head.sql", ("", 2)),
        ("save_snapshot.sql", ("'account-long', 7, 1, '{}'", 4)),
        ("tell_events.sql", ("'me'", 0)),
        ("stream_version.sql", ("'account-long'", 2)),
    ])
}

/// A database whose log has many events, made without the planner hearing of it.
async fn large_log(analyzed: bool) -> (PgConnection, TestDatabase) {
    let (store, database) = crate::common::store().await;
    drop(store);
    let mut conn = PgConnection::connect(database.url()).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!(
        "ALTER TABLE mire_streams SET (autovacuum_enabled = off);
         ALTER TABLE mire_events SET (autovacuum_enabled = off);
         INSERT INTO mire_streams
         SELECT 'account-' || i, 'account', 20 FROM generate_series(1, {OTHERS} / 20) i;
         INSERT INTO mire_streams VALUES ('account-long', 'account', {LONG});
         INSERT INTO mire_events
         SELECT nextval('mire_position'), 'account-' || i, 'account', v, 't', 1, '{{}}', NULL, now()
           FROM generate_series(1, 20) v, generate_series(1, {OTHERS} / 20) i;
         INSERT INTO mire_events
         SELECT nextval('mire_position'), 'account-long', 'account', v, 't', 1, '{{}}', NULL, now()
           FROM generate_series(1, {LONG}) v;
         INSERT INTO mire_idempotency
         SELECT stream_id, 'k' || v, v, v, now()
           FROM mire_streams, generate_series(1, 10) v;
         INSERT INTO mire_snapshots
         SELECT stream_id, 5, 1, '{{}}', now() FROM mire_streams"
    )))
    .execute(&mut conn)
    .await
    .unwrap();
    if analyzed {
        sqlx::raw_sql("ANALYZE").execute(&mut conn).await.unwrap();
    }
    (conn, database)
}

/// Sequential scans, and rows touched, of the log's tables in this session so far.
async fn touched(conn: &mut PgConnection) -> (i64, i64) {
    let row = sqlx::query(
        "SELECT sum(seq_scan)::bigint,
                sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::bigint
           FROM pg_stat_xact_user_tables
          WHERE relname IN ('mire_events', 'mire_streams', 'mire_idempotency', 'mire_snapshots')",
    )
    .fetch_one(conn)
    .await
    .unwrap();
    (row.get(0), row.get(1))
}

fn folder() -> &'static Path {
    Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/backend/postgres/queries"
    ))
}

#[test]
fn every_query_on_the_log_is_checked() {
    const TABLES: [&str; 6] = [
        "mire_events",
        "mire_streams",
        "mire_idempotency",
        "mire_snapshots",
        "mire_append",
        "mire_safe_head",
    ];
    let checked = queries();
    for file in fs::read_dir(folder()).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let on_the_log = TABLES.iter().any(|table| text.contains(table));
        assert!(
            !on_the_log || checked.contains_key(name),
            "{name} reads or writes the log: give it arguments and a bound in `queries()`"
        );
    }
}

#[tokio::test]
async fn no_query_touches_more_than_a_page() {
    for analyzed in [true, false] {
        let (mut conn, _database) = large_log(analyzed).await;
        for (name, (arguments, bound)) in queries() {
            let query = fs::read_to_string(folder().join(name)).unwrap();
            for mode in ["force_custom_plan", "force_generic_plan"] {
                let mut tx = conn.begin().await.unwrap();
                let before = touched(&mut tx).await;
                let run = match name {
                    // It can't be prepared.
                    "lock_log.sql" => query.clone(),
                    _ if arguments.is_empty() => format!("PREPARE q AS {query}; EXECUTE q"),
                    _ => format!("PREPARE q AS {query}; EXECUTE q({arguments})"),
                };
                let run = format!("SET LOCAL plan_cache_mode = {mode}; {run}");
                sqlx::raw_sql(AssertSqlSafe(run))
                    .execute(&mut *tx)
                    .await
                    .unwrap_or_else(|error| panic!("{name}: {error}"));
                let after = touched(&mut tx).await;
                tx.rollback().await.unwrap();
                let _ = sqlx::raw_sql("DEALLOCATE q").execute(&mut conn).await;
                let case = format!("{name}, {mode}, analyzed: {analyzed}");
                assert_eq!(after.0 - before.0, 0, "sequential scans: {case}");
                assert!(
                    after.1 - before.1 <= bound,
                    "{} rows of the log were touched, {bound} are enough: {case}",
                    after.1 - before.1
                );
            }
        }
    }
}

/// A session keeps its plans. One that planned while the log was empty must not scan it later.
#[tokio::test]
async fn plans_made_for_an_empty_log_stay_right() {
    let (mut conn, _database) = large_log(false).await;
    sqlx::raw_sql(
        "CREATE TABLE kept AS SELECT * FROM mire_streams;
         TRUNCATE mire_streams; ANALYZE mire_streams",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let append = format!("SELECT * FROM mire_append({})", queries()["append.sql"].0);
    let of_others = append.replace("account-", "account-other-");
    for _ in 0..10 {
        let mut tx = conn.begin().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(of_others.clone()))
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.rollback().await.unwrap();
    }
    sqlx::raw_sql("INSERT INTO mire_streams SELECT * FROM kept")
        .execute(&mut conn)
        .await
        .unwrap();
    let mut tx = conn.begin().await.unwrap();
    let before = touched(&mut tx).await;
    sqlx::raw_sql(AssertSqlSafe(append))
        .execute(&mut *tx)
        .await
        .unwrap();
    let after = touched(&mut tx).await;
    assert_eq!(after.0 - before.0, 0, "sequential scans");
    assert!(after.1 - before.1 <= 20, "{} rows", after.1 - before.1);
}

/// Rows of a projection's table, and how many of them have the same value in its index.
const ROWS: i64 = 20_000;
const ALIKE: i64 = 5_000;

/// Sequential scans, and rows touched, of the table of `Balance` in this transaction so far.
async fn touched_balances(store: &mire::EventStore) -> (i64, i64) {
    sqlx::query_as(
        "SELECT seq_scan, seq_tup_read + coalesce(idx_tup_fetch, 0)
           FROM pg_stat_xact_user_tables WHERE relname = $1",
    )
    .bind(Balance::TABLE.physical_table())
    .fetch_one(store.pool())
    .await
    .unwrap()
}

/// The look-ups that a declaration writes touch the rows that they answer, and few besides: neither
/// the table nor the index of its key is walked through for a value in another index.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_declared_look_up_by_an_index_touches_its_rows_alone() {
    for analyzed in [true, false] {
        let (store, _database) = crate::common::store().await;
        let running = start(fast(&store, "a").subscribe_table::<Balance>());
        until("the table is complete", || async {
            let status = Balance::status(&store).await.unwrap();
            status.own().is_some_and(|own| own.ready_at.is_some())
        })
        .await;
        stop(running).await;
        let table = Balance::TABLE.physical_table();
        let analyze = if analyzed { "ANALYZE" } else { "" };
        // Balances of 0 for many, and another one for each of the rest.
        sqlx::raw_sql(AssertSqlSafe(format!(
            "ALTER TABLE {table} SET (autovacuum_enabled = off);
             INSERT INTO {table} (account, owner, balance, tags)
             SELECT gen_random_uuid(), 'o', greatest(i - {ALIKE}, 0), '{{}}'
               FROM generate_series(1, {ROWS}) i;
             {analyze}"
        )))
        .execute(store.pool())
        .await
        .unwrap();

        // What is counted is of one transaction, so the pool has one connection, and that is in it.
        let store = elsewhere(&store, 1);
        sqlx::raw_sql("BEGIN").execute(store.pool()).await.unwrap();
        let mut before = touched_balances(&store).await;
        // More often than a plan is made for the values at hand.
        for round in 0..8 {
            let mut look_ups = Vec::new();
            let one = Balance::by_balance(&store, &(7 + round), 10).await;
            look_ups.push(("one row", 1, one.unwrap(), touched_balances(&store).await));
            let first = Balance::by_balance(&store, &0, 10).await.unwrap();
            let last = first[9].account;
            look_ups.push((
                "a page of equals",
                10,
                first,
                touched_balances(&store).await,
            ));
            let page = Page::of(10).after(&last);
            let next = Balance::by_balance(&store, &0, page).await.unwrap();
            look_ups.push(("the next of them", 10, next, touched_balances(&store).await));
            let range = Balance::by_balance_range(&store, 100 + round.., 10).await;
            look_ups.push((
                "a range",
                10,
                range.unwrap(),
                touched_balances(&store).await,
            ));
            let few = Balance::by_balance_range(&store, 50..=52, 10).await;
            look_ups.push((
                "a short range",
                3,
                few.unwrap(),
                touched_balances(&store).await,
            ));
            for (name, expected, rows, after) in look_ups {
                let case = format!("{name}, round {round}, analyzed: {analyzed}");
                assert_eq!(rows.len(), expected, "{case}");
                assert_eq!(after.0 - before.0, 0, "sequential scans: {case}");
                let count = after.1 - before.1;
                assert!(
                    usize::try_from(count).unwrap() <= expected + 2,
                    "{count} rows were touched, {expected} were asked for: {case}"
                );
                before = after;
            }
        }
    }
}
