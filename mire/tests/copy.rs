//! Moving a log from one backend to the other and back.
#![cfg(all(feature = "postgres", feature = "sqlite"))]

use std::time::Duration;

use crate::common::backends::TestBackend;
use crate::common::projections::{PATIENCE, Plain, append, fast, start, stop, until};
use crate::common::{Account, AccountEvent, deposited};
use mire::{
    Append, Backend, CopyPhase, Event, EventStore, EventStoreError, ExpectedVersion, FailurePolicy,
    Postgres, Sqlite, Subscription, lease,
};

const STREAMS: usize = 100;
const EVENTS: usize = 1000;

async fn fill<DB: Backend>(store: &EventStore<DB>) {
    for n in 0..STREAMS {
        let events: Vec<_> = (0..EVENTS)
            .map(|i| {
                let owner = format!("\u{1}\"quoted\" \\ü😀 {i}");
                let event = Event::new(match i % 2 {
                    0 => AccountEvent::Opened { owner },
                    _ => deposited(i64::MAX - i as i64),
                });
                match i % 3 {
                    0 => event.with_metadata(serde_json::json!({"actor": "ann", "n": 1.5e300})),
                    _ => event,
                }
            })
            .collect();
        store
            .append(
                &format!("account-{n}"),
                "account",
                ExpectedVersion::NoStream,
                &events,
            )
            .await
            .unwrap();
    }
}

fn keyed() -> Append {
    Append::new("account-keyed", ExpectedVersion::Any)
        .unwrap()
        .idempotency_key("request-1")
        .event(&Event::new(deposited(1)))
        .unwrap()
}

/// Copies, is dropped in the middle, and copies on.
async fn in_two_runs<A: Backend, B: Backend>(from: &EventStore<A>, to: &EventStore<B>) {
    let (enough, reached) = tokio::sync::oneshot::channel();
    let mut enough = Some(enough);
    let first = mire::copy(from, to).on_progress(|at| {
        if at.position >= at.up_to / 3 {
            enough.take().map(|enough| enough.send(()));
        }
    });
    tokio::select! {
        done = first.into_future() => panic!("it was not interrupted: {done:?}"),
        _ = reached => {}
    }
    let before = to.read_all_after(0, 1).await.unwrap();
    assert_eq!(before, from.read_all_after(0, 1).await.unwrap());

    let mut phases = Vec::new();
    let copied = mire::copy(from, to)
        .on_progress(|at| phases.push(at.phase))
        .await
        .unwrap();
    let all = (STREAMS * EVENTS + 1) as u64;
    assert_eq!(copied.verified, all);
    assert!(copied.events > 0 && copied.events < all, "{copied:?}");
    assert!(phases.contains(&CopyPhase::Copying) && phases.ends_with(&[CopyPhase::Verifying]));
}

async fn same<A: Backend, B: Backend>(one: &EventStore<A>, other: &EventStore<B>) {
    let mut after = 0;
    loop {
        let page = one.read_all_after(after, 5000).await.unwrap();
        assert!(
            page == other.read_all_after(after, 5000).await.unwrap(),
            "after {after}"
        );
        let Some(last) = page.last() else { return };
        after = last.global_position;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_events_move_there_and_back() {
    let (source, _source) = Sqlite::fresh().await;
    fill(&source).await;
    let first = source.append_all([keyed()]).await.unwrap()[0];
    source.reset_checkpoint("balances", 70_000).await.unwrap();
    let (server, _server) = Postgres::fresh().await;
    in_two_runs(&source, &server).await;
    same(&source, &server).await;

    // Keys still hold, and positions go on above.
    let again = server.append_all([keyed()]).await.unwrap()[0];
    assert!(again.repeated);
    assert_eq!(
        (again.version, again.position),
        (first.version, first.position)
    );

    let (back, _back) = Sqlite::fresh().await;
    in_two_runs(&server, &back).await;
    same(&source, &back).await;
    let checkpoint = server.checkpoint("balances").await.unwrap();
    assert_eq!(checkpoint, Some(70_000));
    assert_eq!(back.checkpoint("balances").await.unwrap(), checkpoint);
    // One that is further on in the target stays.
    back.reset_checkpoint("balances", 80_000).await.unwrap();
    mire::copy(&source, &back).await.unwrap();
    assert_eq!(back.checkpoint("balances").await.unwrap(), Some(80_000));
    assert!(back.append_all([keyed()]).await.unwrap()[0].repeated);

    for position in [append_one(&server).await, append_one(&back).await] {
        assert_eq!(position, first.position + 1);
    }
    // What the source got since is taken over by another call.
    let copied = mire::copy(&back, &source).await.unwrap();
    assert_eq!(copied.events, 1);
    assert_eq!(source.checkpoint("balances").await.unwrap(), Some(80_000));
    // The server has gone another way since.
    let error = mire::copy(&server, &source).await.unwrap_err();
    assert!(
        matches!(error, EventStoreError::CopyMismatch { .. }),
        "{error:?}"
    );
    let root = source.load::<Account>("after").await.unwrap().unwrap();
    assert_eq!(root.version, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_subscriptions_put_aside_moves_along_and_their_leases_do_not() {
    let (embedded, _embedded) = Sqlite::fresh().await;
    let (server, _server) = Postgres::fresh().await;
    put_aside_and_move(&embedded, &server).await;
    let (embedded, _embedded) = Sqlite::fresh().await;
    let (server, _server) = Postgres::fresh().await;
    put_aside_and_move(&server, &embedded).await;
}

async fn put_aside_and_move<A: Backend, B: Backend>(from: &EventStore<A>, to: &EventStore<B>) {
    append(from, "account-1", [1, 13, 2]).await;
    append(from, "account-2", [3]).await;
    let failing = || Plain::with(|n| (n == 13).then_some("fail"));
    let policy = |id: &str, policy| Subscription::new(id).on_failure(policy).max_attempts(2);
    let running = start(
        fast(from, "a")
            .subscribe(policy("s", FailurePolicy::Park), failing())
            .subscribe(policy("t", FailurePolicy::Skip), failing()),
    );
    for id in ["s", "t"] {
        from.wait_for(id, 4, PATIENCE).await.unwrap();
    }
    // The source's clock must not be the target's.
    tokio::time::sleep(Duration::from_millis(50)).await;
    mire::copy(from, to).await.unwrap();
    for (id, put_aside) in [("s", 2), ("t", 1)] {
        let parked = from.parked(id, 0, 10).await.unwrap();
        assert_eq!(parked.len(), put_aside, "{id}");
        assert_eq!(to.parked(id, 0, 10).await.unwrap(), parked, "{id}");
        assert_eq!(to.checkpoint(id).await.unwrap(), Some(4), "{id}");
        assert!(lease::status(from.pool(), id).await.unwrap().unwrap().live);
        assert_eq!(lease::status(to.pool(), id).await.unwrap(), None, "{id}");
    }
    stop(running).await;

    // In the target it goes on from there.
    let plain = Plain::new();
    let running = start(fast(to, "b").subscribe(policy("s", FailurePolicy::Park), plain.clone()));
    assert_eq!(to.retry_parked("s", "account-1").await.unwrap(), 2);
    until("the parked ones", || async { plain.got() == [2, 3] }).await;
    append(to, "account-1", [4]).await;
    until("the next one", || async { plain.got() == [2, 3, 5] }).await;
    stop(running).await;
}

async fn append_one<DB: Backend>(store: &EventStore<DB>) -> i64 {
    let append = Append::new("account-after", ExpectedVersion::NoStream)
        .unwrap()
        .event(&Event::new(deposited(1)))
        .unwrap();
    store.append_all([append]).await.unwrap()[0].position
}

conformance!(
    a_target_with_a_log_of_its_own_is_refused,
    an_append_to_the_target_in_the_middle_is_refused,
);

async fn a_target_with_a_log_of_its_own_is_refused<DB: TestBackend>() {
    let (from, _from) = DB::fresh().await;
    let (to, _to) = DB::fresh().await;
    for amount in 0..3 {
        let events = [Event::new(deposited(amount))];
        from.append("account-a", "account", ExpectedVersion::Any, &events)
            .await
            .unwrap();
    }
    append_one(&to).await;
    let error = mire::copy(&from, &to).await.unwrap_err();
    let EventStoreError::CopyMismatch {
        global_position, ..
    } = error
    else {
        panic!("{error:?}");
    };
    assert_eq!(global_position, 1);
    assert_eq!(to.read_all_after(0, 10).await.unwrap().len(), 1);
}

async fn an_append_to_the_target_in_the_middle_is_refused<DB: TestBackend>() {
    let (from, _from) = DB::fresh().await;
    let (to, _to) = DB::fresh().await;
    for _ in 0..3 {
        let events = vec![Event::new(deposited(1)); 1000];
        from.append("account-a", "account", ExpectedVersion::Any, &events)
            .await
            .unwrap();
    }
    let mut once = true;
    let error = mire::copy(&from, &to)
        .on_progress(|_| {
            if std::mem::take(&mut once) {
                let to = to.clone();
                let appended = tokio::spawn(async move { append_one(&to).await });
                while !appended.is_finished() {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        })
        .await
        .unwrap_err();
    assert!(
        matches!(error, EventStoreError::CopyMismatch { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("someone else"), "{error}");
}
