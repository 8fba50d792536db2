//! Parked streams under a plain handler, which has no transaction of its own to tell by what was
//! done.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::backends::TestBackend;
use crate::common::projections::{Plain, append, caught_up, fast, start, stop, until};
use mire::{Event, EventStore, ExpectedVersion, FailurePolicy, Subscription};

conformance!(
    what_stands_behind_a_parked_event_is_parked_also_when_another_stream_fails,
    a_parked_stream_is_taken_up_again_in_order,
);

/// Appends an event each to these streams, in one page for whoever reads from the start.
async fn log<DB: TestBackend>(store: &EventStore<DB>, events: &[(&str, i64)]) {
    for (stream, amount) in events {
        append(store, stream, [*amount]).await;
    }
}

async fn parked<DB: TestBackend>(store: &EventStore<DB>) -> Vec<i64> {
    let parked = store.parked("s", 0, 100).await.unwrap();
    parked.iter().map(|event| event.global_position).collect()
}

async fn what_stands_behind_a_parked_event_is_parked_also_when_another_stream_fails<
    DB: TestBackend,
>() {
    let (store, _database) = DB::fresh().await;
    log(
        &store,
        &[
            ("account-a", 13),
            ("account-a", 1),
            ("account-b", 1),
            // Fails in the middle of what is delivered, with `a`'s second event before it.
            ("account-c", 13),
            ("account-a", 1),
            ("account-d", 1),
            ("account-c", 1),
            ("account-b", 1),
        ],
    )
    .await;
    let plain = Plain::with(|n| (n == 13).then_some("fail"));
    let subscription = Subscription::new("s")
        .on_failure(FailurePolicy::Park)
        .max_attempts(2);
    let running = start(fast(&store, "a").subscribe(subscription, plain.clone()));
    caught_up(&store).await;
    assert_eq!(parked(&store).await, [1, 2, 4, 5, 7]);
    assert_eq!(plain.got(), [3, 6, 8], "each of the others once");
    assert_eq!(
        plain.calls.load(Ordering::SeqCst),
        4,
        "each at fault is tried as often as the setting says"
    );
    stop(running).await;
}

async fn a_parked_stream_is_taken_up_again_in_order<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let broken = Arc::new(AtomicBool::new(true));
    let plain = {
        let broken = Arc::clone(&broken);
        Plain::with(move |n| (n == 13 && broken.load(Ordering::SeqCst)).then_some("panic"))
    };
    let subscription = Subscription::new("s")
        .on_failure(FailurePolicy::Park)
        .max_attempts(1);
    let running = start(fast(&store, "a").subscribe(subscription, plain.clone()));
    log(
        &store,
        &[
            ("account-a", 1),
            ("account-a", 13),
            ("account-b", 1),
            ("account-a", 2),
        ],
    )
    .await;
    caught_up(&store).await;
    assert_eq!(
        (plain.got(), parked(&store).await),
        (vec![1, 3], vec![2, 4])
    );

    // Still broken: everything stays, and it is counted.
    assert_eq!(store.retry_parked("s", "account-a").await.unwrap(), 2);
    until("another attempt", || async {
        store.parked("s", 0, 1).await.unwrap()[0].attempts == 2
    })
    .await;
    assert_eq!(parked(&store).await, [2, 4]);

    broken.store(false, Ordering::SeqCst);
    store.retry_parked("s", "account-a").await.unwrap();
    // What is appended meanwhile stays behind them.
    let event = [Event::new(crate::common::deposited(3))];
    store
        .append("account-a", "account", ExpectedVersion::Any, &event)
        .await
        .unwrap();
    until("all of it", || async { plain.got().len() == 5 }).await;
    assert_eq!(plain.got(), [1, 3, 2, 4, 5]);
    until("nothing is parked", || async {
        parked(&store).await.is_empty()
    })
    .await;
    stop(running).await;
}
