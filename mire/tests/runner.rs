//! Projections: delivery, leases, fencing, failures, on every backend.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::common::backends::TestBackend;
use crate::common::projections::{
    PATIENCE, Plain, Writer, append, caught_up, elsewhere, fast, head, leader, seen, seen_of,
    start, stop, until, with_seen,
};
use crate::common::{Account, AccountEvent, deposited};
use futures_util::future::BoxFuture;
use mire::{
    Backend, EventStore, EventStoreError, FailurePolicy, HandledEvent, PageHandler, ParkedState,
    RunnerError, Subscription, TransactionalBatchEventHandler, TransactionalPageHandler,
};
use mire::{Batch, Failure};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

conformance!(
    a_transactional_handler_gets_every_event_once_and_moves_the_checkpoint,
    the_checkpoint_moves_over_events_of_other_categories,
    every_kind_of_handler_is_served,
    a_leader_that_is_cancelled_hands_over_at_once_under_a_larger_token,
    two_workers_of_one_name_are_two_and_the_token_grows_at_every_acquisition,
    a_leader_that_was_fenced_commits_nothing,
    a_plain_handler_of_a_former_leader_moves_no_checkpoint,
    a_dead_leaders_lease_is_taken_over_within_the_bound,
    a_running_handler_may_finish_within_the_grace,
    a_handler_that_outlasts_the_grace_is_rolled_back,
    by_default_a_failing_event_stops_the_runner_loudly,
    a_parked_event_holds_its_stream_up_and_no_other_until_it_is_retried,
    what_is_asked_of_an_idle_leader_is_done_at_once,
    a_hanging_handler_is_bounded_and_a_skipped_event_is_recorded,
    a_batch_handler_fails_at_one_event_and_keeps_the_others,
    a_reset_delivers_again_and_fences_the_running_leader,
    an_append_in_this_process_wakes_long_before_the_poll,
    an_append_by_another_process_is_found_at_the_latest_by_polling,
    waiting_for_a_position_ends_when_it_is_reached_and_says_where_it_is_when_not,
    wrong_settings_are_refused_before_anything_starts,
);

fn versions(seen: Vec<(String, i64)>) -> Vec<i64> {
    seen.into_iter().map(|(_, version)| version).collect()
}

async fn a_transactional_handler_gets_every_event_once_and_moves_the_checkpoint<DB: TestBackend>() {
    let (store, _database) = with_seen::<DB>().await;
    append(&store, "account-1", 1..=30).await;
    append(&store, "other-1", 1..=3).await;
    let running = start(
        fast(&store, "a")
            .batch_size(7)
            .subscribe_transactional("s", Writer::new()),
    );
    caught_up(&store).await;
    assert_eq!(store.projection_lag("s").await.unwrap(), 0);
    assert_eq!(versions(seen(&store).await), (1..=30).collect::<Vec<_>>());
    stop(running).await;
    assert!(
        leader(&store, "s").await.is_none(),
        "the lease was released"
    );
}

async fn the_checkpoint_moves_over_events_of_other_categories<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    append(&store, "other-1", 1..=10).await;
    let plain = Plain::new();
    let running = start(fast(&store, "a").subscribe("s", plain.clone()));
    caught_up(&store).await;
    assert!(plain.got().is_empty());
    stop(running).await;
}

/// Notes every event with its subscription's name, as a handler of whole batches.
struct Whole {
    worker: &'static str,
    /// The one it fails at.
    unlucky: i64,
}

impl<DB: TestBackend> TransactionalBatchEventHandler<DB> for Whole {
    type Aggregate = Account;

    async fn handle_batch(
        &self,
        events: Vec<HandledEvent<AccountEvent>>,
        conn: &mut DB::Connection,
    ) -> anyhow::Result<()> {
        for event in &events {
            anyhow::ensure!(event.event != deposited(self.unlucky), "unlucky");
            DB::note(conn, event, self.worker).await?;
        }
        Ok(())
    }
}

/// The same as a handler of pages, of all categories.
struct Pages(Arc<AtomicUsize>);

impl PageHandler for Pages {
    fn categories(&self) -> Vec<String> {
        Vec::new()
    }

    fn handle<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            while batch.next().is_some() {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
            Ok(())
        })
    }
}

struct TransactionalPages;

impl<DB: TestBackend> TransactionalPageHandler<DB> for TransactionalPages {
    fn categories(&self) -> Vec<String> {
        vec!["account".to_owned()]
    }

    fn handle<'a>(
        &'a self,
        batch: &'a Batch,
        conn: &'a mut DB::Connection,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            for event in batch.all() {
                let event: HandledEvent<AccountEvent> = batch.decode(&event)?;
                DB::note(conn, &event, "pages").await?;
            }
            Ok(())
        })
    }
}

async fn every_kind_of_handler_is_served<DB: TestBackend>() {
    let (store, _database) = with_seen::<DB>().await;
    append(&store, "account-1", 1..=20).await;
    append(&store, "other-1", 1..=3).await;
    let (plain, pages) = (Plain::new(), Arc::new(AtomicUsize::new(0)));
    let whole = Whole {
        worker: "batch",
        unlucky: -1,
    };
    let running = start(
        fast(&store, "a")
            .batch_size(8)
            .subscribe("plain", plain.clone())
            .subscribe_pages("pages", Pages(Arc::clone(&pages)))
            .subscribe_transactional("each", Writer::named("each"))
            .subscribe_transactional_batch("batch", whole)
            .subscribe_pages_transactional("all", TransactionalPages),
    );
    append(&store, "account-1", 21..=30).await;
    let end = head(&store).await;
    for id in ["plain", "pages", "each", "batch", "all"] {
        store.wait_for(id, end, PATIENCE).await.unwrap();
    }
    assert_eq!(plain.got().len(), 30);
    assert_eq!(pages.load(Ordering::SeqCst), 33, "of all categories");
    for sql in [
        "SELECT count(*) FROM seen WHERE worker = 'each'",
        "SELECT count(*) FROM seen WHERE worker = 'batch'",
        "SELECT count(*) FROM seen WHERE worker = 'pages'",
    ] {
        assert_eq!(DB::number(&store, sql).await, 30, "{sql}");
    }
    stop(running).await;
}

async fn a_leader_that_is_cancelled_hands_over_at_once_under_a_larger_token<DB: TestBackend>() {
    let (store, _database) = with_seen::<DB>().await;
    // Neither polls within this test: each waits for a wake-up.
    let long = |worker| {
        fast(&store, worker)
            .lease_ttl(Duration::from_secs(60))
            .lease_recheck_interval(Duration::from_secs(60))
            .poll_interval(Duration::from_secs(60))
            .subscribe_transactional("s", Writer::new())
    };
    let a = start(long("a"));
    until("a leads", || async {
        leader(&store, "s").await == Some(("a".into(), 1))
    })
    .await;
    let b = start(long("b"));
    append(&store, "account-1", 1..=5).await;
    caught_up(&store).await;
    stop(a).await;
    until("b leads", || async {
        leader(&store, "s").await == Some(("b".into(), 2))
    })
    .await;
    append(&store, "account-1", 6..=10).await;
    caught_up(&store).await;
    assert_eq!(versions(seen(&store).await), (1..=10).collect::<Vec<_>>());
    stop(b).await;
}

async fn two_workers_of_one_name_are_two_and_the_token_grows_at_every_acquisition<
    DB: TestBackend,
>() {
    let (store, _database) = with_seen::<DB>().await;
    for token in 1..=3 {
        let a = start(fast(&store, "same").subscribe_transactional("s", Writer::new()));
        until("one leads", || async {
            leader(&store, "s").await == Some(("same".into(), token))
        })
        .await;
        let b = start(fast(&store, "same").subscribe_transactional("s", Writer::new()));
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert_eq!(leader(&store, "s").await, Some(("same".into(), token)));
        // The follower goes first, so that it never leads.
        stop(b).await;
        stop(a).await;
    }
}

/// Its lease and its checkpoint go to somebody else.
const TAKE_OVER: &str = "UPDATE mire_leases SET fence_token = fence_token + 1;
     UPDATE mire_checkpoints SET fence_token = fence_token + 1;";

async fn a_leader_that_was_fenced_commits_nothing<DB: TestBackend>() {
    let (store, _database) = with_seen::<DB>().await;
    // Heartbeats so rare that only the fence can tell this leader.
    let writer = Writer::with(|_| Some("count"));
    let calls = Arc::clone(&writer.calls);
    let stale = start(
        fast(&store, "stale")
            .lease_ttl(Duration::from_secs(60))
            .subscribe_transactional("s", writer),
    );
    until("it leads", || async { leader(&store, "s").await.is_some() }).await;
    // The next thing it hears of the database is after this: it waits for the row, or its turn.
    let mut scope = store.begin_transaction().await.unwrap();
    DB::run(scope.tx(), TAKE_OVER).await;
    let events = [mire::Event::new(deposited(1))];
    scope
        .append("account-1", "account", mire::ExpectedVersion::Any, &events)
        .await
        .unwrap();
    scope.commit().await.unwrap();
    until("the handler was called", || async {
        calls.load(Ordering::SeqCst) >= 1
    })
    .await;
    // It waits for the lease of whoever took over, for as long as that lasts.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(
        seen(&store).await.is_empty(),
        "what it wrote is rolled back"
    );
    assert_eq!(store.checkpoint("s").await.unwrap(), Some(0));
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    stop(stale).await;
}

async fn a_plain_handler_of_a_former_leader_moves_no_checkpoint<DB: TestBackend>() {
    struct Held(Arc<Semaphore>, Plain);
    impl mire::EventHandler for Held {
        type Aggregate = Account;
        async fn handle(&self, event: HandledEvent<AccountEvent>) -> anyhow::Result<()> {
            self.1.handle(event).await?;
            self.0.acquire().await?.forget();
            Ok(())
        }
    }
    let (store, _database) = DB::fresh().await;
    append(&store, "account-1", 1..=3).await;
    let (go, first) = (Arc::new(Semaphore::new(0)), Plain::new());
    let stale = start(
        fast(&store, "stale")
            .lease_ttl(Duration::from_secs(60))
            .subscribe("s", Held(Arc::clone(&go), first.clone())),
    );
    until("it handles", || async { first.got() == [1] }).await;
    let mut conn = store.pool().acquire().await.unwrap();
    DB::run(
        &mut conn,
        "UPDATE mire_leases SET leased_until = heartbeat_at",
    )
    .await;
    drop(conn);
    let second = Plain::new();
    let fresh = start(fast(&store, "fresh").subscribe("s", second.clone()));
    caught_up(&store).await;
    assert_eq!(second.got(), [1, 2, 3]);
    store.reset_checkpoint("s", 1).await.unwrap();
    until("a replay", || async { second.got() == [1, 2, 3, 2, 3] }).await;
    caught_up(&store).await;
    // The old leader goes on, and finds out when it writes its checkpoint.
    go.add_permits(100);
    append(&store, "account-1", [4]).await;
    caught_up(&store).await;
    until("the last event", || async {
        second.got().ends_with(&[4]) || first.got().ends_with(&[4])
    })
    .await;
    assert_eq!(store.checkpoint("s").await.unwrap(), Some(4));
    let (worker, _) = leader(&store, "s").await.unwrap();
    assert_eq!(worker, "fresh");
    stop(stale).await;
    stop(fresh).await;
}

async fn a_dead_leaders_lease_is_taken_over_within_the_bound<DB: TestBackend>() {
    let (store, _database) = with_seen::<DB>().await;
    let a = start(fast(&store, "a").subscribe_transactional("s", Writer::new()));
    until("a leads", || async { leader(&store, "s").await.is_some() }).await;
    let b = start(fast(&store, "b").subscribe_transactional("s", Writer::new()));
    tokio::time::sleep(Duration::from_millis(300)).await;
    a.1.abort();
    let died = Instant::now();
    until("b leads", || async {
        leader(&store, "s").await == Some(("b".into(), 2))
    })
    .await;
    // ttl and recheck, and as much again for a loaded machine.
    assert!(
        died.elapsed() < Duration::from_millis(4400),
        "{:?}",
        died.elapsed()
    );
    stop(b).await;
}

/// Notes an event, says so, and goes on when it is let go.
struct Gate {
    inside: Arc<AtomicBool>,
    go: Arc<Semaphore>,
}

impl<DB: TestBackend> mire::TransactionalEventHandler<DB> for Gate {
    type Aggregate = Account;

    async fn handle(
        &self,
        event: HandledEvent<AccountEvent>,
        conn: &mut DB::Connection,
    ) -> anyhow::Result<()> {
        DB::note(conn, &event, "gate").await?;
        self.inside.store(true, Ordering::SeqCst);
        self.go.acquire().await?.forget();
        Ok(())
    }
}

/// A runner that is in the middle of a handler, and what lets it go.
async fn inside<DB: TestBackend>(
    store: &EventStore<DB>,
    grace: Duration,
) -> (crate::common::projections::Running, Arc<Semaphore>) {
    append(store, "account-1", 1..=3).await;
    let (inside, go) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(Semaphore::new(0)),
    );
    let gate = Gate {
        inside: Arc::clone(&inside),
        go: Arc::clone(&go),
    };
    let running = start(
        fast(store, "a")
            .shutdown_grace(grace)
            .subscribe_transactional("s", gate),
    );
    until("it handles", || async { inside.load(Ordering::SeqCst) }).await;
    (running, go)
}

async fn a_running_handler_may_finish_within_the_grace<DB: TestBackend>() {
    let (store, _database) = with_seen::<DB>().await;
    let ((cancel, task), go) = inside(&store, PATIENCE).await;
    cancel.cancel();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!task.is_finished());
    go.add_permits(100);
    task.await.unwrap().unwrap();
    assert_eq!(versions(seen(&store).await), [1], "and takes no other");
    assert_eq!(store.checkpoint("s").await.unwrap(), Some(1));
    assert!(leader(&store, "s").await.is_none());
}

async fn a_handler_that_outlasts_the_grace_is_rolled_back<DB: TestBackend>() {
    let (store, _database) = with_seen::<DB>().await;
    let (running, _go) = inside(&store, Duration::from_millis(50)).await;
    stop(running).await;
    assert!(seen(&store).await.is_empty());
    assert!(leader(&store, "s").await.is_none(), "released all the same");
    let next = start(fast(&store, "b").subscribe_transactional("s", Writer::new()));
    caught_up(&store).await;
    assert_eq!(versions(seen(&store).await), [1, 2, 3]);
    stop(next).await;
}

async fn by_default_a_failing_event_stops_the_runner_loudly<DB: TestBackend>() {
    let (store, _database) = with_seen::<DB>().await;
    append(&store, "account-1", 1..=5).await;
    let times = Arc::new(Mutex::new(Vec::new()));
    let writer = {
        let times = Arc::clone(&times);
        Writer::with(move |n| {
            if n == 3 {
                times.lock().unwrap().push(Instant::now());
            }
            (n == 3).then_some("fail")
        })
    };
    let calls = Arc::clone(&writer.calls);
    let backoff = Duration::from_millis(100);
    let running = start(
        fast(&store, "a")
            .max_attempts(3)
            .retry_backoff(backoff)
            .subscribe_transactional("s", writer),
    );
    let error = running.1.await.unwrap().unwrap_err();
    let times = std::mem::take(&mut *times.lock().unwrap());
    let last = times.windows(2).last().unwrap();
    assert!(last[1] - last[0] >= 2 * backoff, "{times:?}");
    let Some(RunnerError::Stopped {
        position,
        stream_id,
        attempts,
        ..
    }) = error.downcast_ref()
    else {
        panic!("{error:?}");
    };
    assert_eq!(
        (*position, stream_id.as_str(), *attempts),
        (3, "account-1", 3)
    );
    assert_eq!(
        calls.load(Ordering::SeqCst),
        3,
        "delivered as often as it says"
    );
    assert_eq!(store.checkpoint("s").await.unwrap(), Some(2));
    assert_eq!(
        versions(seen(&store).await),
        [1, 2],
        "all before it is committed, once"
    );
    assert!(leader(&store, "s").await.is_none());
}

async fn a_parked_event_holds_its_stream_up_and_no_other_until_it_is_retried<DB: TestBackend>() {
    let (store, _database) = with_seen::<DB>().await;
    append(&store, "account-1", [1, 13]).await;
    append(&store, "account-2", 2..=4).await;
    append(&store, "account-1", 5..=6).await;
    let broken = Arc::new(AtomicBool::new(true));
    let writer = {
        let broken = Arc::clone(&broken);
        Writer::with(move |n| (n == 13 && broken.load(Ordering::SeqCst)).then_some("panic"))
    };
    let subscription = Subscription::new("s")
        .on_failure(FailurePolicy::Park)
        .max_attempts(2);
    let running = start(fast(&store, "a").subscribe_transactional(subscription, writer));
    caught_up(&store).await;
    append(&store, "account-1", [7]).await;
    caught_up(&store).await;
    assert_eq!(seen_of(&store, "account-2").await, [1, 2, 3]);
    assert_eq!(seen_of(&store, "account-1").await, [1]);
    let parked = store.parked("s", 0, 100).await.unwrap();
    let listed: Vec<_> = parked
        .iter()
        .map(|p| (p.stream_version, p.attempts))
        .collect();
    assert_eq!(listed, [(2, 2), (3, 0), (4, 0), (5, 0)]);
    assert!(
        parked[0]
            .error
            .as_deref()
            .unwrap()
            .contains("broken handler")
    );

    broken.store(false, Ordering::SeqCst);
    assert_eq!(store.retry_parked("s", "account-1").await.unwrap(), 4);
    until("nothing is parked", || async {
        store.parked("s", 0, 1).await.unwrap().is_empty()
    })
    .await;
    append(&store, "account-1", [8]).await;
    caught_up(&store).await;
    // By position: it is noted in the order of the log.
    assert_eq!(seen_of(&store, "account-1").await, [1, 2, 3, 4, 5, 6]);
    stop(running).await;
}

/// No poll comes to the rescue: a leader with nothing to do hears of it.
async fn what_is_asked_of_an_idle_leader_is_done_at_once<DB: TestBackend>() {
    let (store, _database) = with_seen::<DB>().await;
    append(&store, "account-1", [1, 13]).await;
    let broken = Arc::new(AtomicBool::new(true));
    let writer = {
        let broken = Arc::clone(&broken);
        Writer::with(move |n| (n == 13 && broken.load(Ordering::SeqCst)).then_some("panic"))
    };
    let subscription = Subscription::new("s")
        .on_failure(FailurePolicy::Park)
        .max_attempts(1);
    let patient = fast(&store, "a").poll_interval(Duration::from_secs(600));
    let running = start(patient.subscribe_transactional(subscription, writer));
    caught_up(&store).await;
    broken.store(false, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(store.retry_parked("s", "account-1").await.unwrap(), 1);
    until("nothing is parked", || async {
        store.parked("s", 0, 1).await.unwrap().is_empty()
    })
    .await;
    assert_eq!(versions(seen(&store).await), [1, 2]);
    stop(running).await;
}

async fn a_hanging_handler_is_bounded_and_a_skipped_event_is_recorded<DB: TestBackend>() {
    let (store, _database) = with_seen::<DB>().await;
    append(&store, "account-1", 1..=4).await;
    let subscription = Subscription::new("s")
        .on_failure(FailurePolicy::Skip)
        .max_attempts(2)
        .handler_timeout(Duration::from_millis(100));
    let writer = Writer::with(|n| (n == 2).then_some("hang"));
    let running = start(fast(&store, "a").subscribe_transactional(subscription, writer));
    caught_up(&store).await;
    assert_eq!(versions(seen(&store).await), [1, 3, 4]);
    let skipped = store.parked("s", 0, 10).await.unwrap();
    assert_eq!((skipped.len(), skipped[0].state), (1, ParkedState::Skipped));
    assert!(
        store
            .drop_parked("s", skipped[0].global_position)
            .await
            .unwrap()
    );
    stop(running).await;
}

async fn a_batch_handler_fails_at_one_event_and_keeps_the_others<DB: TestBackend>() {
    let (store, _database) = with_seen::<DB>().await;
    append(&store, "account-1", 1..=40).await;
    let subscription = Subscription::new("s")
        .on_failure(FailurePolicy::Skip)
        .max_attempts(1);
    let whole = Whole {
        worker: "batch",
        unlucky: 13,
    };
    let running = start(fast(&store, "a").subscribe_transactional_batch(subscription, whole));
    caught_up(&store).await;
    assert_eq!(
        versions(seen(&store).await),
        (1..=40).filter(|n| *n != 13).collect::<Vec<_>>()
    );
    stop(running).await;
}

async fn a_reset_delivers_again_and_fences_the_running_leader<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    append(&store, "account-1", 1..=3).await;
    let plain = Plain::new();
    let running = start(fast(&store, "a").subscribe("s", plain.clone()));
    store.wait_for("s", 3, PATIENCE).await.unwrap();
    until("all are handled", || async { plain.got().len() == 3 }).await;
    store.reset_checkpoint("s", 1).await.unwrap();
    append(&store, "account-1", [4]).await;
    until("a replay", || async {
        let got = plain.got();
        got.get(3..)
            .is_some_and(|again| again.ends_with(&[2, 3, 4]))
    })
    .await;
    stop(running).await;
}

async fn an_append_in_this_process_wakes_long_before_the_poll<DB: TestBackend>() {
    let (store, _database) = with_seen::<DB>().await;
    let slow_poll = fast(&store, "a").poll_interval(Duration::from_secs(60));
    let running = start(slow_poll.subscribe_transactional("s", Writer::new()));
    until("it leads", || async { leader(&store, "s").await.is_some() }).await;
    for n in 1..=5 {
        append(&store, "account-1", [n]).await;
        caught_up(&store).await;
    }
    assert_eq!(versions(seen(&store).await), [1, 2, 3, 4, 5]);
    let mut scope = store.begin_transaction().await.unwrap();
    let mut root = scope.load_or_default::<Account>("scoped").await.unwrap();
    root.record(deposited(1));
    scope.save(&mut root).await.unwrap();
    scope.commit().await.unwrap();
    caught_up(&store).await;
    stop(running).await;
}

async fn an_append_by_another_process_is_found_at_the_latest_by_polling<DB: TestBackend>() {
    let (store, _database) = with_seen::<DB>().await;
    let far = elsewhere(&store, 4);
    let running = start(fast(&store, "a").subscribe_transactional("s", Writer::new()));
    for n in 1..=5 {
        append(&far, "account-1", [n]).await;
        caught_up(&far).await;
    }
    assert_eq!(versions(seen(&far).await), [1, 2, 3, 4, 5]);
    stop(running).await;
}

async fn waiting_for_a_position_ends_when_it_is_reached_and_says_where_it_is_when_not<
    DB: TestBackend,
>() {
    let (store, _database) = with_seen::<DB>().await;
    let short = Duration::from_millis(100);
    let waited = tokio::time::timeout(PATIENCE, store.wait_for("s", 1, short));
    let never = waited.await.expect("it has an end").unwrap_err();
    assert!(
        matches!(never, EventStoreError::Timeout { .. }),
        "{never:?}"
    );
    assert!(never.to_string().contains("never ran"), "{never}");

    let running = start(fast(&store, "a").subscribe_transactional("s", Writer::new()));
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.wait_for("s", 2, PATIENCE).await }
    });
    append(&store, "account-1", [1]).await;
    store.wait_for("s", 1, PATIENCE).await.unwrap();
    assert!(!waiting.is_finished(), "it is not there yet");
    let behind = store.wait_for("s", 9, short).await.unwrap_err();
    assert!(behind.to_string().contains("is at 1"), "{behind}");
    append(&store, "account-1", [2]).await;
    waiting.await.unwrap().unwrap();
    assert_eq!(versions(seen(&store).await), [1, 2]);
    // What is reached already needs no time at all.
    store.wait_for("s", 2, Duration::ZERO).await.unwrap();
    store.wait_for("s", 2, Duration::MAX).await.unwrap();
    let lag = async |id| store.projection_lag(id).await.unwrap();
    assert_eq!((lag("s").await, lag("never").await), (0, 2));
    stop(running).await;
}

async fn wrong_settings_are_refused_before_anything_starts<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let with = |id: &str| fast(&store, "a").subscribe(id, Plain::new());
    for (builder, says) in [
        (with("s").max_attempts(0), "max_attempts"),
        (with("s").batch_size(0), "batch_size"),
        (with("s").poll_interval(Duration::ZERO), "poll_interval"),
        (with("s").lease_ttl(Duration::from_millis(50)), "lease_ttl"),
        (
            with("s").heartbeat_interval(Duration::from_secs(2)),
            "two heartbeats",
        ),
        (with("s").subscribe("s", Plain::new()), "there twice"),
        (with(""), "it is empty"),
        (with(" s"), "white space"),
        (with("s").worker_id(""), "worker_id"),
        (fast(&store, "a"), "no subscription"),
        (
            fast(&elsewhere(&store, 1), "a").subscribe("s", Plain::new()),
            "max_connections",
        ),
    ] {
        let error = refused(builder).await;
        assert!(error.downcast_ref::<RunnerError>().is_some(), "{error:?}");
        assert!(error.to_string().contains(says), "{error}");
    }
    let mut conn = store.pool().acquire().await.unwrap();
    DB::run(&mut conn, "DROP TABLE mire_parked").await;
    drop(conn);
    let error = refused(with("s")).await;
    assert!(
        matches!(error.downcast_ref(), Some(RunnerError::NotMigrated)),
        "{error:?}"
    );
}

async fn refused<DB: Backend>(builder: mire::ProjectionRunnerBuilder<DB>) -> anyhow::Error {
    let run = builder.build().run(CancellationToken::new());
    run.await.unwrap_err()
}
