//! What `mire_append` answers, and what it leaves behind, for every way through it: the function is
//! called by itself, so that no queue decides what travels together.
#![cfg(feature = "postgres")]

use std::collections::BTreeMap;
use std::time::Duration;

use mire::EventStore;
use mire_testkit::TestDatabase;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sqlx::{Connection, PgConnection, Row};

use crate::common::projections::until;

const ANY: i64 = -1;

/// Events for one stream.
#[derive(Debug, Clone)]
struct Part {
    stream: String,
    expected: i64,
    key: Option<String>,
}

fn part(stream: &str, expected: i64) -> Part {
    Part {
        stream: stream.to_owned(),
        expected,
        key: None,
    }
}

fn keyed(stream: &str, expected: i64, key: &str) -> Part {
    Part {
        key: Some(key.to_owned()),
        ..part(stream, expected)
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Mode {
    EachOrBusy,
    EachWaiting,
    Atomic,
}

use Mode::{Atomic, EachOrBusy, EachWaiting};

const MODES: [Mode; 3] = [EachOrBusy, EachWaiting, Atomic];

#[derive(Debug, Clone, PartialEq)]
struct Answer {
    outcomes: Vec<String>,
    versions: Vec<i64>,
    /// An element a stream; the position of what was repeated.
    repeated: Vec<Option<i64>>,
    /// An element an event.
    positions: Vec<Option<i64>>,
}

/// Calls the function. `owners` names, for each event, the place of its stream among the parts,
/// which are sorted as the function asks for.
async fn call(
    conn: &mut PgConnection,
    parts: &[Part],
    owners: &[usize],
    mode: Mode,
    lock_timeout: Option<i32>,
) -> Result<Answer, sqlx::Error> {
    assert!(parts.is_sorted_by_key(|part| part.stream.as_bytes()));
    let mut counts = vec![0_i32; parts.len()];
    let numbers: Vec<i32> = owners
        .iter()
        .map(|owner| {
            counts[*owner] += 1;
            counts[*owner]
        })
        .collect();
    let keys = parts.iter().map(|part| part.key.clone());
    let some_key = parts.iter().any(|part| part.key.is_some());
    let category = |part: &Part| part.stream.split('-').next().unwrap().to_owned();
    let row = sqlx::query(
        "SELECT outcomes, versions, repeated, positions FROM
         mire_append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(parts.iter().map(|part| &part.stream).collect::<Vec<_>>())
    .bind(parts.iter().map(category).collect::<Vec<_>>())
    .bind(parts.iter().map(|part| part.expected).collect::<Vec<_>>())
    .bind(&counts)
    .bind(some_key.then(|| keys.collect::<Vec<_>>()))
    .bind(owners.iter().map(|at| *at as i32 + 1).collect::<Vec<_>>())
    .bind(&numbers)
    .bind(
        (0..owners.len())
            .map(|n| format!("x.{n}"))
            .collect::<Vec<_>>(),
    )
    .bind((0..owners.len()).map(|n| n as i32 + 7).collect::<Vec<_>>())
    .bind(
        (0..owners.len())
            .map(|n| format!("[{n}]"))
            .collect::<Vec<_>>(),
    )
    .bind((0..owners.len()).map(metadata).collect::<Vec<_>>())
    .bind(mode != EachOrBusy)
    .bind(mode == Atomic)
    .bind(lock_timeout)
    .fetch_one(conn)
    .await?;
    let repeated: Option<Vec<Option<i64>>> = row.get(2);
    let positions: Option<Vec<Option<i64>>> = row.get(3);
    Ok(Answer {
        outcomes: row.get(0),
        versions: row.get(1),
        repeated: repeated.unwrap_or_else(|| vec![None; parts.len()]),
        positions: positions.unwrap_or_else(|| vec![None; owners.len()]),
    })
}

/// Every other event has none.
fn metadata(n: usize) -> Option<String> {
    n.is_multiple_of(2).then(|| format!("{{\"n\":{n}}}"))
}

/// One event for each part.
async fn one_each(conn: &mut PgConnection, parts: &[Part], mode: Mode) -> Answer {
    let owners: Vec<usize> = (0..parts.len()).collect();
    call(conn, parts, &owners, mode, Some(10_000))
        .await
        .unwrap()
}

async fn set_up() -> (EventStore, TestDatabase, PgConnection) {
    let (store, database) = crate::common::store().await;
    let conn = PgConnection::connect(database.url()).await.unwrap();
    (store, database, conn)
}

/// Streams and their versions, also of those that have none.
async fn streams(store: &EventStore) -> Vec<(String, i64)> {
    sqlx::query_as("SELECT stream_id, version FROM mire_streams ORDER BY 1")
        .fetch_all(store.pool())
        .await
        .unwrap()
}

fn there(expected: &[(&str, i64)]) -> Vec<(String, i64)> {
    let owned = |(stream, version): &(&str, i64)| ((*stream).to_owned(), *version);
    expected.iter().map(owned).collect()
}

async fn events(store: &EventStore) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM mire_events")
        .fetch_one(store.pool())
        .await
        .unwrap()
}

async fn until_somebody_waits_for_a_lock(store: &EventStore) {
    until("somebody waits for a lock", || async {
        let waiting: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity
              WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
        .fetch_one(store.pool())
        .await
        .unwrap();
        waiting > 0
    })
    .await;
}

fn is_lock_timeout(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(|error| error.code().as_deref() == Some("55P03"))
}

#[tokio::test]
async fn what_is_expected_of_new_streams_and_of_others() {
    let (store, _database, mut conn) = set_up().await;
    for (n, mode) in MODES.into_iter().enumerate() {
        let (a, b, c) = (format!("a-{n}"), format!("b-{n}"), format!("c-{n}"));
        // Alone, then beside another one.
        let new = one_each(&mut conn, &[part(&a, 0)], mode).await;
        assert_eq!((&*new.outcomes[0], new.versions[0]), ("written", 0));
        let any = one_each(&mut conn, &[part(&a, ANY)], mode).await;
        assert_eq!((&*any.outcomes[0], any.versions[0]), ("written", 1));
        let exact = one_each(&mut conn, &[part(&a, 2)], mode).await;
        assert_eq!((&*exact.outcomes[0], exact.versions[0]), ("written", 2));
        for (expected, stream, actual) in [(0, &a, 3), (2, &a, 3), (4, &a, 3), (1, &b, 0)] {
            let no = one_each(&mut conn, &[part(stream, expected)], mode).await;
            assert_eq!((&*no.outcomes[0], no.versions[0]), ("conflict", actual));
            assert_eq!(no.positions, [None]);
        }
        let both = [part(&a, ANY), part(&b, ANY), part(&c, 0)];
        let both = one_each(&mut conn, &both, mode).await;
        assert_eq!(both.outcomes, ["written"; 3]);
        assert_eq!(both.versions, [3, 0, 0]);
        let all_as_expected = [part(&a, 4), part(&b, 1), part(&c, 1)];
        let all = one_each(&mut conn, &all_as_expected, mode).await;
        assert_eq!(all.outcomes, ["written"; 3]);
        let mixed = [part(&a, 5), part(&b, ANY), part(&c, 2)];
        let mixed = one_each(&mut conn, &mixed, mode).await;
        assert_eq!(mixed.outcomes, ["written"; 3]);
        assert_eq!(mixed.versions, [5, 2, 2]);
    }
    let expected = (0..3).flat_map(|n| [("a", 6), ("b", 3), ("c", 3)].map(|s| (n, s)));
    let mut expected: Vec<_> = expected
        .map(|(n, (s, v))| (format!("{s}-{n}"), v))
        .collect();
    expected.sort();
    assert_eq!(streams(&store).await, expected);
}

#[tokio::test]
async fn a_stream_that_somebody_holds_is_busy_whatever_is_expected_of_it() {
    let (store, _database, mut conn) = set_up().await;
    let start = [keyed("a-1", 0, "k"), part("a-2", 0), part("a-3", 0)];
    one_each(&mut conn, &start, EachOrBusy).await;
    let mut other = store.pool().begin().await.unwrap();
    sqlx::raw_sql("SELECT * FROM mire_streams WHERE stream_id = 'a-1' FOR UPDATE")
        .execute(&mut *other)
        .await
        .unwrap();
    for held in [
        part("a-1", ANY),
        part("a-1", 0),
        part("a-1", 1),
        part("a-1", 2),
        // Its key is not looked at: the one that it was taken for may be under way.
        keyed("a-1", ANY, "k"),
        keyed("a-1", 1, "new"),
    ] {
        let alone = one_each(&mut conn, std::slice::from_ref(&held), EachOrBusy).await;
        assert_eq!((&*alone.outcomes[0], alone.versions[0]), ("busy", -1));
        assert_eq!(alone.positions, [None]);
        for expected in [ANY, 1] {
            let before = streams(&store).await;
            let version = before[1].1;
            let expected = if expected == ANY { ANY } else { version };
            let batch = [held.clone(), part("a-2", expected), part("a-3", expected)];
            let answer = one_each(&mut conn, &batch, EachOrBusy).await;
            assert_eq!(answer.outcomes, ["busy", "written", "written"], "{held:?}");
            assert_eq!(answer.versions, [-1, version, version]);
            assert_eq!(answer.positions[0], None);
            let after = there(&[("a-1", 1), ("a-2", version + 1), ("a-3", version + 1)]);
            assert_eq!(streams(&store).await, after);
        }
    }
    other.rollback().await.unwrap();
}

#[tokio::test]
async fn every_outcome_in_one_batch() {
    let (store, _database, mut conn) = set_up().await;
    let start = [part("a-1", 0), keyed("a-2", 0, "k"), part("a-3", 0)];
    let started = one_each(&mut conn, &start, EachOrBusy).await;
    let mut other = store.pool().begin().await.unwrap();
    sqlx::raw_sql("SELECT * FROM mire_streams WHERE stream_id = 'a-1' FOR UPDATE")
        .execute(&mut *other)
        .await
        .unwrap();
    let batch = [
        part("a-1", ANY),
        keyed("a-2", 0, "k"),
        part("a-3", 0),
        part("a-4", 5),
        keyed("a-5", ANY, "k"),
        part("a-6", 0),
    ];
    // Their events lie between one another, and the busy one's come first and last.
    let owners = [0, 5, 1, 4, 5, 2, 4, 3, 5, 0];
    let answer = call(&mut conn, &batch, &owners, EachOrBusy, Some(10_000))
        .await
        .unwrap();
    let outcomes = [
        "busy", "repeated", "conflict", "conflict", "written", "written",
    ];
    assert_eq!(answer.outcomes, outcomes);
    assert_eq!(answer.versions, [-1, 1, 1, 0, 0, 0]);
    let repeated = [None, started.positions[1], None, None, None, None];
    assert_eq!(answer.repeated, repeated);
    let places = [
        None,
        Some(4),
        None,
        Some(5),
        Some(6),
        None,
        Some(7),
        None,
        Some(8),
        None,
    ];
    assert_eq!(answer.positions, places);
    let after = [("a-1", 1), ("a-2", 1), ("a-3", 1), ("a-5", 2), ("a-6", 3)];
    assert_eq!(streams(&store).await, there(&after));
    assert_eq!(events(&store).await, 8);
    other.rollback().await.unwrap();

    // The key was kept, with the last of its two events.
    let again = one_each(&mut conn, &[keyed("a-5", 0, "k")], EachOrBusy).await;
    assert_eq!(again.outcomes, ["repeated"]);
    assert_eq!((again.versions[0], again.repeated[0]), (2, Some(7)));
}

#[tokio::test]
async fn keys_are_told_apart_by_stream_and_repeated_in_every_mode() {
    let (store, _database, mut conn) = set_up().await;
    for (n, mode) in MODES.into_iter().enumerate() {
        let (a, b) = (format!("a-{n}"), format!("b-{n}"));
        let first = call(&mut conn, &[keyed(&a, 0, "k")], &[0, 0], mode, None)
            .await
            .unwrap();
        let last = first.positions[1];
        // Whatever is expected now, and whatever came after.
        one_each(&mut conn, &[part(&a, 2)], mode).await;
        for expected in [ANY, 0, 2, 3, 9] {
            let again = one_each(&mut conn, &[keyed(&a, expected, "k")], mode).await;
            assert_eq!(again.outcomes, ["repeated"]);
            assert_eq!((again.versions[0], again.repeated[0]), (2, last));
        }
        // The same key on another stream is another one's; beside it a stream without a key.
        let both = [
            keyed(&a, 0, "k"),
            keyed(&b, 0, "k"),
            part(&format!("c-{n}"), 0),
        ];
        let answer = one_each(&mut conn, &both, mode).await;
        assert_eq!(answer.outcomes, ["repeated", "written", "written"]);
        assert_eq!(answer.positions[0], None);
        let other = one_each(&mut conn, &[keyed(&a, 3, "other")], mode).await;
        assert_eq!(other.outcomes, ["written"]);
    }
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM mire_idempotency")
        .fetch_one(store.pool())
        .await
        .unwrap();
    assert_eq!(kept, 9);
}

#[tokio::test]
async fn of_an_atomic_append_with_a_conflict_nothing_is_left_behind() {
    let (store, _database, mut conn) = set_up().await;
    one_each(&mut conn, &[keyed("b-1", 0, "k"), part("c-1", 0)], Atomic).await;
    let before = (streams(&store).await, events(&store).await);
    let all_new = part("a-1", 0);
    let batches = [
        (
            vec![part("a-1", 0), part("c-1", 0)],
            vec!["abandoned", "conflict"],
        ),
        (
            vec![part("a-1", ANY), part("c-1", 2)],
            vec!["abandoned", "conflict"],
        ),
        (
            vec![part("a-1", 3), part("c-1", ANY)],
            vec!["conflict", "abandoned"],
        ),
        (
            vec![part("a-1", 3), part("d-1", 0)],
            vec!["conflict", "abandoned"],
        ),
        (
            vec![part("a-1", 3), part("d-1", 3)],
            vec!["conflict", "conflict"],
        ),
        (
            vec![all_new, keyed("b-1", 0, "k"), part("c-1", 0)],
            vec!["abandoned", "repeated", "conflict"],
        ),
        (
            vec![keyed("a-1", 0, "k"), part("c-1", 0)],
            vec!["abandoned", "conflict"],
        ),
        (vec![part("c-1", 0)], vec!["conflict"]),
        (vec![part("a-1", 1)], vec!["conflict"]),
    ];
    for (batch, outcomes) in batches {
        let answer = one_each(&mut conn, &batch, Atomic).await;
        assert_eq!(answer.outcomes, outcomes, "{batch:?}");
        assert!(answer.positions.iter().all(Option::is_none));
        assert_eq!(
            (streams(&store).await, events(&store).await),
            before,
            "{batch:?}"
        );
    }
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM mire_idempotency")
        .fetch_one(store.pool())
        .await
        .unwrap();
    assert_eq!(kept, 1);
    // Nothing was drawn for what was given up.
    let next = one_each(&mut conn, &[part("a-1", 0), part("c-1", 1)], Atomic).await;
    assert_eq!(next.positions, [Some(3), Some(4)]);
}

/// Who waits for a stream finds it as its holder left it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_waited_for_is_found_as_it_was_left() {
    let (store, database, mut conn) = set_up().await;
    let mut round = 0;
    for (mode, commits, several) in [EachWaiting, Atomic].into_iter().flat_map(|mode| {
        [(true, true), (true, false), (false, true), (false, false)].map(|(c, s)| (mode, c, s))
    }) {
        for expected in [ANY, 1, 2] {
            round += 1;
            let (a, b) = (format!("a-{round}"), format!("b-{round}"));
            one_each(&mut conn, &[part(&a, 0), part(&b, 0)], mode).await;
            let mut other = store.pool().begin().await.unwrap();
            one_each(&mut other, &[part(&a, ANY)], EachWaiting).await;
            let mut batch = vec![part(&a, expected)];
            if several {
                batch.push(part(&b, 1));
            }
            let url = database.url().to_owned();
            let waiting = tokio::spawn(async move {
                let mut conn = PgConnection::connect(&url).await.unwrap();
                one_each(&mut conn, &batch, mode).await
            });
            until_somebody_waits_for_a_lock(&store).await;
            let actual = if commits {
                other.commit().await.unwrap();
                2
            } else {
                other.rollback().await.unwrap();
                1
            };
            let answer = waiting.await.unwrap();
            let fits = expected == ANY || expected == actual;
            assert_eq!(
                answer.outcomes[0],
                if fits { "written" } else { "conflict" }
            );
            assert_eq!(answer.versions[0], actual);
            let b_is = match (several, fits, mode) {
                (false, ..) => 1,
                (true, false, Atomic) => 1,
                (true, ..) => 2,
            };
            let after = [(a, actual + i64::from(fits)), (b, b_is)];
            let found = streams(&store).await;
            assert!(
                after.iter().all(|stream| found.contains(stream)),
                "{found:?}"
            );
        }
    }
}

/// Nobody can see the row of a stream that is just being created.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_somebody_is_creating_is_waited_for_in_every_mode() {
    let (store, database, _conn) = set_up().await;
    let mut round = 0;
    for mode in MODES {
        for (commits, several) in [(true, true), (true, false), (false, true), (false, false)] {
            for expected in [ANY, 0] {
                round += 1;
                let (a, b) = (format!("a-{round}"), format!("b-{round}"));
                let mut other = store.pool().begin().await.unwrap();
                one_each(&mut other, &[part(&a, 0)], EachWaiting).await;
                let mut batch = vec![part(&a, expected)];
                if several {
                    batch.push(part(&b, 0));
                }
                let url = database.url().to_owned();
                let waiting = tokio::spawn(async move {
                    let mut conn = PgConnection::connect(&url).await.unwrap();
                    one_each(&mut conn, &batch, mode).await
                });
                until_somebody_waits_for_a_lock(&store).await;
                if commits {
                    other.commit().await.unwrap();
                } else {
                    other.rollback().await.unwrap();
                }
                let answer = waiting.await.unwrap();
                let outcome = match (commits, mode, expected) {
                    (false, ..) => "written",
                    (true, EachOrBusy, _) => "busy",
                    (true, _, ANY) => "written",
                    (true, ..) => "conflict",
                };
                assert_eq!(
                    answer.outcomes[0], outcome,
                    "{mode:?} {commits} {several} {expected}"
                );
                let found = match (commits, mode) {
                    (false, _) => 0,
                    (true, EachOrBusy) => -1,
                    (true, _) => 1,
                };
                assert_eq!(answer.versions[0], found);
                let beside = match (outcome, mode) {
                    ("conflict", Atomic) => None,
                    _ => several.then_some(1),
                };
                let all = streams(&store).await;
                let version = |name: &str| {
                    all.iter()
                        .find_map(|(stream, version)| (stream == name).then_some(*version))
                };
                let made = i64::from(commits) + i64::from(outcome == "written");
                assert_eq!((version(&a), version(&b)), (Some(made), beside));
            }
        }
    }
}

/// One that expects a version doesn't wait for who is just creating the stream: that would have
/// been the first.
#[tokio::test]
async fn who_expects_a_version_does_not_wait_for_a_stream_to_be_created() {
    let (store, _database, mut conn) = set_up().await;
    let mut other = store.pool().begin().await.unwrap();
    one_each(&mut other, &[part("a-1", 0)], EachWaiting).await;
    for mode in MODES {
        for batch in [vec![part("a-1", 1)], vec![part("a-1", 1), part("b-1", 1)]] {
            let answer = one_each(&mut conn, &batch, mode).await;
            assert_eq!(answer.outcomes, vec!["conflict"; batch.len()]);
            assert_eq!(answer.versions, vec![0; batch.len()]);
        }
    }
    other.rollback().await.unwrap();
    assert_eq!(streams(&store).await, []);
}

#[tokio::test]
async fn every_wait_for_a_stream_has_the_bound_that_was_asked_for() {
    let (store, _database, mut conn) = set_up().await;
    one_each(&mut conn, &[part("a-1", 0)], EachWaiting).await;
    let mut other = store.pool().begin().await.unwrap();
    one_each(&mut other, &[part("a-1", ANY), part("n-1", 0)], EachWaiting).await;
    let held = [
        vec![part("a-1", ANY)],
        vec![part("a-1", ANY), part("b-1", 0)],
    ];
    let created = [vec![part("n-1", 0)], vec![part("b-1", 0), part("n-1", ANY)]];
    for mode in MODES {
        for batch in held.iter().filter(|_| mode != EachOrBusy).chain(&created) {
            let owners: Vec<usize> = (0..batch.len()).collect();
            let calling = call(&mut conn, batch, &owners, mode, Some(20));
            let answer = tokio::time::timeout(Duration::from_secs(20), calling).await;
            let error = answer.expect("a bound").unwrap_err();
            assert!(is_lock_timeout(&error), "{error:?}");
        }
    }
    // The transaction's own bound, when none is asked for.
    for batch in held.iter().chain(&created) {
        let mut tx = conn.begin().await.unwrap();
        sqlx::raw_sql("SET LOCAL lock_timeout = 20")
            .execute(&mut *tx)
            .await
            .unwrap();
        let owners: Vec<usize> = (0..batch.len()).collect();
        let calling = call(&mut tx, batch, &owners, EachWaiting, None);
        let answer = tokio::time::timeout(Duration::from_secs(20), calling).await;
        let error = answer.expect("a bound").unwrap_err();
        assert!(is_lock_timeout(&error), "{error:?}");
        tx.rollback().await.unwrap();
    }
    other.rollback().await.unwrap();
    assert_eq!(streams(&store).await, there(&[("a-1", 1)]));
    assert_eq!(events(&store).await, 1);
}

/// Building an index, say, locks the tables, of which no row knows.
#[tokio::test]
async fn every_wait_for_a_table_has_the_bound_that_was_asked_for() {
    let (store, _database, mut conn) = set_up().await;
    for table in ["mire_streams", "mire_events"] {
        let lock = format!("LOCK TABLE {table} IN SHARE MODE");
        one_each(&mut conn, &[part("a-1", ANY)], EachOrBusy).await;
        let mut other = store.pool().begin().await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(lock))
            .execute(&mut *other)
            .await
            .unwrap();
        for mode in MODES {
            for batch in [
                vec![part("a-1", ANY)],
                vec![part("a-1", ANY), part("b-1", 0)],
            ] {
                let owners: Vec<usize> = (0..batch.len()).collect();
                let calling = call(&mut conn, &batch, &owners, mode, Some(20));
                let answer = tokio::time::timeout(Duration::from_secs(20), calling).await;
                let error = answer.expect("a bound").unwrap_err();
                assert!(is_lock_timeout(&error), "{mode:?} {error:?}");
            }
        }
        other.rollback().await.unwrap();
    }
}

/// The connection goes back to a pool, and whoever gets it next waits as they please.
#[tokio::test]
async fn the_bound_on_waits_ends_with_the_append() {
    let (_store, _database, mut conn) = set_up().await;
    let asked = "SELECT current_setting('lock_timeout')";
    let before: String = sqlx::query_scalar(asked)
        .fetch_one(&mut conn)
        .await
        .unwrap();
    for (n, mode) in MODES.into_iter().enumerate() {
        // A stream that is to be created, and one that is there.
        for _ in 0..2 {
            one_each(&mut conn, &[part(&format!("account-{n}"), ANY)], mode).await;
            let after: String = sqlx::query_scalar(asked)
                .fetch_one(&mut conn)
                .await
                .unwrap();
            assert_eq!(after, before, "{mode:?}");
        }
    }
}

/// Who waits for several streams creates the missing ones before it locks any, so that it never wants
/// one that comes before another which it has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_create_streams_beside_others_never_wait_for_each_other() {
    let (store, _database) = crate::common::store_with(10).await;
    let mut conn = store.pool().acquire().await.unwrap();
    one_each(&mut conn, &[part("y-1", 0), part("z-1", 0)], Atomic).await;
    drop(conn);
    let rounds = 60;
    let mut callers = tokio::task::JoinSet::new();
    for n in 0..8 {
        let store = store.clone();
        callers.spawn(async move {
            let mut conn = store.pool().acquire().await.unwrap();
            for round in 0..rounds {
                let (first, second) = (format!("a-{round}"), format!("b-{round}"));
                let old = if n % 4 == 0 { "y-1" } else { "z-1" };
                let batch = [part(&first, ANY), part(&second, ANY), part(old, ANY)];
                let answer = call(&mut conn, &batch, &[2, 1, 0], EachWaiting, None).await;
                assert_eq!(answer.expect("no deadlock").outcomes, ["written"; 3]);
            }
        });
    }
    callers.join_all().await;
    assert_eq!(events(&store).await, 2 + 8 * rounds * 3);
}

/// The same, without luck: who waits for a stream has nothing yet of those that come after it, nor,
/// while it waits for one that is being created, any that is there. Also where another order than
/// that of the bytes is the database's own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_stream_has_none_that_comes_after_it() {
    let database = match TestDatabase::create_english().await.unwrap() {
        Some(english) => english,
        None => mire_testkit::test_database().await,
    };
    let store = EventStore::new(database.pool());
    store.migrate().await.unwrap();
    let mut conn = PgConnection::connect(database.url()).await.unwrap();
    let mut round = 0;
    for mode in MODES {
        for (created, expected) in [(true, ANY), (true, 0), (false, ANY), (false, 1)] {
            if mode == EachOrBusy && !created {
                continue;
            }
            round += 1;
            let [a, b, y, z] = ["B", "a", "y", "z"].map(|name| format!("{name}-{round}"));
            one_each(&mut conn, &[part(&y, 0), part(&z, 0)], mode).await;
            if !created {
                one_each(&mut conn, &[part(&a, 0)], mode).await;
            }
            let mut other = store.pool().begin().await.unwrap();
            one_each(&mut other, &[part(&a, ANY)], EachWaiting).await;
            let mut batch = vec![part(&a, expected)];
            if created {
                batch.push(part(&b, expected));
            }
            // Who doesn't wait for locks may keep those that it got while it waits here.
            if mode != EachOrBusy {
                batch.extend([part(&y, 1), part(&z, 1)]);
            }
            let url = database.url().to_owned();
            let waiting = tokio::spawn({
                let batch = batch.clone();
                async move {
                    let mut conn = PgConnection::connect(&url).await.unwrap();
                    one_each(&mut conn, &batch, mode).await
                }
            });
            until_somebody_waits_for_a_lock(&store).await;
            let mut third = conn.begin().await.unwrap();
            let rest = one_each(&mut third, &batch[1..], EachOrBusy).await;
            assert!(
                rest.outcomes.iter().all(|outcome| outcome == "written"),
                "{mode:?} {created} {expected}: {rest:?}"
            );
            third.rollback().await.unwrap();
            other.rollback().await.unwrap();
            let answer = waiting.await.unwrap();
            assert!(answer.outcomes.iter().all(|outcome| outcome == "written"));
        }
    }
}

/// The marks of this database, and the sequence's last value.
async fn marks(store: &EventStore) -> (Vec<i64>, i64) {
    let marks = sqlx::query_scalar(
        "SELECT objid::bigint FROM pg_locks
          WHERE locktype = 'advisory' AND classid = 'mire_position'::regclass::oid
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
          ORDER BY 1",
    )
    .fetch_all(store.pool())
    .await
    .unwrap();
    let last = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM mire_position";
    let last = sqlx::query_scalar(last)
        .fetch_one(store.pool())
        .await
        .unwrap();
    (marks, last)
}

/// The mark is below every position that is drawn under it; whoever writes nothing leaves none.
#[tokio::test]
async fn only_who_writes_marks_and_it_marks_what_was_drawn_before() {
    let (store, _database, mut conn) = set_up().await;
    let mut last = 0;
    for mode in MODES {
        for several in [false, true] {
            let mut tx = conn.begin().await.unwrap();
            let mut batch = vec![part("a-1", ANY)];
            if several {
                batch.push(part("b-1", ANY));
            }
            let written = one_each(&mut tx, &batch, mode).await;
            assert_eq!(written.positions[0], Some(last + 1));
            assert_eq!(marks(&store).await, (vec![last], last + batch.len() as i64));
            tx.commit().await.unwrap();
            last += batch.len() as i64;

            let mut tx = conn.begin().await.unwrap();
            let no: Vec<Part> = batch
                .iter()
                .map(|part| self::part(&part.stream, 99))
                .collect();
            one_each(&mut tx, &no, mode).await;
            assert_eq!(marks(&store).await, (vec![], last));
            tx.commit().await.unwrap();
        }
    }
}

/// What was written meanwhile is not held back by who had to wait for its stream.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_mark_is_from_after_the_wait_for_the_stream() {
    let (store, database, mut conn) = set_up().await;
    one_each(&mut conn, &[part("a-1", 0), part("b-1", 0)], Atomic).await;
    for several in [false, true] {
        let mut other = store.pool().begin().await.unwrap();
        one_each(&mut other, &[part("a-1", ANY)], EachWaiting).await;
        let mut batch = vec![part("a-1", ANY)];
        if several {
            batch.push(part("b-1", ANY));
        }
        let mut waiter = PgConnection::connect(database.url()).await.unwrap();
        let waiting = tokio::spawn(async move {
            sqlx::raw_sql("BEGIN").execute(&mut waiter).await.unwrap();
            let answer = one_each(&mut waiter, &batch, EachWaiting).await;
            (waiter, answer)
        });
        until_somebody_waits_for_a_lock(&store).await;
        let meanwhile = one_each(&mut conn, &[part("c-1", ANY)], EachWaiting).await;
        let meanwhile = meanwhile.positions[0].unwrap();
        other.commit().await.unwrap();
        let (mut waiter, answer) = waiting.await.unwrap();
        assert_eq!(answer.positions[0], Some(meanwhile + 1));
        assert_eq!(marks(&store).await.0, [meanwhile]);
        sqlx::raw_sql("COMMIT").execute(&mut waiter).await.unwrap();
    }
}

/// The time of an event is that of its append, not of the transaction around it.
#[tokio::test]
async fn every_append_has_a_time_of_its_own() {
    let (_store, _database, mut conn) = set_up().await;
    let mut tx = conn.begin().await.unwrap();
    one_each(&mut tx, &[keyed("a-1", 0, "k")], EachWaiting).await;
    let both = [keyed("a-1", 1, "l"), keyed("b-1", 0, "l")];
    one_each(&mut tx, &both, EachWaiting).await;
    for table in ["mire_events", "mire_idempotency"] {
        let times =
            format!("SELECT count(DISTINCT created_at), min(created_at) > now() FROM {table}");
        let times: (i64, bool) = sqlx::query_as(sqlx::AssertSqlSafe(times))
            .fetch_one(&mut *tx)
            .await
            .unwrap();
        assert_eq!(times, (2, true), "{table}");
    }
}

#[tokio::test]
async fn a_transaction_of_another_isolation_level_is_refused() {
    let (store, _database, mut conn) = set_up().await;
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        let begin = format!("BEGIN ISOLATION LEVEL {level}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(begin))
            .execute(&mut conn)
            .await
            .unwrap();
        let refused = call(&mut conn, &[part("a-1", 0)], &[0], EachWaiting, None).await;
        let text = refused.unwrap_err().to_string();
        assert!(
            text.contains("READ COMMITTED") && text.contains(level),
            "{text}"
        );
        sqlx::raw_sql("ROLLBACK").execute(&mut conn).await.unwrap();
    }
    assert_eq!(streams(&store).await, []);
}

/// Somebody's trigger, or a row that went: versions that did not move are an error, not a hole.
#[tokio::test]
async fn a_version_that_can_not_be_moved_is_an_error() {
    let (store, _database, mut conn) = set_up().await;
    one_each(&mut conn, &[part("a-1", 0), part("b-1", 0)], EachOrBusy).await;
    sqlx::raw_sql(
        "CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
         CREATE TRIGGER skip BEFORE UPDATE ON mire_streams
             FOR EACH ROW WHEN (NEW.stream_id = 'a-1') EXECUTE FUNCTION skip()",
    )
    .execute(store.pool())
    .await
    .unwrap();
    let both = vec![part("a-1", ANY), part("b-1", ANY)];
    let with_new = vec![part("a-1", ANY), part("c-1", 0)];
    for batch in [vec![part("a-1", ANY)], both, with_new] {
        let owners: Vec<usize> = (0..batch.len()).collect();
        let error = call(&mut conn, &batch, &owners, EachOrBusy, None)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("versions of"), "{error}");
    }
    assert_eq!(streams(&store).await, there(&[("a-1", 1), ("b-1", 1)]));
    assert_eq!(events(&store).await, 2);
}

// ---- Against a model -------------------------------------------------------------------------

/// Sorted by bytes, these are in another order than in any dictionary.
const NAMES: [&str; 7] = ["a-b", "a-B", "a-ä", "a-Z", "B-1", "a-é1", "ä-1"];

#[derive(Debug, Clone)]
struct Batch {
    /// The stream, what is expected relative to its version (`None`: any), and a key.
    parts: BTreeMap<usize, (Option<i64>, Option<u8>)>,
    /// Whose events come in which order; every stream has one at least, at the end.
    order: Vec<usize>,
    /// Which of the existing streams somebody else holds, bit by bit.
    held: u8,
    mode: Mode,
}

fn batch() -> impl Strategy<Value = Batch> {
    let expected =
        prop_oneof![4 => Just(Some(0)), 3 => Just(None), 1 => (-2_i64..3).prop_map(Some)];
    let part = (expected, proptest::option::weighted(0.2, 0_u8..2));
    let parts = proptest::collection::btree_map(0..NAMES.len(), part, 1..5);
    let mode = prop_oneof![3 => Just(EachOrBusy), 1 => Just(EachWaiting), 2 => Just(Atomic)];
    let held = prop_oneof![2 => Just(0_u8), 1 => any::<u8>()];
    (parts, vec(0..NAMES.len(), 0..8), held, mode).prop_map(|(parts, order, held, mode)| Batch {
        parts,
        order,
        held: if mode == EachOrBusy { held } else { 0 },
        mode,
    })
}

/// As it stands in the table.
type Stored = (
    i64,
    String,
    String,
    i64,
    String,
    i32,
    String,
    Option<String>,
);

#[derive(Default)]
struct Model {
    versions: BTreeMap<String, i64>,
    keys: BTreeMap<(String, String), (i64, i64)>,
    events: Vec<Stored>,
}

impl Model {
    fn version(&self, stream: &str) -> i64 {
        self.versions.get(stream).copied().unwrap_or(0)
    }

    fn append(&mut self, parts: &[Part], owners: &[usize], mode: Mode, held: &[String]) -> Answer {
        let mut answer = Answer {
            outcomes: Vec::new(),
            versions: Vec::new(),
            repeated: Vec::new(),
            positions: Vec::new(),
        };
        for part in parts {
            let version = self.version(&part.stream);
            let key = part.key.clone().map(|key| (part.stream.clone(), key));
            let known = key.and_then(|key| self.keys.get(&key).copied());
            let (outcome, version, position) = if held.contains(&part.stream) {
                ("busy", -1, None)
            } else if let Some((version, position)) = known {
                ("repeated", version, Some(position))
            } else if part.expected != ANY && part.expected != version {
                ("conflict", version, None)
            } else {
                ("written", version, None)
            };
            answer.outcomes.push(outcome.to_owned());
            answer.versions.push(version);
            answer.repeated.push(position);
        }
        if mode == Atomic && answer.outcomes.iter().any(|outcome| outcome == "conflict") {
            for outcome in &mut answer.outcomes {
                if outcome == "written" {
                    *outcome = "abandoned".to_owned();
                }
            }
        }
        for (n, owner) in owners.iter().enumerate() {
            if answer.outcomes[*owner] != "written" {
                answer.positions.push(None);
                continue;
            }
            let part = &parts[*owner];
            let version = self.version(&part.stream) + 1;
            self.versions.insert(part.stream.clone(), version);
            let position = self.events.len() as i64 + 1;
            answer.positions.push(Some(position));
            self.events.push((
                position,
                part.stream.clone(),
                part.stream.split('-').next().unwrap().to_owned(),
                version,
                format!("x.{n}"),
                n as i32 + 7,
                format!("[{n}]"),
                metadata(n),
            ));
            if let Some(key) = &part.key {
                let key = (part.stream.clone(), key.clone());
                self.keys.insert(key, (version, position));
            }
        }
        answer
    }
}

async fn check(store: &EventStore, model: &Model) {
    let rows: Vec<(String, String, i64)> =
        sqlx::query_as("SELECT stream_id, category, version FROM mire_streams ORDER BY stream_id")
            .fetch_all(store.pool())
            .await
            .unwrap();
    let versions = model.versions.iter().map(|(stream, version)| {
        let category = stream.split('-').next().unwrap().to_owned();
        (stream.clone(), category, *version)
    });
    assert_eq!(rows, versions.collect::<Vec<_>>());
    let events: Vec<Stored> = sqlx::query_as(
        "SELECT global_position, stream_id, category, stream_version, event_type, schema_version,
                data::text, metadata::text
           FROM mire_events ORDER BY global_position",
    )
    .fetch_all(store.pool())
    .await
    .unwrap();
    assert_eq!(events, model.events);
    let keys: Vec<(String, String, i64, i64)> = sqlx::query_as(
        "SELECT stream_id, key, version, position FROM mire_idempotency ORDER BY stream_id, key",
    )
    .fetch_all(store.pool())
    .await
    .unwrap();
    let kept = model
        .keys
        .iter()
        .map(|((stream, key), (version, position))| {
            (stream.clone(), key.clone(), *version, *position)
        });
    assert_eq!(keys, kept.collect::<Vec<_>>());
}

async fn play(store: &EventStore, batches: Vec<Batch>) {
    sqlx::raw_sql(
        "TRUNCATE mire_events, mire_streams, mire_idempotency;
         ALTER SEQUENCE mire_position RESTART",
    )
    .execute(store.pool())
    .await
    .unwrap();
    let mut model = Model::default();
    let mut conn = store.pool().acquire().await.unwrap();
    for batch in batches {
        let mut places: Vec<usize> = batch.parts.keys().copied().collect();
        places.sort_by_key(|place| NAMES[*place].as_bytes());
        let parts: Vec<Part> = places
            .iter()
            .map(|place| {
                let (relative, key) = batch.parts[place];
                let version = model.version(NAMES[*place]);
                Part {
                    stream: NAMES[*place].to_owned(),
                    expected: relative.map_or(ANY, |relative| (version + relative).max(0)),
                    key: key.map(|key| key.to_string()),
                }
            })
            .collect();
        let of_some = |place: &usize| places.iter().position(|other| other == place);
        let mut owners: Vec<usize> = batch.order.iter().filter_map(of_some).collect();
        let rest: Vec<usize> = (0..parts.len())
            .rev()
            .filter(|at| !owners.contains(at))
            .collect();
        owners.extend(rest);
        let held = NAMES.iter().enumerate();
        let held = held.filter(|(place, _)| batch.held & (1 << place) != 0);
        let held: Vec<String> = held
            .map(|(_, name)| (*name).to_owned())
            .filter(|name| model.versions.contains_key(name))
            .collect();

        let mut other = store.pool().begin().await.unwrap();
        sqlx::query("SELECT * FROM mire_streams WHERE stream_id = ANY ($1) FOR UPDATE")
            .bind(&held)
            .execute(&mut *other)
            .await
            .unwrap();
        let answer = call(&mut conn, &parts, &owners, batch.mode, Some(10_000))
            .await
            .unwrap();
        other.rollback().await.unwrap();
        let expected = model.append(&parts, &owners, batch.mode, &held);
        assert_eq!(answer, expected, "{parts:?} {owners:?}");
        check(store, &model).await;
    }
}

fn the_function_does_what_the_model_does(database: impl Future<Output = Option<TestDatabase>>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let Some((store, _database)) = runtime.block_on(async {
        let database = database.await?;
        let store = EventStore::new(database.pool());
        store.migrate().await.unwrap();
        Some((store, database))
    }) else {
        return;
    };
    let config = Config {
        cases: 40,
        failure_persistence: None,
        ..Config::default()
    };
    let played = TestRunner::new(config).run(&vec(batch(), 1..12), |batches| {
        runtime.block_on(play(&store, batches));
        Ok(())
    });
    // Let the pool's connections go within the runtime.
    runtime.block_on(store.pool().close());
    drop(runtime);
    if let Err(error) = played {
        panic!("{error}");
    }
}

#[test]
fn batches_do_what_the_model_does() {
    the_function_does_what_the_model_does(async { Some(mire_testkit::test_database().await) });
}

/// The order of the locks is that of the names' bytes, whatever the database sorts by.
#[test]
fn batches_do_what_the_model_does_where_text_is_sorted_by_a_language() {
    the_function_does_what_the_model_does(async { TestDatabase::create_english().await.unwrap() });
}
