//! Futures that are dropped half-way, after each number of polls: the caller keeps what it had or the
//! work is done, and nobody else notices.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use crate::common::backends::TestBackend;
use crate::common::projections::{Plain, append, caught_up, fast, head, start, stop, until};
use crate::common::{Account, deposited};
use mire::{AggregateRoot, Append, Event, EventStore, ExpectedVersion, StoreOptions};

conformance!(
    a_save_that_is_dropped_keeps_the_pending_events_or_is_complete,
    a_save_that_waits_for_room_can_be_dropped,
    an_atomic_append_that_is_dropped_is_all_or_nothing,
    a_scope_that_is_dropped_is_all_or_nothing,
    a_load_that_is_dropped_harms_no_other,
);

/// Polls a future so many times and then drops it; `None` if it was not done by then.
async fn polled<F: Future>(times: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = times;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Tasks that save to streams of their own and must never fail.
struct Others {
    end: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<i64>>,
}

impl Others {
    fn start<DB: TestBackend>(store: &EventStore<DB>) -> Self {
        let end = Arc::new(AtomicBool::new(false));
        let tasks = (0..4)
            .map(|n| {
                let (store, end) = (store.clone(), Arc::clone(&end));
                tokio::spawn(async move {
                    let mut root = AggregateRoot::<Account>::new(&format!("other-{n}"));
                    while !end.load(Ordering::SeqCst) {
                        root.record(deposited(1));
                        store.save(&mut root).await.unwrap();
                    }
                    root.version
                })
            })
            .collect();
        Self { end, tasks }
    }

    async fn end<DB: TestBackend>(self, store: &EventStore<DB>) {
        self.end.store(true, Ordering::SeqCst);
        for (n, task) in self.tasks.into_iter().enumerate() {
            let version = tokio::time::timeout(Duration::from_secs(20), task).await;
            let version = version.expect("another save hangs").unwrap();
            assert!(version > 0);
            let id = format!("other-{n}");
            let root = store.load::<Account>(id.as_str()).await.unwrap().unwrap();
            assert_eq!((root.version, root.state.balance), (version, version));
        }
    }
}

/// Every connection is there for use again.
async fn assert_pool_is_whole<DB: TestBackend>(store: &EventStore<DB>) {
    let all = store.pool().options().get_max_connections();
    until("the whole pool", || async {
        let mut held = Vec::new();
        for _ in 0..all {
            let conn = tokio::time::timeout(Duration::from_secs(2), store.pool().acquire()).await;
            match conn {
                Ok(conn) => held.push(conn.unwrap()),
                Err(_) => return false,
            }
        }
        true
    })
    .await;
}

async fn a_save_that_is_dropped_keeps_the_pending_events_or_is_complete<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let plain = Plain::new();
    // Without a wake-up, the last event would come a minute late.
    let running = start(
        fast(&store, "a")
            .poll_interval(Duration::from_secs(60))
            .subscribe("s", plain.clone()),
    );
    let others = Others::start(&store);
    let mut dropped = 0;
    for round in 0..12 {
        for polls in 0.. {
            let id = format!("{round}-{polls}");
            let mut root = AggregateRoot::<Account>::new(&id);
            root.record_many([deposited(1), deposited(2)]);
            if let Some(done) = polled(polls, store.save(&mut root)).await {
                done.unwrap();
                assert_eq!((root.version, root.has_pending()), (2, false));
                break;
            }
            dropped += 1;
            assert_eq!((root.version, root.pending_count()), (0, 2), "{polls}");
            if polls % 2 == 1 {
                tokio::time::sleep(Duration::from_millis(round % 4)).await;
            }
            // Again: written now, or there already, and never twice.
            let again = store.save(&mut root).await;
            assert!(
                again
                    .as_ref()
                    .map_or_else(mire::EventStoreError::is_conflict, |_| true),
                "{again:?}"
            );
            let events = store.read_stream_all(&root.stream_id, 0).await.unwrap();
            assert_eq!(events.len(), 2);
            let loaded = store.load::<Account>(id.as_str()).await.unwrap().unwrap();
            assert_eq!((loaded.version, loaded.state.balance), (2, 3));
        }
    }
    assert!(dropped >= 24, "{dropped}");
    others.end(&store).await;

    // The very last one is dropped when it is under way: it is written, and readers hear of it. One
    // that was answered within its first poll is not the last.
    let mut before = head(&store).await;
    for id in 0.. {
        let mut root = AggregateRoot::<Account>::new(&format!("last-{id}"));
        root.record(deposited(1));
        if polled(1, store.save(&mut root)).await.is_none() {
            break;
        }
        before = head(&store).await;
    }
    until("the save goes on by itself", || async {
        head(&store).await > before
    })
    .await;
    let end = head(&store).await;
    store
        .wait_for("s", end, Duration::from_secs(10))
        .await
        .expect("a wake-up");
    stop(running).await;
    assert_pool_is_whole(&store).await;
}

async fn a_save_that_waits_for_room_can_be_dropped<DB: TestBackend>() {
    let (fresh, _database) = DB::fresh().await;
    // Room for one save at a time.
    let options = StoreOptions::default().queue_bytes(1);
    let store = EventStore::with_options(fresh.pool().clone(), options);
    let others = Others::start(&store);
    for round in 0..40 {
        let mut root = AggregateRoot::<Account>::new(&format!("{round}"));
        root.record(deposited(1));
        if polled(1 + round % 3, store.save(&mut root)).await.is_none() {
            assert_eq!(root.pending_count(), 1);
        }
    }
    others.end(&store).await;
    append(&store, "account-after", [1]).await;
}

async fn an_atomic_append_that_is_dropped_is_all_or_nothing<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let others = Others::start(&store);
    let mut cancelled = 0;
    for polls in 0.. {
        let appends = ["a", "b"].map(|half| {
            let stream = format!("account-{half}{polls}");
            let append = Append::new(&stream, ExpectedVersion::NoStream).unwrap();
            append.event(&Event::new(deposited(1))).unwrap()
        });
        let done = polled(polls, store.append_all(appends)).await;
        let finished = done.is_some();
        if let Some(done) = done {
            done.unwrap();
        }
        cancelled += usize::from(!finished);
        // What was sent may still be at work in the server; then both streams appear at once.
        for _ in 0..3 {
            let both = store.read_all_after(0, 100_000).await.unwrap();
            let of = |half: &str| {
                let stream = format!("account-{half}{polls}");
                both.iter()
                    .filter(|event| event.stream_id == stream)
                    .count()
            };
            assert_eq!(of("a"), of("b"), "after {polls} polls");
        }
        if finished {
            break;
        }
    }
    assert!(cancelled >= 1);
    others.end(&store).await;
    assert_pool_is_whole(&store).await;
}

async fn a_scope_that_is_dropped_is_all_or_nothing<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    DB::run(
        &mut *store.pool().acquire().await.unwrap(),
        "CREATE TABLE audit (stream text)",
    )
    .await;
    // A stream that does not exist can't be locked, and a dropped commit may still be under way.
    append(&store, "account-ann", [1]).await;
    append(&store, "account-bob", [1]).await;
    let mut finished = false;
    let mut polls = 0;
    while !finished {
        let transfer = async {
            let mut scope = store.begin_transaction().await.unwrap();
            for id in ["ann", "bob"] {
                let mut root = scope
                    .load_or_default_for_update::<Account>(id)
                    .await
                    .unwrap();
                root.record(deposited(1));
                scope.save(&mut root).await.unwrap();
            }
            DB::run(scope.tx(), "INSERT INTO audit VALUES ('both')").await;
            scope.commit().await.unwrap();
        };
        finished = polled(polls, transfer).await.is_some();
        // In one statement: a commit that is under way may lie between two.
        let apart = DB::number(
            &store,
            "SELECT coalesce((SELECT version FROM mire_streams WHERE stream_id = 'account-ann'), 0)
                  - coalesce((SELECT version FROM mire_streams WHERE stream_id = 'account-bob'), 0)",
        )
        .await;
        assert_eq!(apart, 0, "after {polls} polls");
        polls += 1;
    }
    until("the rows of all that was committed", || async {
        let audited = DB::number(&store, "SELECT count(*) FROM audit").await;
        let ann = store.load::<Account>("ann").await.unwrap().unwrap();
        ann.version == audited + 1
    })
    .await;
    assert!(polls > 2, "{polls}");
    // Dropped scopes hold no lock, and on SQLite no turn to write.
    let save = append(&store, "account-ann", [1]);
    tokio::time::timeout(Duration::from_secs(5), save)
        .await
        .unwrap();
    assert_pool_is_whole(&store).await;
}

async fn a_load_that_is_dropped_harms_no_other<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    append(&store, "account-ann", 1..=50).await;
    let loads: Vec<_> = (0..64)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                let cold = EventStore::with_options(
                    store.pool().clone(),
                    StoreOptions::default().cache_bytes(0),
                );
                for round in 0..10 {
                    let dropped = polled(n % 5, store.load::<Account>("ann")).await;
                    if let Some(root) = dropped {
                        assert_eq!(root.unwrap().unwrap().version, 50);
                    }
                    let polls = (n + round) % 6;
                    let executed =
                        store.execute("ann", |_: &Account| -> Result<[_; 0], ()> { Ok([]) });
                    drop(polled(polls, executed).await);
                    let whole = if n % 8 == 0 { &cold } else { &store };
                    let root = whole.load::<Account>("ann").await.unwrap().unwrap();
                    assert_eq!((root.version, root.state.balance), (50, 1275));
                }
            })
        })
        .collect();
    for load in loads {
        tokio::time::timeout(Duration::from_secs(30), load)
            .await
            .expect("a load hangs")
            .unwrap();
    }
    assert_pool_is_whole(&store).await;
    let running = start(fast(&store, "a").subscribe("s", Plain::new()));
    caught_up(&store).await;
    stop(running).await;
}
