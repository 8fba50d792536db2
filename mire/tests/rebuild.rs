//! Rebuilding a projection's table without downtime: a new version builds beside the old one, and
//! takes its place when it has caught up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use crate::common::backends::TestBackend;
use crate::common::projections::{
    PATIENCE, Running, append, fast, head, leader, start, stop, until,
};
use crate::common::tables::{Balance, RENAMED, UNLUCKY, Written, bonus};
use mire::table::{self, TableProjection, TableStatus, TableVersion};
use mire::{Backend, EventStore, EventStoreError, FailurePolicy, ProjectionRunnerBuilder, copy};

type One = Balance<1>;
type Two = Balance<2>;

fn of<P: TableProjection, DB: Backend>(store: &EventStore<DB>) -> ProjectionRunnerBuilder<DB> {
    fast(store, "a").subscribe_table::<P>()
}

async fn status<DB: Backend>(store: &EventStore<DB>) -> TableStatus {
    table::status::<One, DB>(store).await.unwrap()
}

async fn version<P: TableProjection, DB: Backend>(store: &EventStore<DB>) -> Option<TableVersion> {
    let status = table::status::<P, DB>(store).await.unwrap();
    status.own().cloned()
}

/// Which version serves.
async fn serving<DB: Backend>(store: &EventStore<DB>) -> Option<String> {
    let status = status(store).await;
    status
        .serving()
        .map(|version| version.subscription_id.clone())
}

async fn serves<P: TableProjection, DB: Backend>(store: &EventStore<DB>) {
    let id = P::TABLE.subscription_id();
    until(&format!("{id} serves"), || async {
        serving(store).await.as_ref() == Some(&id)
    })
    .await;
}

/// Runs a version until it serves and has caught up, and stops it.
async fn follow<P: TableProjection, DB: Backend>(store: &EventStore<DB>) {
    let running = start(of::<P, DB>(store));
    serves::<P, DB>(store).await;
    until("it has caught up", || async {
        let version = version::<P, DB>(store).await.unwrap();
        version.ready_at.is_some() && version.lag == 0
    })
    .await;
    stop(running).await;
}

async fn row<P: TableProjection<Key = String>, DB: Backend>(
    store: &EventStore<DB>,
    key: &str,
) -> Result<Option<P>, EventStoreError> {
    table::get(store, &key.to_owned()).await
}

/// What the view shows, added up, as SQL of the user's own sees it.
async fn events_shown<DB: TestBackend>(store: &EventStore<DB>) -> i64 {
    DB::number(store, "SELECT CAST(sum(events) AS bigint) FROM balances").await
}

/// Which version the view shows, by its bonus: it is in each row once.
async fn bonus_shown<DB: TestBackend>(store: &EventStore<DB>) -> i64 {
    DB::number(
        store,
        "SELECT min(balance) / 1000000 * 1000000 FROM balances",
    )
    .await
}

/// Writers and readers go on all the while. No reader ever fails, sees a table that is half-built,
/// or sees one that is behind what it saw before.
async fn a_rebuild_under_load_shows_readers_no_gap_and_nothing_half_built<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    for n in 0..40 {
        append(&store, &format!("account-{}", n % 10), 1..=25).await;
    }
    let old = start(of::<One, DB>(&store));
    store.wait_for("balances", 1000, PATIENCE).await.unwrap();
    let ended = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (store, ended) = (store.clone(), Arc::clone(&ended));
        async move {
            let mut n = 0;
            while !ended.load(Ordering::SeqCst) {
                append(&store, &format!("account-{}", n % 10), [1]).await;
                n += 1;
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
    });
    let reads = Arc::new(AtomicI64::new(0));
    let mut readers = Vec::new();
    for _ in 0..2 {
        let (store, ended, reads) = (store.clone(), Arc::clone(&ended), Arc::clone(&reads));
        readers.push(tokio::spawn(async move {
            let mut seen = (1000, 0);
            while !ended.load(Ordering::SeqCst) {
                let shown = events_shown(&store).await;
                assert!(shown >= seen.0, "the view went from {} to {shown}", seen.0);
                // The old code's look-ups: its own table, all the time.
                let row = row::<One, DB>(&store, "3").await.unwrap().unwrap();
                assert!(row.events >= seen.1, "{row:?} after {}", seen.1);
                assert!(row.balance < bonus(2), "{row:?}");
                seen = (shown, row.events);
                // The new code's: the old version's, then its own.
                let row = table::get::<Two, DB>(&store, &"3".to_owned()).await;
                assert!(row.unwrap().unwrap().events >= 100);
                reads.fetch_add(1, Ordering::SeqCst);
            }
        }));
    }
    until("readers read", || async {
        reads.load(Ordering::SeqCst) > 5
    })
    .await;
    assert_eq!(bonus_shown(&store).await, bonus(1));

    let new = start(fast(&store, "b").batch_size(50).subscribe_table::<Two>());
    serves::<Two, DB>(&store).await;
    let swapped = reads.load(Ordering::SeqCst);
    until("readers read on", || async {
        reads.load(Ordering::SeqCst) > swapped + 5
    })
    .await;
    assert_eq!(bonus_shown(&store).await, bonus(2));
    ended.store(true, Ordering::SeqCst);
    writer.await.unwrap();
    for reader in readers {
        reader.await.unwrap();
    }
    let end = head(&store).await;
    store.wait_for("balances", end, PATIENCE).await.unwrap();
    let old_id = One::TABLE.subscription_id();
    store.wait_for(&old_id, end, PATIENCE).await.unwrap();
    assert_eq!(events_shown(&store).await, end);
    let (ones, twos): (Vec<One>, Vec<Two>) = (
        table::list(&store, 100).await.unwrap(),
        table::list(&store, 100).await.unwrap(),
    );
    assert_eq!(ones.len(), twos.len());
    for (one, two) in ones.iter().zip(&twos) {
        let rest = (&one.account, one.events, one.balance - bonus(1));
        assert_eq!(rest, (&two.account, two.events, two.balance - bonus(2)));
    }
    stop(old).await;
    stop(new).await;
}

async fn a_rebuild_that_is_killed_goes_on_where_it_was_and_says_how_far_it_is<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    for n in 0..30 {
        append(&store, &format!("account-{n}"), 1..=50).await;
    }
    follow::<One, DB>(&store).await;
    let mut before = 0;
    for _ in 0..3 {
        let (_cancel, task) = start(fast(&store, "b").batch_size(1).subscribe_table::<Two>());
        // A rate needs some time to have passed, and SQLite's clock counts milliseconds.
        let seen = std::sync::Mutex::new(None);
        until("it comes forward at some rate", || async {
            let version = version::<Two, DB>(&store).await;
            *seen.lock().unwrap() =
                version.filter(|two| two.position > before && two.rate.is_some());
            seen.lock().unwrap().is_some()
        })
        .await;
        let seen = seen.into_inner().unwrap().unwrap();
        // Killed: nothing is released, and what it had open rolls back.
        task.abort();
        let _ = task.await;
        let half = version::<Two, DB>(&store).await.unwrap();
        assert!(half.position > before && half.position < 1500, "{half:?}");
        assert_eq!(half.lag, 1500 - half.position);
        assert!(half.ready_at.is_none() && !half.serving, "{half:?}");
        // Killed while it starts, it has none.
        let (rate, left) = (seen.rate.unwrap(), seen.left.unwrap());
        #[allow(clippy::cast_precision_loss)]
        let expected = seen.lag as f64 / rate;
        assert!((left.as_secs_f64() - expected).abs() < 0.01, "{seen:?}");
        // Meanwhile all is as it was.
        assert_eq!(bonus_shown(&store).await, bonus(1));
        assert_eq!(events_shown(&store).await, 1500);
        before = half.position;
    }
    follow::<Two, DB>(&store).await;
    let rows: Vec<Two> = table::list(&store, 100).await.unwrap();
    assert_eq!(rows.len(), 30);
    assert!(rows.iter().all(|row| row.events == 50), "{rows:?}");
    let done = version::<Two, DB>(&store).await.unwrap();
    assert_eq!((done.lag, done.left), (0, Some(Duration::ZERO)));
    let old = version::<One, DB>(&store).await.unwrap();
    assert!(!old.serving && old.retired_at.is_some(), "{old:?}");
}

/// Wherever a rebuild is killed, another runner ends it, and every event is in the table once.
async fn a_rebuild_that_is_killed_at_any_step_is_ended_by_another_runner<DB: TestBackend>() {
    type New = Balance<RENAMED>;
    let (store, _database) = DB::fresh().await;
    let (accounts, mut each) = (20, 100);
    for n in 0..accounts {
        append(&store, &format!("account-{n}"), 1..=each).await;
    }
    follow::<One, DB>(&store).await;
    let new = || fast(&store, "b").lease_ttl(Duration::from_millis(500));
    let kill = async |(_cancel, task): Running| {
        task.abort();
        let _ = task.await;
    };
    let as_it_was = async || {
        assert_eq!(serving(&store).await, Some(One::TABLE.subscription_id()));
        assert_eq!(events_shown(&store).await, 2000);
        assert_eq!(bonus_shown(&store).await, bonus(1));
    };

    // While it waits for the registry, to create its table.
    let mut conn = store.pool().acquire().await.unwrap();
    DB::run(
        &mut conn,
        "BEGIN; UPDATE mire_tables SET subscription = subscription",
    )
    .await;
    let waiting = start(new().subscribe_table::<New>());
    tokio::time::sleep(Duration::from_millis(100)).await;
    kill(waiting).await;
    DB::run(&mut conn, "ROLLBACK").await;
    assert!(!DB::exists(&store, &New::TABLE.physical_table()).await);
    as_it_was().await;

    // While it folds, in one page or between two of them.
    let mut before = 0;
    for _ in 0..3 {
        let folding = start(new().batch_size(2).subscribe_table::<New>());
        until("it comes forward", || async {
            let version = version::<New, DB>(&store).await;
            version.is_some_and(|new| new.position > before)
        })
        .await;
        kill(folding).await;
        let half = version::<New, DB>(&store).await.unwrap();
        assert!(half.ready_at.is_none() && half.lag > 0, "{half:?}");
        before = half.position;
        as_it_was().await;
    }

    // When it has caught up and can't swap: the name is taken.
    DB::run(&mut conn, "CREATE VIEW holdings AS SELECT 1 AS mine").await;
    let complete = start(new().subscribe_table::<New>());
    until("it is complete and hindered", || async {
        let version = version::<New, DB>(&store).await.unwrap();
        version.lag == 0 && version.ready_at.is_some() && version.hindrance.is_some()
    })
    .await;
    kill(complete).await;
    as_it_was().await;
    DB::run(&mut conn, "DROP VIEW holdings").await;
    for n in 0..accounts {
        append(&store, &format!("account-{n}"), [each + 1]).await;
    }
    each += 1;

    // When its table serves and the old one is still there.
    let serves_now = start(new().subscribe_table::<New>());
    serves::<New, DB>(&store).await;
    kill(serves_now).await;
    assert!(DB::exists(&store, &One::TABLE.physical_table()).await);
    for n in 0..accounts {
        append(&store, &format!("account-{n}"), [each + 1]).await;
    }
    each += 1;

    let last = new().drop_tables_after(Duration::from_millis(300));
    let last = start(last.subscribe_table::<New>());
    until("the old table is dropped", || async {
        !DB::exists(&store, &One::TABLE.physical_table()).await
    })
    .await;
    table::wait_for::<New, DB>(&store, head(&store).await, PATIENCE)
        .await
        .unwrap();
    stop(last).await;
    assert!(!DB::exists(&store, "balances").await);
    let rows: Vec<New> = DB::rows(&store, "SELECT * FROM holdings ORDER BY account").await;
    assert_eq!(rows, table::list::<New, DB>(&store, 100).await.unwrap());
    let right = (each, bonus(RENAMED) + each * (each + 1) / 2);
    assert_eq!(rows.len(), usize::try_from(accounts).unwrap());
    for row in rows {
        assert_eq!((row.events, row.balance), right, "{row:?}");
    }
}

async fn code_that_was_rolled_back_takes_over_when_the_new_one_is_gone_and_not_before<
    DB: TestBackend,
>() {
    let (store, _database) = DB::fresh().await;
    append(&store, "account-1", 1..=10).await;
    let soon = |worker: &str| {
        fast(&store, worker)
            .lease_ttl(Duration::from_secs(1))
            .take_over_after(Duration::from_millis(300))
    };
    follow::<One, DB>(&store).await;
    let new = start(soon("new").subscribe_table::<Two>());
    serves::<Two, DB>(&store).await;

    // Both run, as during a deployment: the newer one serves, steadily.
    let old = start(soon("old").subscribe_table::<One>());
    until("the old one leads its own", || async {
        leader(&store, &One::TABLE.subscription_id())
            .await
            .is_some()
    })
    .await;
    append(&store, "account-1", [11]).await;
    for _ in 0..15 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(serving(&store).await, Some(Two::TABLE.subscription_id()));
    }
    // The old code reads its own table, which is up to date.
    table::wait_for::<One, DB>(&store, 11, PATIENCE)
        .await
        .unwrap();
    let own = row::<One, DB>(&store, "1").await.unwrap().unwrap();
    assert_eq!((own.events, own.balance), (11, bonus(1) + 66));

    // Rolled back: only the old one is left.
    stop(new).await;
    serves::<One, DB>(&store).await;
    assert_eq!(bonus_shown(&store).await, bonus(1));
    // And forward again, which is older than nothing.
    let new = start(soon("new").subscribe_table::<Two>());
    serves::<Two, DB>(&store).await;
    assert_eq!(bonus_shown(&store).await, bonus(2));
    stop(new).await;
    stop(old).await;
}

/// The leader of the new version has lost its lease, and does not know it yet, when it comes to
/// swap its table in.
async fn a_swap_by_a_leader_that_lost_its_lease_changes_nothing<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    append(&store, "account-1", 1..=10).await;
    follow::<One, DB>(&store).await;
    let run = async |sql| {
        let mut conn = store.pool().acquire().await.unwrap();
        DB::run(&mut conn, sql).await;
    };
    // The old version seems to be ahead, by one event, so the new one tries again and again.
    run("UPDATE mire_checkpoints SET position = 11 WHERE subscription_id = 'balances@00000001'")
        .await;
    let new = start(
        fast(&store, "b")
            .lease_ttl(Duration::from_secs(60))
            .subscribe_table::<Two>(),
    );
    store
        .wait_for(&Two::TABLE.subscription_id(), 10, PATIENCE)
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(serving(&store).await, Some(One::TABLE.subscription_id()));
    // Another worker took the lease; the first heartbeat that says so is 20 seconds away.
    run("UPDATE mire_leases
            SET instance = '00000000-0000-0000-0000-000000000000', fence_token = fence_token + 1
          WHERE subscription_id = 'balances@00000002';
         UPDATE mire_checkpoints SET fence_token = fence_token + 1
          WHERE subscription_id = 'balances@00000002';
         UPDATE mire_checkpoints SET position = 10 WHERE subscription_id = 'balances@00000001'")
    .await;
    tokio::time::sleep(Duration::from_millis(1000)).await;
    assert_eq!(serving(&store).await, Some(One::TABLE.subscription_id()));
    assert_eq!(bonus_shown(&store).await, bonus(1));
    stop(new).await;
}

/// It was dropped by hand under its leader, which has nothing to write to it any more.
async fn a_table_that_is_gone_is_made_again_before_it_is_swapped_in<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    append(&store, "account-1", 1..=10).await;
    follow::<One, DB>(&store).await;
    let run = async |sql| {
        let mut conn = store.pool().acquire().await.unwrap();
        DB::run(&mut conn, sql).await;
    };
    // The old version seems to be ahead, so the new one waits.
    run("UPDATE mire_checkpoints SET position = 11 WHERE subscription_id = 'balances@00000001'")
        .await;
    let new = start(of::<Two, DB>(&store));
    store
        .wait_for(&Two::TABLE.subscription_id(), 10, PATIENCE)
        .await
        .unwrap();
    run("DROP TABLE balances__00000002").await;
    run("UPDATE mire_checkpoints SET position = 10 WHERE subscription_id = 'balances@00000001'")
        .await;
    serves::<Two, DB>(&store).await;
    assert_eq!(bonus_shown(&store).await, bonus(2));
    assert_eq!(events_shown(&store).await, 10);
    stop(new).await;
}

/// Nobody leads the version that was retired, and still its table stays for as long as was said.
async fn a_retired_table_stays_for_its_grace<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    append(&store, "account-1", 1..=10).await;
    follow::<One, DB>(&store).await;
    // It looks after its tables several times a second.
    let often = |grace: Duration| {
        fast(&store, "b")
            .take_over_after(Duration::from_millis(100))
            .drop_tables_after(grace)
            .subscribe_table::<Two>()
    };
    let new = start(often(Duration::from_secs(3600)));
    serves::<Two, DB>(&store).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(DB::exists(&store, &One::TABLE.physical_table()).await);
    let old = version::<One, DB>(&store).await.unwrap();
    assert!(old.dropped_at.is_none() && !old.live, "{old:?}");
    stop(new).await;
    let new = start(often(Duration::from_millis(100)));
    until("it is dropped", || async {
        !DB::exists(&store, &One::TABLE.physical_table()).await
    })
    .await;
    stop(new).await;
}

async fn a_retired_table_is_dropped_after_its_grace_and_look_ups_go_on<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    append(&store, "account-1", 1..=10).await;
    let soon = |worker: &str| fast(&store, worker).drop_tables_after(Duration::from_millis(500));
    let old = start(soon("old").subscribe_table::<One>());
    serves::<One, DB>(&store).await;
    let new = start(soon("new").subscribe_table::<Two>());
    serves::<Two, DB>(&store).await;
    // As long as somebody keeps it, it stays.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(
        version::<One, DB>(&store)
            .await
            .unwrap()
            .dropped_at
            .is_none()
    );
    let own = row::<One, DB>(&store, "1").await.unwrap().unwrap();
    assert_eq!(own.balance, bonus(1) + 55);

    stop(old).await;
    until("it is dropped", || async {
        version::<One, DB>(&store)
            .await
            .unwrap()
            .dropped_at
            .is_some()
    })
    .await;
    // Old code that only reads: the version that serves has the same columns.
    let other = row::<One, DB>(&store, "1").await.unwrap().unwrap();
    assert_eq!(other.balance, bonus(2) + 55);

    // Old code that runs again builds its table again, from the start.
    append(&store, "account-1", [11]).await;
    let old = start(soon("old").subscribe_table::<One>());
    until("it is there again", || async {
        let version = version::<One, DB>(&store).await.unwrap();
        version.ready_at.is_some() && version.lag == 0
    })
    .await;
    assert_eq!(serving(&store).await, Some(Two::TABLE.subscription_id()));
    until("look-ups find it", || async {
        let row = row::<One, DB>(&store, "1").await.unwrap().unwrap();
        (row.events, row.balance) == (11, bonus(1) + 66)
    })
    .await;
    stop(old).await;
    stop(new).await;
}

/// Nobody has to start again for it.
async fn a_view_that_was_dropped_by_hand_comes_back<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    append(&store, "account-1", 1..=10).await;
    let soon = fast(&store, "a").take_over_after(Duration::from_millis(200));
    let running = start(soon.subscribe_table::<One>());
    store.wait_for("balances", 10, PATIENCE).await.unwrap();
    {
        let mut conn = store.pool().acquire().await.unwrap();
        DB::run(&mut conn, "DROP VIEW balances").await;
    }
    until("the view is back", || async {
        DB::exists(&store, "balances").await
    })
    .await;
    assert_eq!(events_shown(&store).await, 10);
    stop(running).await;
}

/// A copy takes checkpoints along, and not the tables that they speak of.
async fn a_copy_of_the_log_builds_its_tables_from_the_start<DB: TestBackend>() {
    let (source, _database) = DB::fresh().await;
    append(&source, "account-1", 1..=10).await;
    follow::<One, DB>(&source).await;
    let (target, _other) = DB::fresh().await;
    copy(&source, &target).await.unwrap();
    let copied = target.checkpoint(&One::TABLE.subscription_id()).await;
    assert_eq!(copied.unwrap(), Some(10), "the copy is there to mislead");
    follow::<One, DB>(&target).await;
    let row = row::<One, DB>(&target, "1").await.unwrap().unwrap();
    assert_eq!((row.events, row.balance), (10, bonus(1) + 55));
}

async fn a_version_of_another_shape_is_not_read_before_it_is_ready<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    append(&store, "account-1", 1..=10).await;
    let nothing = row::<Written, DB>(&store, "1").await.unwrap_err();
    assert!(
        nothing.to_string().contains("no version serves"),
        "{nothing}"
    );
    follow::<One, DB>(&store).await;
    let before = row::<Written, DB>(&store, "1").await.unwrap_err();
    assert!(
        matches!(before, EventStoreError::TableNotReady { .. }),
        "{before:?}"
    );
    assert!(
        before.to_string().contains("`balances@0000ffff`"),
        "{before}"
    );
    follow::<Written, DB>(&store).await;
    let row_now = row::<Written, DB>(&store, "1").await.unwrap().unwrap();
    assert_eq!(row_now.balance, "55");
    let shown: Vec<Written> = DB::rows(&store, "SELECT * FROM balances").await;
    assert_eq!(shown, [row_now]);
    // The old code goes on with its own table.
    let old = row::<One, DB>(&store, "1").await.unwrap().unwrap();
    assert_eq!(old.events, 10);
}

/// The version that serves goes on without the old one, and old code still asks, as a process does
/// that runs no projections.
async fn look_ups_leave_a_retired_table_that_nobody_keeps_up_to_date<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    // What another process finds.
    let found = async || {
        let store = EventStore::new(store.pool().clone());
        row::<One, DB>(&store, "1").await.unwrap().unwrap()
    };
    let an_hour_passes = async || {
        let mut conn = store.pool().acquire().await.unwrap();
        DB::run(&mut conn, DB::AN_HOUR_WITHOUT_LEADERS).await;
    };
    append(&store, "account-1", 1..=10).await;
    follow::<One, DB>(&store).await;
    follow::<Two, DB>(&store).await;
    an_hour_passes().await;
    // Neither has gone on.
    assert_eq!(found().await.balance, bonus(1) + 55);

    let old = start(of::<One, DB>(&store));
    until("it leads", || async {
        let version = version::<One, DB>(&store).await.unwrap();
        version.live && version.ready_at.is_some()
    })
    .await;
    stop(old).await;
    append(&store, "account-1", [11]).await;
    let new = start(of::<Two, DB>(&store));
    serves::<Two, DB>(&store).await;
    table::wait_for::<Two, DB>(&store, 11, PATIENCE)
        .await
        .unwrap();
    stop(new).await;
    // It was led a moment ago, and another runner may take it up.
    assert_eq!(found().await.balance, bonus(1) + 55);
    an_hour_passes().await;
    assert_eq!(found().await.balance, bonus(2) + 66);
    let elsewhere = EventStore::new(store.pool().clone());
    table::wait_for::<One, DB>(&elsewhere, 11, Duration::ZERO)
        .await
        .unwrap();

    let old = start(of::<One, DB>(&store));
    until("its own table is read again", || async {
        found().await.balance == bonus(1) + 66
    })
    .await;
    stop(old).await;
}

async fn look_ups_refuse_a_retired_table_that_nobody_keeps_where_columns_differ<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    append(&store, "account-1", 1..=10).await;
    follow::<One, DB>(&store).await;
    follow::<Written, DB>(&store).await;
    append(&store, "account-1", [11]).await;
    follow::<Written, DB>(&store).await;
    {
        let mut conn = store.pool().acquire().await.unwrap();
        DB::run(&mut conn, DB::AN_HOUR_WITHOUT_LEADERS).await;
    }
    let error = row::<One, DB>(&store, "1").await.unwrap_err();
    assert!(
        matches!(error, EventStoreError::TableNotReady { .. }),
        "{error:?}"
    );
    assert!(
        error.to_string().contains(
            "`balances@00000001`, is behind, since nobody leads it, and the one that serves has \
             other columns; run its runner"
        ),
        "{error}"
    );
}

/// Another process sees it: the status is in the database.
async fn a_build_that_died_says_why_and_that_nobody_leads_it<DB: TestBackend>() {
    type Thirteen = Balance<13>;
    let (store, _database) = DB::fresh().await;
    append(&store, "account-1", [1, UNLUCKY, 2]).await;
    follow::<One, DB>(&store).await;
    let (_cancel, task) =
        start(fast(&store, "b").subscribe_table_with::<Thirteen>(|s| s.max_attempts(1)));
    task.await.unwrap().unwrap_err();
    let dead = version::<Thirteen, DB>(&store).await.unwrap();
    assert_eq!((dead.live, dead.lag, dead.left), (false, 2, None));
    let hindrance = dead.hindrance.unwrap();
    for part in ["nobody leads it", "at position 2", "thirteen"] {
        assert!(hindrance.contains(part), "{part}: {hindrance}");
    }

    let run = async |sql| {
        let mut conn = store.pool().acquire().await.unwrap();
        DB::run(&mut conn, sql).await;
    };
    // Whoever gets over it has nothing to say any more, also before it is complete: the old version
    // seems to be ahead.
    run("UPDATE mire_checkpoints SET position = 9 WHERE subscription_id = 'balances@00000001'")
        .await;
    let going =
        start(fast(&store, "b").subscribe_table_with::<Thirteen>(|s| {
            s.on_failure(FailurePolicy::Skip).max_attempts(1)
        }));
    until("nothing hinders it", || async {
        let well = version::<Thirteen, DB>(&store).await.unwrap();
        well.live && well.position == 3 && well.hindrance.is_none()
    })
    .await;
    run("UPDATE mire_checkpoints SET position = 3 WHERE subscription_id = 'balances@00000001'")
        .await;
    serves::<Thirteen, DB>(&store).await;
    stop(going).await;

    append(&store, "account-1", [3]).await;
    let behind = version::<Thirteen, DB>(&store).await.unwrap();
    let hindrance = behind.hindrance.unwrap();
    assert!(hindrance.contains("nobody leads it; start"), "{hindrance}");
    // A retired version needs nobody.
    let old = version::<One, DB>(&store).await.unwrap();
    assert_eq!((old.hindrance, old.left), (None, None));
}

/// A build may be hours away from its end: what hindered it does not stand there until then.
async fn a_build_that_goes_on_takes_back_what_hindered_it<DB: TestBackend>() {
    type Thirteen = Balance<13>;
    let (store, _database) = DB::fresh().await;
    append(&store, "account-1", [1, UNLUCKY, 2]).await;
    follow::<One, DB>(&store).await;
    let build = |attempts| {
        start(
            fast(&store, "b")
                .retry_backoff(Duration::from_secs(30))
                .subscribe_table_with::<Thirteen>(|s| s.max_attempts(attempts)),
        )
    };
    let (_cancel, task) = build(1);
    task.await.unwrap().unwrap_err();
    let dead = version::<Thirteen, DB>(&store).await.unwrap();
    assert!(dead.hindrance.unwrap().contains("thirteen"));
    let mut conn = store.pool().acquire().await.unwrap();
    DB::run(
        &mut conn,
        "UPDATE mire_checkpoints SET position = 0 WHERE subscription_id = 'balances@0000000d'",
    )
    .await;
    drop(conn);

    // It gets over the first event, and hangs at the second.
    let going = build(9);
    until("the first event hinders nothing", || async {
        let well = version::<Thirteen, DB>(&store).await.unwrap();
        (well.live, well.position, well.hindrance) == (true, 1, None)
    })
    .await;
    stop(going).await;
}

/// Who has read the old version's rows, or waited for them, does not see less in the new one's.
async fn look_ups_turn_to_a_new_version_when_it_is_as_far_as_the_old_one<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    append(&store, "account-1", 1..=10).await;
    follow::<One, DB>(&store).await;
    // The old version seems to be ahead, by one event.
    {
        let ahead = "UPDATE mire_checkpoints SET position = 11
                      WHERE subscription_id = 'balances@00000001'";
        let mut conn = store.pool().acquire().await.unwrap();
        DB::run(&mut conn, ahead).await;
    }
    let new = start(of::<Two, DB>(&store));
    let id = Two::TABLE.subscription_id();
    store.wait_for(&id, 10, PATIENCE).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let shown = row::<Two, DB>(&store, "1").await.unwrap().unwrap();
    assert_eq!(shown.balance, bonus(1) + 55);
    table::wait_for::<Two, DB>(&store, 11, Duration::ZERO)
        .await
        .unwrap();
    let waiting = version::<Two, DB>(&store).await.unwrap();
    assert!(waiting.ready_at.is_none(), "{waiting:?}");

    append(&store, "account-1", [11]).await;
    serves::<Two, DB>(&store).await;
    let shown = row::<Two, DB>(&store, "1").await.unwrap().unwrap();
    assert_eq!(shown.balance, bonus(2) + 66);
    stop(new).await;
}

/// Nobody goes on with the old version, and the new one can't take its place yet; what look-ups read
/// is the new one's all the same.
async fn a_wait_turns_to_a_new_version_with_the_look_ups<DB: TestBackend>() {
    type New = Balance<RENAMED>;
    let (store, _database) = DB::fresh().await;
    append(&store, "account-1", 1..=10).await;
    follow::<One, DB>(&store).await;
    append(&store, "account-1", [11]).await;
    {
        let mut conn = store.pool().acquire().await.unwrap();
        DB::run(&mut conn, "CREATE VIEW holdings AS SELECT 1 AS mine").await;
    }
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { table::wait_for::<New, DB>(&store, 11, PATIENCE).await }
    });
    let new = start(of::<New, DB>(&store));
    waiting.await.unwrap().unwrap();
    assert_eq!(serving(&store).await, Some(One::TABLE.subscription_id()));
    let shown = row::<New, DB>(&store, "1").await.unwrap().unwrap();
    assert_eq!(shown.events, 11);
    stop(new).await;

    let patience = Duration::from_millis(1200);
    let error = table::wait_for::<New, DB>(&store, 12, patience).await;
    let EventStoreError::Timeout { waited, .. } = error.unwrap_err() else {
        panic!("it has waited for nothing");
    };
    assert_eq!(waited, patience);
}

async fn a_version_with_parked_events_does_not_take_the_place_of_a_sound_one<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    append(&store, "account-1", [1, UNLUCKY]).await;
    append(&store, "account-2", [2]).await;
    follow::<One, DB>(&store).await;
    type Thirteen = Balance<13>;
    let id = Thirteen::TABLE.subscription_id();
    let new =
        start(fast(&store, "b").subscribe_table_with::<Thirteen>(|s| {
            s.on_failure(FailurePolicy::Park).max_attempts(1)
        }));
    until("it says what hinders it", || async {
        let version = version::<Thirteen, DB>(&store).await;
        let hindrance = version.and_then(|version| version.hindrance);
        hindrance.is_some_and(|text| text.contains("1 of its events are parked"))
    })
    .await;
    assert_eq!(serving(&store).await, Some(One::TABLE.subscription_id()));
    let parked = store.parked(&id, 0, 9).await.unwrap();
    assert_eq!(parked.len(), 1);
    store
        .drop_parked(&id, parked[0].global_position)
        .await
        .unwrap();
    serves::<Thirteen, DB>(&store).await;
    until("nothing hinders it any more", || async {
        let version = version::<Thirteen, DB>(&store).await.unwrap();
        version.hindrance.is_none()
    })
    .await;
    stop(new).await;
}

/// A version that nobody led for a while is behind when its code comes back. Until it has caught up,
/// its look-ups read the version that serves.
async fn a_version_that_comes_back_is_not_read_before_it_has_caught_up_again<DB: TestBackend>() {
    type Thirteen = Balance<13>;
    let (store, _database) = DB::fresh().await;
    append(&store, "account-1", 1..=10).await;
    follow::<Thirteen, DB>(&store).await;
    follow::<One, DB>(&store).await;
    // An event that it can't get over, for the time being.
    append(&store, "account-1", [UNLUCKY]).await;
    follow::<One, DB>(&store).await;
    let elsewhere = EventStore::new(store.pool().clone());
    let back = start(
        fast(&elsewhere, "b").subscribe_table_with::<Thirteen>(|s| s.max_attempts(1_000_000)),
    );
    until("it leads", || async {
        leader(&store, &Thirteen::TABLE.subscription_id())
            .await
            .is_some()
    })
    .await;
    let row = row::<Thirteen, DB>(&elsewhere, "1").await.unwrap().unwrap();
    assert_eq!((row.events, row.balance), (11, bonus(1) + 55 + UNLUCKY));
    stop(back).await;
}

async fn the_rate_is_what_came_since_a_runner_last_started<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    for (from, count) in [(0, 10), (10, 5)] {
        let started = Instant::now();
        let running = start(of::<One, DB>(&store));
        until("somebody leads", || async {
            let id = One::TABLE.subscription_id();
            leader(&store, &id).await.is_some()
        })
        .await;
        tokio::time::sleep(Duration::from_millis(400)).await;
        append(&store, "account-1", 1..=count).await;
        table::wait_for::<One, DB>(&store, from + count, PATIENCE)
            .await
            .unwrap();
        stop(running).await;
        let version = version::<One, DB>(&store).await.unwrap();
        #[allow(clippy::cast_precision_loss)]
        let seconds = count as f64 / version.rate.unwrap();
        // The database's clock may count milliseconds.
        let longest = started.elapsed().as_secs_f64() + 0.01;
        assert!((0.39..longest).contains(&seconds), "{seconds}: {version:?}");
    }
}

async fn the_declared_name_stands_for_the_version_that_serves<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    append(&store, "account-1", 1..=10).await;
    follow::<One, DB>(&store).await;
    append(&store, "account-1", [11]).await;
    assert_eq!(store.checkpoint("balances").await.unwrap(), Some(10));
    assert_eq!(store.projection_lag("balances").await.unwrap(), 1);
    follow::<Two, DB>(&store).await;
    assert_eq!(store.checkpoint("balances").await.unwrap(), Some(11));
    assert_eq!(
        store.checkpoint("balances@00000001").await.unwrap(),
        Some(10)
    );
    let lease = mire::lease::status(store.pool(), "balances").await.unwrap();
    let own = mire::lease::status(store.pool(), "balances@00000002").await;
    assert_eq!(lease, own.unwrap());
    assert!(lease.is_some());
}

/// The subscription stays and the table's declared name changes: the old name goes on showing what
/// it showed until its versions are dropped, and serves again when the code is rolled back.
async fn a_table_under_another_name_leaves_the_old_one_to_its_readers<DB: TestBackend>() {
    type Renamed = Balance<RENAMED>;
    let (store, _database) = DB::fresh().await;
    let grace = |worker: &str| fast(&store, worker).drop_tables_after(Duration::from_secs(600));
    let soon = |worker: &str| {
        fast(&store, worker)
            .take_over_after(Duration::from_millis(300))
            .drop_tables_after(Duration::from_millis(500))
    };
    let shown = async || -> Vec<Renamed> { DB::rows(&store, "SELECT * FROM holdings").await };
    append(&store, "account-1", 1..=10).await;
    follow::<One, DB>(&store).await;
    follow::<Two, DB>(&store).await;
    let old = start(grace("old").subscribe_table::<Two>());
    let new = start(grace("new").subscribe_table::<Renamed>());
    serves::<Renamed, DB>(&store).await;

    // Each name shows the table of its own code, and both are kept.
    append(&store, "account-1", [11]).await;
    for version in [Two::TABLE, Renamed::TABLE] {
        let id = version.subscription_id();
        store.wait_for(&id, 11, PATIENCE).await.unwrap();
    }
    let [row] = &shown().await[..] else {
        panic!("there is one account");
    };
    assert_eq!((row.events, row.balance), (11, bonus(RENAMED) + 66));
    assert_eq!(events_shown(&store).await, 11);
    assert_eq!(bonus_shown(&store).await, bonus(2));
    assert_eq!(store.checkpoint("balances").await.unwrap(), Some(11));
    stop(new).await;
    stop(old).await;

    // Rolled back: the old name serves, and the new one shows what it showed last.
    let old = start(soon("old").subscribe_table::<Two>());
    serves::<Two, DB>(&store).await;
    append(&store, "account-1", [12]).await;
    until("the old name shows it", || async {
        events_shown(&store).await == 12
    })
    .await;
    // Once that one's time is up, its name goes with its table, and so does what was under the name
    // that serves before, which goes on.
    until("the others are dropped", || async {
        let renamed = version::<Renamed, DB>(&store).await.unwrap();
        let one = version::<One, DB>(&store).await.unwrap();
        renamed.dropped_at.is_some() && one.dropped_at.is_some()
    })
    .await;
    assert!(!DB::exists(&store, "holdings").await);
    assert_eq!(events_shown(&store).await, 12);
    stop(old).await;

    // And forward again, from the start; now the old name is the one that goes.
    let new = start(soon("new").subscribe_table::<Renamed>());
    serves::<Renamed, DB>(&store).await;
    assert_eq!(shown().await[0].events, 12);
    until("the old name is gone", || async {
        let two = version::<Two, DB>(&store).await.unwrap();
        two.dropped_at.is_some() && !DB::exists(&store, "balances").await
    })
    .await;
    assert_eq!(shown().await[0].events, 12);
    stop(new).await;
}

/// A view that is not mire's is not touched, whatever name a declaration takes.
async fn a_name_that_is_taken_by_another_view_hinders_the_swap<DB: TestBackend>() {
    type Renamed = Balance<RENAMED>;
    let (store, _database) = DB::fresh().await;
    append(&store, "account-1", 1..=10).await;
    follow::<One, DB>(&store).await;
    let mut conn = store.pool().acquire().await.unwrap();
    DB::run(&mut conn, "CREATE VIEW holdings AS SELECT 1 AS mine").await;
    let new = start(of::<Renamed, DB>(&store));
    until("it says what hinders it", || async {
        let version = version::<Renamed, DB>(&store).await;
        let hindrance = version.and_then(|version| version.hindrance);
        hindrance.is_some_and(|text| text.contains("is not mire's"))
    })
    .await;
    assert_eq!(serving(&store).await, Some(One::TABLE.subscription_id()));
    assert_eq!(
        DB::number(&store, "SELECT CAST(mine AS bigint) FROM holdings").await,
        1
    );
    DB::run(&mut conn, "DROP VIEW holdings").await;
    serves::<Renamed, DB>(&store).await;
    stop(new).await;
}

/// An old version that is kept beside the one that serves. It looks after its table often, and takes
/// nobody's place.
async fn an_old_version_beside_a_new_one<DB: TestBackend>(store: &EventStore<DB>) -> [Running; 2] {
    append(store, "account-1", 1..=10).await;
    follow::<Balance<13>, DB>(store).await;
    follow::<One, DB>(store).await;
    let old = start(
        fast(store, "old")
            .drop_tables_after(Duration::from_millis(200))
            .take_over_after(Duration::from_secs(7200))
            .subscribe_table_with::<Balance<13>>(|s| s.max_attempts(1_000_000)),
    );
    let new = start(of::<One, DB>(store));
    until("both keep their tables", || async {
        let one = version::<One, DB>(store).await.unwrap();
        let thirteen = version::<Balance<13>, DB>(store).await.unwrap();
        thirteen.ready_at.is_some() && thirteen.live && one.live
    })
    .await;
    [old, new]
}

/// What the old version's look-ups find in another process.
async fn found_elsewhere<DB: Backend>(store: &EventStore<DB>) -> Balance<13> {
    let store = EventStore::new(store.pool().clone());
    row(&store, "1").await.unwrap().unwrap()
}

/// Has the old version's leader be away for an hour, as if it had been stopped, and come back; answers
/// what look-ups found meanwhile.
async fn away_for_an_hour<DB: TestBackend>(store: &EventStore<DB>) -> Balance<13> {
    let live = async || version::<Balance<13>, DB>(store).await.unwrap().live;
    let found = loop {
        {
            let mut conn = store.pool().acquire().await.unwrap();
            DB::run(&mut conn, DB::AN_HOUR_WITHOUT_LEADERS).await;
        }
        let found = found_elsewhere(store).await;
        // Or a heartbeat came in between.
        if !live().await {
            break found;
        }
    };
    until("it is led again", live).await;
    found
}

/// Who has read the version that serves meanwhile does not see less.
async fn look_ups_do_not_go_back_to_a_version_that_is_led_again_and_behind<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let [old, new] = an_old_version_beside_a_new_one(&store).await;
    // It can't get over this event.
    append(&store, "account-1", [UNLUCKY]).await;
    table::wait_for::<One, DB>(&store, 11, PATIENCE)
        .await
        .unwrap();
    assert_eq!(found_elsewhere(&store).await.events, 10, "it is led");
    assert_eq!(away_for_an_hour(&store).await.events, 11, "nobody leads it");
    for _ in 0..20 {
        assert_eq!(found_elsewhere(&store).await.events, 11, "it is led again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop(old).await;
    stop(new).await;
}

async fn look_ups_come_back_to_a_version_that_is_led_again_and_has_caught_up<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let [old, new] = an_old_version_beside_a_new_one(&store).await;
    let ready_at = async || {
        let version = version::<Balance<13>, DB>(&store).await.unwrap();
        version.ready_at
    };
    // The one that serves seems to be ahead, by one event.
    {
        let ahead = "UPDATE mire_checkpoints SET position = 11
                      WHERE subscription_id = 'balances@00000001'";
        let mut conn = store.pool().acquire().await.unwrap();
        DB::run(&mut conn, ahead).await;
    }
    away_for_an_hour(&store).await;
    assert_eq!(ready_at().await, None);
    append(&store, "account-1", [11]).await;
    until("it is complete anew", || async {
        ready_at().await.is_some()
    })
    .await;
    assert_eq!(found_elsewhere(&store).await.balance, bonus(13) + 66);
    stop(old).await;
    stop(new).await;
}

/// A version that was given up before it came to serve needs no leader: another one serves in its
/// stead.
async fn a_version_that_was_given_up_asks_for_no_runner<DB: TestBackend>() {
    type Thirteen = Balance<13>;
    let (store, _database) = DB::fresh().await;
    append(&store, "account-1", [1, UNLUCKY]).await;
    follow::<One, DB>(&store).await;
    let hanging = fast(&store, "b").retry_backoff(Duration::from_secs(30));
    let (_cancel, task) = start(hanging.subscribe_table::<Thirteen>());
    until("it hangs", || async {
        let version = version::<Thirteen, DB>(&store).await;
        version.is_some_and(|version| version.position == 1)
    })
    .await;
    task.abort();
    let _ = task.await;
    until("its lease expires", || async {
        !version::<Thirteen, DB>(&store).await.unwrap().live
    })
    .await;
    let newest = version::<Thirteen, DB>(&store).await.unwrap();
    assert!(newest.hindrance.unwrap().contains("nobody leads it; start"));
    follow::<Balance<14>, DB>(&store).await;
    let given_up = version::<Thirteen, DB>(&store).await.unwrap();
    assert_eq!((given_up.lag, given_up.hindrance), (1, None));
    // The one that serves needs a leader all the same.
    append(&store, "account-1", [2]).await;
    let serves = version::<Balance<14>, DB>(&store).await.unwrap();
    assert!(serves.hindrance.unwrap().contains("nobody leads it; start"));
}

async fn a_table_that_is_reset_is_measured_from_its_start<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    append(&store, "account-1", 1..=10).await;
    follow::<One, DB>(&store).await;
    // It starts where nothing is left to do.
    let running = start(of::<One, DB>(&store));
    let id = One::TABLE.subscription_id();
    until("it leads", || async { leader(&store, &id).await.is_some() }).await;
    store.reset_checkpoint("balances", 0).await.unwrap();
    until("it is complete again, at a rate", || async {
        let version = version::<One, DB>(&store).await.unwrap();
        version.ready_at.is_some() && version.position == 10 && version.rate.is_some()
    })
    .await;
    stop(running).await;
}

/// The indexes of a table keep their names when somebody renames it.
async fn a_table_that_was_renamed_by_hand_says_what_to_undo<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let run = async |sql| {
        let mut conn = store.pool().acquire().await.unwrap();
        DB::run(&mut conn, sql).await;
    };
    append(&store, "account-1", 1..=10).await;
    let running = start(of::<One, DB>(&store));
    store.wait_for("balances", 10, PATIENCE).await.unwrap();
    let renamed = async |position| {
        run("ALTER TABLE balances__00000001 RENAME TO gone").await;
        append(&store, "account-1", [position]).await;
        until("it says what to undo", || async {
            let version = version::<One, DB>(&store).await.unwrap();
            version.hindrance.is_some_and(|text| {
                let undo = r#"ALTER TABLE "gone" RENAME TO "balances__00000001""#;
                text.contains("`balances__00000001_i1` is on the table `gone`")
                    && text.contains(undo)
            })
        })
        .await;
    };
    renamed(11).await;
    run("ALTER TABLE gone RENAME TO balances__00000001").await;
    store.wait_for("balances", 11, PATIENCE).await.unwrap();
    assert_eq!(events_shown(&store).await, 11);
    renamed(12).await;
    run("BEGIN; DROP VIEW balances; DROP TABLE gone; COMMIT").await;
    store.wait_for("balances", 12, PATIENCE).await.unwrap();
    assert_eq!(events_shown(&store).await, 12);
    stop(running).await;
}

/// One without indexes is made again at once; the view shows what somebody renamed until then.
async fn a_view_leaves_a_table_that_was_renamed_by_hand<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    append(&store, "account-1", 1..=10).await;
    let running = start(of::<Written, DB>(&store));
    store.wait_for("balances", 10, PATIENCE).await.unwrap();
    {
        let mut conn = store.pool().acquire().await.unwrap();
        DB::run(&mut conn, "ALTER TABLE balances__0000ffff RENAME TO gone").await;
    }
    append(&store, "account-1", [11]).await;
    until("the view shows the new one", || async {
        let shown: Vec<Written> = DB::rows(&store, "SELECT * FROM balances").await;
        shown.first().is_some_and(|row| row.balance == "66")
    })
    .await;
    stop(running).await;
}

/// What only PostgreSQL has: dependent views that hinder, privileges, and locks of readers.
#[cfg(feature = "postgres")]
mod on_postgres {
    use super::*;
    use mire::Postgres;

    async fn run(store: &EventStore, sql: &'static str) {
        sqlx::raw_sql(sql).execute(store.pool()).await.unwrap();
    }

    async fn hindered(store: &EventStore, by: &str) {
        until("it says what hinders it", || async {
            let version = version::<Written, Postgres>(store).await;
            let hindrance = version.and_then(|version| version.hindrance);
            hindrance.is_some_and(|text| text.contains(by))
        })
        .await;
        assert_eq!(serving(store).await, Some(One::TABLE.subscription_id()));
        assert_eq!(events_shown(store).await, 10);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_view_of_the_users_own_hinders_a_swap_only_where_columns_change() {
        let (store, _database) = Postgres::fresh().await;
        append(&store, "account-1", 1..=10).await;
        follow::<Two, Postgres>(&store).await;
        run(&store, "CREATE VIEW mine AS SELECT events FROM balances").await;
        follow::<One, Postgres>(&store).await;
        let mine: i64 = sqlx::query_scalar("SELECT events FROM mine")
            .fetch_one(store.pool())
            .await
            .unwrap();
        assert_eq!(mine, 10);

        let new = start(of::<Written, Postgres>(&store));
        hindered(&store, "other objects depend on it").await;
        let hindrance = version::<Written, Postgres>(&store).await.unwrap();
        let hindrance = hindrance.hindrance.unwrap();
        let message = "cannot drop view balances because other objects depend on it";
        assert_eq!(hindrance.matches(message).count(), 1, "{hindrance}");
        for part in ["view mine depends on view balances", "drop what depends"] {
            assert!(hindrance.contains(part), "{part}: {hindrance}");
        }
        assert!(!hindrance.contains("at line"), "{hindrance}");
        run(&store, "DROP VIEW mine").await;
        serves::<Written, Postgres>(&store).await;
        stop(new).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_view_of_the_users_own_keeps_tables_from_being_removed() {
        let (store, _database) = Postgres::fresh().await;
        append(&store, "account-1", 1..=10).await;
        follow::<One, Postgres>(&store).await;
        run(&store, "CREATE VIEW mine AS SELECT events FROM balances").await;
        let error = table::remove(&store, "balances").await.unwrap_err();
        let EventStoreError::TableInUse { table, .. } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(table, "balances");
        for part in ["view mine depends on view balances", "drop what depends"] {
            assert!(error.to_string().contains(part), "{part}: {error}");
        }
        assert_eq!(events_shown(&store).await, 10);
        run(&store, "DROP VIEW mine").await;
        table::remove(&store, "balances").await.unwrap();
        assert!(!Postgres::exists(&store, "balances").await);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_reader_that_takes_its_time_delays_the_swap_and_no_other_reader() {
        let (store, _database) = Postgres::fresh().await;
        append(&store, "account-1", 1..=10).await;
        follow::<One, Postgres>(&store).await;
        let mut reading = store.pool().begin().await.unwrap();
        sqlx::query("SELECT * FROM balances")
            .fetch_all(&mut *reading)
            .await
            .unwrap();
        let new = start(of::<Written, Postgres>(&store));
        hindered(&store, "lock timeout").await;
        let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
            .fetch_one(&mut *reading)
            .await
            .unwrap();
        let hindrance = version::<Written, Postgres>(&store).await.unwrap();
        let hindrance = hindrance.hindrance.unwrap();
        for part in [
            &format!("`balances` is in use by session {pid} ("),
            "idle in transaction, since 20",
            &format!("`SELECT pg_terminate_backend({pid})`"),
        ] {
            assert!(hindrance.contains(part), "{part}: {hindrance}");
        }
        let longest = async {
            let mut longest = Duration::ZERO;
            for _ in 0..100 {
                let asked = Instant::now();
                assert_eq!(events_shown(&store).await, 10);
                longest = longest.max(asked.elapsed());
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            longest
        };
        assert!(longest.await < Duration::from_secs(2));
        reading.commit().await.unwrap();
        serves::<Written, Postgres>(&store).await;
        stop(new).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn privileges_on_the_view_outlast_a_change_of_its_columns() {
        let (store, _database) = Postgres::fresh().await;
        append(&store, "account-1", 1..=10).await;
        follow::<One, Postgres>(&store).await;
        run(&store, "GRANT SELECT ON balances TO PUBLIC").await;
        run(
            &store,
            "GRANT UPDATE ON balances TO pg_monitor WITH GRANT OPTION",
        )
        .await;
        follow::<Written, Postgres>(&store).await;
        let privileges: bool = sqlx::query_scalar(
            "SELECT has_table_privilege('pg_read_all_stats', 'balances', 'SELECT')
                AND has_table_privilege('pg_monitor', 'balances', 'UPDATE WITH GRANT OPTION')",
        )
        .fetch_one(store.pool())
        .await
        .unwrap();
        assert!(privileges);
    }
}

/// What is killed within the swap's own transaction leaves nothing of it behind: neither between the
/// view and the registry, nor when only the fenced checkpoint is left.
#[cfg(feature = "postgres")]
mod killed_on_postgres {
    use super::*;
    use mire::Postgres;

    /// Ends the connection within a statement, and counts by what is never rolled back.
    const SET_UP: &str = "
        CREATE SEQUENCE ended;
        CREATE FUNCTION end_connection() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM nextval('ended');
            PERFORM pg_terminate_backend(pg_backend_pid());
            RETURN NEW;
        END $$;
        CREATE FUNCTION end_swapping_connection() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF (SELECT serving FROM mire_tables) = '00000003' THEN
                PERFORM nextval('ended');
                PERFORM pg_terminate_backend(pg_backend_pid());
            END IF;
            RETURN NEW;
        END $$";

    async fn swap<New: TableProjection>(store: &EventStore, old: u32, trigger: &'static str) {
        let run = async |sql| {
            sqlx::raw_sql(sql).execute(store.pool()).await.unwrap();
        };
        let before = serving(store).await;
        run(trigger).await;
        let new = start(of::<New, Postgres>(store));
        // Every look at the view succeeds, and shows the old version; the rebuild tries again.
        until("it is ended a second time", || async {
            assert_eq!(events_shown(store).await, 10);
            assert_eq!(bonus_shown(store).await, bonus(old));
            assert_eq!(serving(store).await, before);
            let ended = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM ended";
            Postgres::number(store, ended).await >= 2
        })
        .await;
        run("DROP TRIGGER IF EXISTS halfway ON mire_tables;
             DROP TRIGGER IF EXISTS halfway ON mire_checkpoints;
             ALTER SEQUENCE ended RESTART")
        .await;
        serves::<New, Postgres>(store).await;
        assert_eq!(bonus_shown(store).await, bonus(New::TABLE.fingerprint));
        assert_eq!(events_shown(store).await, 10);
        stop(new).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_swap_whose_connection_is_ended_halfway_is_not_there_at_all() {
        let (store, _database) = Postgres::fresh().await;
        append(&store, "account-1", 1..=10).await;
        follow::<One, Postgres>(&store).await;
        sqlx::raw_sql(SET_UP).execute(store.pool()).await.unwrap();
        swap::<Two>(
            &store,
            1,
            "CREATE TRIGGER halfway BEFORE UPDATE OF serving ON mire_tables
                FOR EACH ROW EXECUTE FUNCTION end_connection()",
        )
        .await;
        swap::<Balance<3>>(
            &store,
            2,
            "CREATE TRIGGER halfway BEFORE UPDATE ON mire_checkpoints
                FOR EACH ROW EXECUTE FUNCTION end_swapping_connection()",
        )
        .await;
    }

    /// What the old version's leader is about to commit counts.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_swap_waits_for_the_old_leaders_transaction() {
        let (store, _database) = Postgres::fresh().await;
        append(&store, "account-1", 1..=10).await;
        follow::<One, Postgres>(&store).await;
        let mut handling = store.pool().begin().await.unwrap();
        let ahead = "UPDATE mire_checkpoints SET position = 11
                      WHERE subscription_id = 'balances@00000001'";
        sqlx::raw_sql(ahead).execute(&mut *handling).await.unwrap();
        let new = start(of::<Two, Postgres>(&store));
        until("its table is complete", || async {
            let version = version::<Two, Postgres>(&store).await;
            version.is_some_and(|version| version.position == 10)
        })
        .await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(serving(&store).await, Some(One::TABLE.subscription_id()));
        handling.commit().await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(serving(&store).await, Some(One::TABLE.subscription_id()));
        append(&store, "account-1", [11]).await;
        serves::<Two, Postgres>(&store).await;
        stop(new).await;
    }
}

/// The same, where the process that swaps is killed.
#[cfg(feature = "sqlite")]
mod killed_on_sqlite {
    use super::*;
    use crate::common::process::{self, Process};
    use mire::Sqlite;
    use sqlx::Connection as _;
    use sqlx::sqlite::SqliteConnection;

    #[tokio::test]
    async fn child_that_runs() {
        let Some((url, worker)) = process::child() else {
            return;
        };
        let store = mire::open::<Sqlite>(&url).await.unwrap();
        let runner = fast(&store, &worker);
        process::run(if worker == "2" {
            runner.subscribe_table::<Two>()
        } else {
            runner.subscribe_table::<Balance<3>>()
        })
        .await;
    }

    async fn swap<New: TableProjection>(
        store: &EventStore<Sqlite>,
        url: &str,
        old: u32,
        trigger: &'static str,
    ) {
        let run = async |sql| {
            sqlx::raw_sql(sql).execute(store.pool()).await.unwrap();
        };
        let before = serving(store).await;
        run(trigger).await;
        let worker = New::TABLE.fingerprint.to_string();
        let swapping = Process::start(module_path!(), url, &worker);
        // It holds the file for longer than anything else does.
        let mut conn = SqliteConnection::connect(url).await.unwrap();
        sqlx::raw_sql("PRAGMA busy_timeout = 500")
            .execute(&mut conn)
            .await
            .unwrap();
        let started = Instant::now();
        while let Ok(_free) = sqlx::raw_sql("BEGIN IMMEDIATE; ROLLBACK")
            .execute(&mut conn)
            .await
        {
            assert!(started.elapsed() < PATIENCE, "it did not come to the swap");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let as_it_was = async || {
            assert_eq!(events_shown(store).await, 10);
            assert_eq!(bonus_shown(store).await, bonus(old));
            assert_eq!(serving(store).await, before);
        };
        as_it_was().await;
        swapping.kill();
        as_it_was().await;
        let complete = version::<New, Sqlite>(store).await.unwrap();
        assert_eq!((complete.position, complete.lag), (10, 0));
        run("DROP TRIGGER halfway").await;
        follow::<New, Sqlite>(store).await;
        assert_eq!(bonus_shown(store).await, bonus(New::TABLE.fingerprint));
        assert_eq!(events_shown(store).await, 10);
    }

    /// A statement within it that doesn't end while anybody waits for it.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_swap_whose_process_is_killed_halfway_is_not_there_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}/test.db", folder.path().display());
        let store = mire::open::<Sqlite>(&url).await.unwrap();
        append(&store, "account-1", 1..=10).await;
        follow::<One, Sqlite>(&store).await;
        swap::<Two>(
            &store,
            &url,
            1,
            "CREATE TRIGGER halfway BEFORE UPDATE OF serving ON mire_tables BEGIN
                SELECT (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
                        SELECT max(i) FROM n);
             END",
        )
        .await;
        swap::<Balance<3>>(
            &store,
            &url,
            2,
            "CREATE TRIGGER halfway BEFORE UPDATE ON mire_checkpoints
                WHEN (SELECT serving FROM mire_tables) = '00000003' BEGIN
                SELECT (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
                        SELECT max(i) FROM n);
             END",
        )
        .await;
    }
}

conformance!(
    a_rebuild_under_load_shows_readers_no_gap_and_nothing_half_built,
    a_rebuild_that_is_killed_goes_on_where_it_was_and_says_how_far_it_is,
    a_rebuild_that_is_killed_at_any_step_is_ended_by_another_runner,
    code_that_was_rolled_back_takes_over_when_the_new_one_is_gone_and_not_before,
    a_swap_by_a_leader_that_lost_its_lease_changes_nothing,
    a_table_that_is_gone_is_made_again_before_it_is_swapped_in,
    look_ups_leave_a_retired_table_that_nobody_keeps_up_to_date,
    look_ups_refuse_a_retired_table_that_nobody_keeps_where_columns_differ,
    a_build_that_died_says_why_and_that_nobody_leads_it,
    a_build_that_goes_on_takes_back_what_hindered_it,
    a_retired_table_stays_for_its_grace,
    a_retired_table_is_dropped_after_its_grace_and_look_ups_go_on,
    the_rate_is_what_came_since_a_runner_last_started,
    a_view_that_was_dropped_by_hand_comes_back,
    a_copy_of_the_log_builds_its_tables_from_the_start,
    a_version_of_another_shape_is_not_read_before_it_is_ready,
    look_ups_turn_to_a_new_version_when_it_is_as_far_as_the_old_one,
    a_wait_turns_to_a_new_version_with_the_look_ups,
    a_version_with_parked_events_does_not_take_the_place_of_a_sound_one,
    a_version_that_comes_back_is_not_read_before_it_has_caught_up_again,
    the_declared_name_stands_for_the_version_that_serves,
    a_table_under_another_name_leaves_the_old_one_to_its_readers,
    a_name_that_is_taken_by_another_view_hinders_the_swap,
    look_ups_do_not_go_back_to_a_version_that_is_led_again_and_behind,
    look_ups_come_back_to_a_version_that_is_led_again_and_has_caught_up,
    a_version_that_was_given_up_asks_for_no_runner,
    a_table_that_is_reset_is_measured_from_its_start,
    a_table_that_was_renamed_by_hand_says_what_to_undo,
    a_view_leaves_a_table_that_was_renamed_by_hand,
);
