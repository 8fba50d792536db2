//! Saves that travel together: who waits for whom, and who doesn't.

#![cfg(feature = "postgres")]

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use crate::common::projections::{Plain, Running, caught_up, fast, start, stop, until};
use crate::common::{Account, AccountEvent, Dice, deposited};
use futures_util::FutureExt;
use mire::{
    Append, DbErrorKind, Event, EventStore, EventStoreError, ExpectedVersion, StoreOptions,
};
use sqlx::Row;
use sqlx::postgres::PgPoolOptions;
use tokio::task::JoinSet;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(30);

async fn append(store: &EventStore, stream: &str, events: &[Event<AccountEvent>]) -> i64 {
    store
        .append(stream, "account", ExpectedVersion::Any, events)
        .await
        .unwrap()
        .version
}

/// How many statements wait for a lock.
async fn waits_for_locks(store: &EventStore) -> i64 {
    sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity
          WHERE datname = current_database() AND wait_event_type = 'Lock'",
    )
    .fetch_one(store.pool())
    .await
    .unwrap()
}

/// Keeps every append within its statement until it is [let go](let_go): by no lock, since a batch
/// waits for one only a moment.
async fn hold(store: &EventStore) {
    hold_those_to(store, "%").await;
}

/// The same for the streams that the pattern is like.
async fn hold_those_to(store: &EventStore, streams: &'static str) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "CREATE TABLE holding AS SELECT true AS held;
         CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             WHILE EXISTS (SELECT FROM holding) LOOP PERFORM pg_sleep(0.01); END LOOP;
             RETURN NEW;
         END $$;
         CREATE TRIGGER hold BEFORE INSERT ON mire_events FOR EACH ROW
             WHEN (NEW.stream_id LIKE '{streams}') EXECUTE FUNCTION hold()"
    )))
    .execute(store.pool())
    .await
    .unwrap();
}

/// How many statements are held.
async fn held(store: &EventStore) -> i64 {
    sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity
          WHERE datname = current_database() AND pid <> pg_backend_pid()
            AND state = 'active' AND query LIKE '%mire_append%'",
    )
    .fetch_one(store.pool())
    .await
    .unwrap()
}

async fn let_go(store: &EventStore) {
    sqlx::raw_sql("DELETE FROM holding")
        .execute(store.pool())
        .await
        .unwrap();
}

async fn append_one(store: &EventStore, stream: &str) -> i64 {
    append(store, stream, &one()).await
}

fn one() -> [Event<AccountEvent>; 1] {
    [Event::new(deposited(1))]
}

/// A save that is larger than a batch.
fn huge() -> Vec<Event<AccountEvent>> {
    let owner = "x".repeat(100_000);
    let opened = || {
        Event::new(AccountEvent::Opened {
            owner: owner.clone(),
        })
    };
    (0..20).map(|_| opened()).collect()
}

/// A huge save is under way and others wait behind it: each small one overtakes them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn huge_saves_without_end_starve_no_small_one() {
    let (store, _database) = crate::common::store().await;
    hold_those_to(&store, "account-huge-%").await;
    let events = huge();
    let streams: Vec<String> = (0..8).map(|n| format!("account-huge-{n}")).collect();
    let saves = streams.iter().map(|stream| append(&store, stream, &events));
    let saves = started(saves).await;
    until("a huge save", || async { held(&store).await == 1 }).await;

    for n in 0..20 {
        let stream = format!("account-small-{n}");
        let small = timeout(PATIENCE, append_one(&store, &stream));
        assert_eq!(small.await, Ok(1), "it starves");
    }
    assert_eq!(held(&store).await, 1, "huge saves go one by one");

    let_go(&store).await;
    for save in saves {
        assert_eq!(timeout(PATIENCE, save).await, Ok(20));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_makes_callers_wait_and_holds_no_more_than_its_bytes() {
    let (store, database) = crate::common::store().await;
    drop(store);
    let pool = PgPoolOptions::new()
        .max_connections(4)
        .connect(database.url())
        .await
        .unwrap();
    // Room for two such saves at a time.
    let options = StoreOptions::default().queue_bytes(4 * 5 * 1024);
    let store = EventStore::with_options(pool.clone(), options);
    hold(&store).await;
    let mut saves = JoinSet::new();
    for n in 0..20 {
        let store = store.clone();
        saves.spawn(async move {
            let events = [Event::new(AccountEvent::Opened {
                owner: "x".repeat(2_000),
            })];
            append(&store, &format!("account-{n}"), &events).await
        });
    }
    // What got into a statement at all is bounded by the room.
    // The two that it has may travel alone or together.
    until("a statement", || async { held(&store).await > 0 }).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let sent = held(&store).await;
    assert!((1..=2).contains(&sent), "{sent} statements are under way");
    assert_eq!(saves.try_join_next().map(|_| ()), None, "nobody is done");

    // The queue empties, and everybody gets through.
    let_go(&store).await;
    while let Some(version) = timeout(PATIENCE, saves.join_next()).await.unwrap() {
        assert_eq!(version.unwrap(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lone_save_goes_at_once() {
    let (store, _database) = crate::common::store().await;
    // A bare commit of one row on the same server, as the measure: by turns, so that what slows down
    // the one slows down the other.
    let mut conn = store.pool().acquire().await.unwrap();
    sqlx::raw_sql("CREATE TABLE bare (n int)")
        .execute(&mut *conn)
        .await
        .unwrap();
    let (mut times, mut bare) = (Vec::new(), Vec::new());
    for n in 0..50 {
        let started = Instant::now();
        append(&store, &format!("account-{}", n % 3), &one()).await;
        times.push(started.elapsed());
        // Nothing is under way, and no connection is warm.
        tokio::time::sleep(Duration::from_millis(10)).await;
        let started = Instant::now();
        sqlx::query("INSERT INTO bare VALUES ($1)")
            .bind(n)
            .execute(&mut *conn)
            .await
            .unwrap();
        bare.push(started.elapsed());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    times.sort();
    bare.sort();
    // A linger would show as whole milliseconds.
    let (save, bare) = (times[times.len() / 2], bare[bare.len() / 2]);
    assert!(
        save < bare * 5 + Duration::from_millis(2),
        "a lone save takes {save:?}, a bare insert {bare:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_goes_away_harms_no_other() {
    let (store, _database) = crate::common::store().await;
    let mut others = JoinSet::new();
    for n in 0..200 {
        let store = store.clone();
        others.spawn(async move {
            let stream = format!("account-{}", n % 20);
            let event = one();
            let saving = append(&store, &stream, &event);
            if n % 3 == 0 {
                // Dropped at some point of its way.
                let _ = timeout(Duration::from_micros(50 * (n % 40)), saving).await;
                return false;
            }
            saving.await;
            true
        });
    }
    let mut saved = 0;
    while let Some(done) = timeout(PATIENCE, others.join_next()).await.unwrap() {
        saved += i64::from(done.unwrap());
    }
    assert_eq!(saved, 133);
    // Those that went away were written once or not at all.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let events: i64 = sqlx::query("SELECT count(*) FROM mire_events")
        .fetch_one(store.pool())
        .await
        .unwrap()
        .get(0);
    assert!((saved..=200).contains(&events), "{events} events");
    let versions: i64 = sqlx::query("SELECT sum(version)::bigint FROM mire_streams")
        .fetch_one(store.pool())
        .await
        .unwrap()
        .get(0);
    assert_eq!(versions, events);
}

/// Appends that expect nothing are written as one, and each hears of its own events.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_those_that_were_merged_hears_of_its_own_events() {
    let (store, _database) = crate::common::store().await;
    let mut saves = JoinSet::new();
    for n in 0..300 {
        let store = store.clone();
        saves.spawn(async move {
            let mut append = Append::new("account-1", ExpectedVersion::Any).unwrap();
            for _ in 0..=n % 3 {
                append = append.event(&Event::new(deposited(n))).unwrap();
            }
            (n, store.append_all([append]).await.unwrap()[0])
        });
    }
    let mut answers = Vec::new();
    while let Some(answer) = saves.join_next().await {
        answers.push(answer.unwrap());
    }
    let events = store.read_stream_all("account-1", 0).await.unwrap();
    assert_eq!(events.len(), 600);
    let statements = events.iter().map(|event| event.created_at);
    let statements = statements.collect::<std::collections::BTreeSet<_>>().len();
    assert!(
        statements < 200,
        "{statements} statements: hardly any were merged"
    );
    for (n, answer) in answers {
        let last = usize::try_from(answer.version).unwrap();
        for event in &events[last - 1 - n as usize % 3..last] {
            assert_eq!(event.data["amount"], n, "{answer:?}");
        }
        assert_eq!(events[last - 1].global_position, answer.position);
    }
}

/// Whatever travels with what: on one stream, in the order in which they were called.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_to_one_stream_are_written_in_the_order_of_their_calls() {
    let (store, _database) = crate::common::store().await;
    let mut dice = Dice::new(3);
    for round in 0..40 {
        let stream = format!("account-{round}");
        let mut calls = Vec::new();
        for n in 0..24 {
            // Some keep the flushers busy, on streams of their own.
            let own = dice.roll(4) == 0;
            let stream = if own {
                format!("{stream}x{n}")
            } else {
                stream.clone()
            };
            let mut append = Append::new(&stream, ExpectedVersion::Any).unwrap();
            append = append.event(&Event::new(deposited(n))).unwrap();
            match dice.roll(8) {
                // Can't be merged with others.
                0..=2 => append = append.idempotency_key(format!("{round} {n}")),
                // Travels alone.
                3 if round % 4 == 0 => {
                    for event in huge() {
                        append = append.event(&event).unwrap();
                    }
                }
                _ => {}
            }
            calls.push(store.append_all([append]));
        }
        for answer in futures_util::future::join_all(calls).await {
            answer.unwrap();
        }
        let events = store.read_stream_all(&stream, 0).await.unwrap();
        let amounts = events
            .iter()
            .filter_map(|event| event.data["amount"].as_i64());
        let amounts: Vec<i64> = amounts.collect();
        assert!(amounts.is_sorted(), "round {round}: {amounts:?}");
    }
}

/// A key is the key of its own events, whatever they travel with.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_kept_among_appends_that_travel_together() {
    let (store, _database) = crate::common::store().await;
    let keyed = |stream: &str, expected, key: &str| {
        let append = Append::new(stream, expected).unwrap().idempotency_key(key);
        append.event(&one()[0]).unwrap()
    };
    let any = |n: usize| keyed("account-1", ExpectedVersion::Any, &format!("{n}"));
    let mut first = JoinSet::new();
    for n in 0..60 {
        let (store, append) = (store.clone(), any(n));
        first.spawn(async move {
            append_one(&store, "account-1").await;
            (n, store.append_all([append]).await.unwrap()[0])
        });
    }
    while let Some(done) = first.join_next().await {
        let (n, written) = done.unwrap();
        assert!(!written.repeated);
        let again = store.append_all([any(n)]).await.unwrap()[0];
        assert!(again.repeated);
        assert_eq!(
            (again.version, again.position),
            (written.version, written.position)
        );
    }
    let events = store.read_stream_all("account-1", 0).await.unwrap();
    assert_eq!(events.len(), 120);

    // The same one, several times at once: none of them is another's rival.
    for round in 0..10 {
        let mut all = JoinSet::new();
        for _ in 0..12 {
            let stream = format!("account-once{round}");
            let append = keyed(&stream, ExpectedVersion::NoStream, &stream);
            let store = store.clone();
            all.spawn(async move { store.append_all([append]).await.unwrap()[0] });
        }
        let all = all.join_all().await;
        assert!(all.iter().all(|done| done.version == 1), "{all:?}");
        assert_eq!(all.iter().filter(|done| !done.repeated).count(), 1);
    }
}

/// A runner that only a wake-up makes look at the log.
async fn sleeper(store: &EventStore) -> (Plain, Running) {
    let plain = Plain::new();
    let patient = fast(store, "a").poll_interval(Duration::from_secs(600));
    let running = start(patient.subscribe("s", plain.clone()));
    append_one(store, "account-first").await;
    caught_up(store).await;
    (plain, running)
}

/// The server refuses a batch for one of its events: the others are written, whoever reads hears of
/// them, and the one at fault gets the error.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_batch_that_is_refused_only_the_one_at_fault_fails() {
    let (store, _database) = crate::common::store().await;
    sqlx::raw_sql(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE 'no'; END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON mire_events
             FOR EACH ROW WHEN (NEW.event_type = 'account.withdrawn') EXECUTE FUNCTION refuse()",
    )
    .execute(store.pool())
    .await
    .unwrap();
    let (plain, running) = sleeper(&store).await;
    for round in 0..5 {
        let appends = (0..20).map(|n| {
            let (store, stream) = (store.clone(), format!("account-{round}x{n}"));
            let event = match n {
                19 => AccountEvent::Withdrawn { amount: 1 },
                _ => deposited(1),
            };
            async move {
                let any = ExpectedVersion::Any;
                store
                    .append(&stream, "account", any, &[Event::new(event)])
                    .await
            }
        });
        let mut answers = futures_util::future::join_all(appends).await;
        let error = answers.pop().unwrap().unwrap_err();
        assert!(format!("{error:?}").contains("no"), "{error:?}");
        for answer in answers {
            assert_eq!(answer.unwrap().version, 1);
        }
        until("the others", || async {
            plain.got().len() == 1 + (round + 1) * 19
        })
        .await;
    }
    stop(running).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_save_that_had_to_wait_for_its_stream_wakes_readers_too() {
    let (store, _database) = crate::common::store().await;
    let (plain, running) = sleeper(&store).await;
    for n in 0..3 {
        let mut lock = store.pool().begin().await.unwrap();
        sqlx::raw_sql("SELECT * FROM mire_streams FOR UPDATE")
            .execute(&mut *lock)
            .await
            .unwrap();
        let waiting = tokio::spawn({
            let store = store.clone();
            async move { append_one(&store, "account-first").await }
        });
        until("a save that waits", || async {
            waits_for_locks(&store).await == 1
        })
        .await;
        lock.rollback().await.unwrap();
        assert_eq!(waiting.await.unwrap(), n + 2);
        caught_up(&store).await;
        assert_eq!(plain.got().len() as i64, n + 2);
    }
    stop(running).await;
}

/// A runtime that ends under the flushers takes their work along, and not their places.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runtime_that_shuts_down_leaves_the_store_to_others() {
    let (store, _database) = crate::common::store().await;
    append_one(&store, "account-1").await;
    hold(&store).await;
    let other = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    // As many as there may be flushers; each save finds all others under way.
    for n in 0..3 {
        let theirs = store.clone();
        other.spawn(async move { append_one(&theirs, &format!("account-other{n}")).await });
        until("its statement", || async { held(&store).await == n + 1 }).await;
    }
    // It waits for one of them.
    let mut waiting = std::pin::pin!(append_one(&store, "account-waiting"));
    let early = timeout(Duration::from_millis(50), &mut waiting).await;
    assert!(early.is_err(), "{early:?}");
    other.shutdown_background();
    let_go(&store).await;
    let version = timeout(PATIENCE, waiting).await.expect("another flusher");
    assert_eq!(version, 1);
    for n in 0..5 {
        let stream = format!("account-own{n}");
        let append = append_one(&store, &stream);
        timeout(PATIENCE, append).await.expect("a place to write");
    }
}

/// A future may be kept without being polled, beside others that are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_is_polled_no_more_holds_up_no_other() {
    for sent in [false, true] {
        let (store, _database) = crate::common::store().await;
        append_one(&store, "account-1").await;
        let mut kept = Box::pin(append_one(&store, "account-1"));
        hold(&store).await;
        assert_eq!((&mut kept).now_or_never(), None);
        if sent {
            until("its statement", || {
                assert_eq!((&mut kept).now_or_never(), None);
                let store = &store;
                async move { held(store).await == 1 }
            })
            .await;
        }
        let_go(&store).await;
        for n in 0..3 {
            let append = timeout(PATIENCE, append_one(&store, "account-1")).await;
            assert_eq!(append.expect("its turn"), 3 + n);
        }
        assert_eq!(kept.await, 2);
    }
}

/// Those who queue up behind a stream that somebody holds don't wait one after the other: each has
/// waited since it arrived.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_who_wait_for_a_stream_wait_for_the_lock_timeout_once() {
    let (store, _database) = crate::common::store().await;
    append_one(&store, "account-1").await;
    let limit = Duration::from_secs(1);
    let options = StoreOptions::default().lock_timeout(limit);
    let store = EventStore::with_options(store.pool().clone(), options);
    let mut scope = store.begin_transaction().await.unwrap();
    scope.load_for_update::<Account>("1").await.unwrap();
    let started = Instant::now();
    let appends = (0..6).map(|n| {
        let append = Append::new("account-1", ExpectedVersion::Any).unwrap();
        // With keys they are written one by one.
        let append = append.idempotency_key(format!("key{n}")).event(&one()[0]);
        store.append_all([append.unwrap()])
    });
    for outcome in futures_util::future::join_all(appends).await {
        let kind = outcome.unwrap_err().db_kind();
        assert_eq!(kind, Some(mire::DbErrorKind::LockTimeout));
    }
    let waited = started.elapsed();
    assert!(waited >= limit && waited < limit * 3, "{waited:?}");
    scope.rollback().await.unwrap();
    assert_eq!(append_one(&store, "account-1").await, 2);
}

/// Saves that expect the same version: one is written, each other one conflicts, with the version
/// that the winner made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_rivals_one_wins_and_the_others_hear_of_its_version() {
    let (store, _database) = crate::common::store().await;
    for round in 0..20 {
        let mut rivals = JoinSet::new();
        for _ in 0..16 {
            let store = store.clone();
            rivals.spawn(async move {
                let expected = if round == 0 {
                    ExpectedVersion::NoStream
                } else {
                    ExpectedVersion::Exact(round)
                };
                store.append("account-1", "account", expected, &one()).await
            });
        }
        let mut won = 0;
        while let Some(outcome) = rivals.join_next().await {
            match outcome.unwrap() {
                Ok(appended) => {
                    assert_eq!(appended.version, round + 1);
                    won += 1;
                }
                Err(mire::EventStoreError::ConcurrencyConflict {
                    expected, actual, ..
                }) => assert_eq!((expected, actual), (round, round + 1)),
                Err(error) => panic!("{error:?}"),
            }
        }
        assert_eq!(won, 1, "round {round}");
    }
}

/// The same where it is certain that they travel together: they have queued up behind a stream that
/// was held. Only those that expect what the first one expects are its rivals, and none that has a
/// key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_queued_up_for_a_stream_is_judged_by_what_it_expects() {
    let (store, _database) = crate::common::store().await;
    append_one(&store, "account-1").await;
    let mut scope = store.begin_transaction().await.unwrap();
    scope.load_for_update::<Account>("1").await.unwrap();
    let held = tokio::spawn({
        let store = store.clone();
        async move { append_one(&store, "account-1").await }
    });
    until("the stream is waited for", async || {
        waits_for_locks(&store).await == 1
    })
    .await;
    let save = |expected: i64, key: Option<&str>| {
        let expected = ExpectedVersion::Exact(expected);
        let mut append = Append::new("account-1", expected).unwrap();
        if let Some(key) = key {
            append = append.idempotency_key(key);
        }
        let append = append.event(&one()[0]).unwrap();
        let store = store.clone();
        async move {
            match store.append_all([append]).await {
                Ok(done) => Ok((done[0].version, done[0].repeated)),
                Err(mire::EventStoreError::ConcurrencyConflict { actual, .. }) => Err(actual),
                Err(error) => panic!("{error:?}"),
            }
        }
    };
    // In this order: `join_all` polls them so, and a save queues up when it is first polled.
    let queued = futures_util::future::join_all([
        save(2, None),
        save(2, None),
        save(3, None),
        save(3, None),
        save(2, None),
        save(4, Some("k")),
        save(4, Some("k")),
    ]);
    let mut queued = std::pin::pin!(queued);
    assert!(queued.as_mut().now_or_never().is_none());
    scope.rollback().await.unwrap();
    assert_eq!(held.await.unwrap(), 2);
    let outcomes = queued.await;
    let expected = [
        Ok((3, false)),
        Err(3),
        Ok((4, false)),
        Err(4),
        Err(4),
        Ok((5, false)),
        Ok((5, true)),
    ];
    assert_eq!(outcomes, expected);
}

/// Saves whose first poll is over while the only connection is held: they are in the queue, or wait
/// for room in it.
async fn started<F: Future>(saves: impl IntoIterator<Item = F>) -> Vec<Pin<Box<F>>> {
    let mut all = Vec::new();
    for save in saves {
        let mut save = Box::pin(save);
        assert!(save.as_mut().now_or_never().is_none());
        all.push(save);
        // Whoever was started for it takes it along.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_in_a_batch_hears_of_their_own_stream() {
    let (store, _database) = crate::common::store_with(1).await;
    for n in 1..=12 {
        append(&store, &format!("account-{n}"), &vec![one()[0].clone(); n]).await;
    }
    let only = store.pool().acquire().await.unwrap();
    let saves = (1..=12).map(|n| {
        let store = store.clone();
        let expected = match n % 3 {
            0 => ExpectedVersion::Exact(99),
            _ => ExpectedVersion::Any,
        };
        async move {
            let stream = format!("account-{n}");
            match store.append(&stream, "account", expected, &one()).await {
                Err(mire::EventStoreError::ConcurrencyConflict {
                    stream_id, actual, ..
                }) => {
                    assert_eq!(stream_id, stream);
                    Err(actual)
                }
                appended => Ok(appended.unwrap().version),
            }
        }
    });
    let saves = started(saves).await;
    drop(only);
    let outcomes = futures_util::future::join_all(saves).await;
    for (n, outcome) in (1..=12).zip(outcomes) {
        let expected = if n % 3 == 0 { Err(n) } else { Ok(n + 1) };
        assert_eq!(outcome, expected, "account-{n}");
    }
}

/// What a caller can match on is not a matter of who came first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_who_were_merged_hear_that_their_connection_was_ended() {
    let (store, _database) = crate::common::store_with(1).await;
    sqlx::raw_sql(
        "CREATE SEQUENCE ended;
         CREATE FUNCTION end_connection() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             PERFORM nextval('ended'), pg_terminate_backend(pg_backend_pid());
             RETURN NEW;
         END $$;
         CREATE TRIGGER end_connection BEFORE INSERT ON mire_events FOR EACH ROW
             EXECUTE FUNCTION end_connection()",
    )
    .execute(store.pool())
    .await
    .unwrap();
    let only = store.pool().acquire().await.unwrap();
    let saves = (1..=3).map(|_| {
        let store = store.clone();
        async move {
            let any = ExpectedVersion::Any;
            store.append("account-1", "account", any, &one()).await
        }
    });
    let saves = started(saves).await;
    drop(only);
    for outcome in futures_util::future::join_all(saves).await {
        let error = outcome.unwrap_err();
        assert_eq!(error.db_kind(), Some(DbErrorKind::Connection), "{error}");
        let EventStoreError::Database(sqlx::Error::Database(said)) = &error else {
            panic!("{error:?}");
        };
        assert_eq!(said.code().as_deref(), Some("57P01"));
        assert!(
            said.message().contains("due to administrator command"),
            "{said}"
        );
    }
    let ended: i64 = sqlx::query_scalar("SELECT last_value FROM ended")
        .fetch_one(store.pool())
        .await
        .unwrap();
    assert_eq!(ended, 2, "the first went alone, the others were merged");
}

/// Who waits for room has queued nothing, so that nothing is written of it when it goes away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_is_queued_than_there_is_room_for() {
    let (store, _database) = crate::common::store_with(1).await;
    // A quarter of it is for small saves, of which four of a little less than 1,024 bytes fit.
    let options = StoreOptions::default().queue_bytes(4 * 4096);
    let store = EventStore::with_options(store.pool().clone(), options);
    let owner = "x".repeat(900);
    let only = store.pool().acquire().await.unwrap();
    let saves = (0..20).map(|n| {
        let (store, owner) = (store.clone(), owner.clone());
        async move {
            let opened = [Event::new(AccountEvent::Opened { owner })];
            append(&store, &format!("account-{n}"), &opened).await
        }
    });
    drop(started(saves).await);
    drop(only);
    // Behind whatever had room.
    append_one(&store, "account-last").await;
    let count = "SELECT count(*) FROM mire_events WHERE stream_id <> 'account-last'";
    let written: i64 = sqlx::query_scalar(count)
        .fetch_one(store.pool())
        .await
        .unwrap();
    assert!(written <= 4, "{written} were in the queue");
}
