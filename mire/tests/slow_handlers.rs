//! Handlers that take longer than the lease lasts, and let their transaction idle meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::backends::TestBackend;
use crate::common::projections::{
    Plain, append, caught_up, elsewhere, fast, head, leader, seen, seen_of, start, stop, until,
    with_seen,
};
use crate::common::{Account, AccountEvent, deposited};
use mire::{
    EventHandler, FailurePolicy, HandledEvent, Subscription, TransactionalEventHandler, lease,
};

conformance!(
    a_handler_that_is_always_slower_than_the_ttl_finishes_and_keeps_its_lease,
    slow_failures_are_counted_and_the_policy_decides,
    a_plain_handler_beside_a_slow_transaction_is_not_disturbed,
    two_slow_leaders_in_two_processes_both_finish,
);

/// Long enough that a busy machine renews in time.
const TTL: Duration = Duration::from_secs(2);
const LONGER: Duration = Duration::from_millis(2600);

/// Works on each event for longer than the ttl.
struct Slow {
    worker: &'static str,
    /// Fails at 13, after all that work, as often as this says.
    failures: usize,
    calls: Arc<AtomicUsize>,
}

impl Slow {
    fn new(worker: &'static str) -> Self {
        Self {
            worker,
            failures: 0,
            calls: Arc::default(),
        }
    }
}

impl<DB: TestBackend> TransactionalEventHandler<DB> for Slow {
    type Aggregate = Account;

    async fn handle(
        &self,
        event: HandledEvent<AccountEvent>,
        conn: &mut DB::Connection,
    ) -> anyhow::Result<()> {
        DB::note(conn, &event, self.worker).await?;
        tokio::time::sleep(LONGER).await;
        let calls = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        anyhow::ensure!(
            event.event != deposited(13) || calls > self.failures,
            "failed slowly"
        );
        Ok(())
    }
}

async fn a_handler_that_is_always_slower_than_the_ttl_finishes_and_keeps_its_lease<
    DB: TestBackend,
>() {
    let (store, _database) = with_seen::<DB>().await;
    append(&store, "account-1", 1..=3).await;
    let slow = Slow::new("a");
    let calls = Arc::clone(&slow.calls);
    let a = start(
        fast(&store, "a")
            .lease_ttl(TTL)
            .subscribe_transactional("s", slow),
    );
    until("a leads", || async { leader(&store, "s").await.is_some() }).await;
    // It takes over as soon as it can, as another process would.
    let b = start(
        fast(&elsewhere(&store, 4), "b")
            .lease_ttl(TTL)
            .subscribe_transactional("s", Slow::new("b")),
    );
    caught_up(&store).await;
    assert_eq!(
        seen_of(&store, "account-1").await,
        [1, 2, 3],
        "each event took effect once"
    );
    assert_eq!(calls.load(Ordering::SeqCst), 3, "and was handled once");
    assert_eq!(leader(&store, "s").await, Some(("a".into(), 1)));
    stop(b).await;
    stop(a).await;
}

async fn slow_failures_are_counted_and_the_policy_decides<DB: TestBackend>() {
    let (store, _database) = with_seen::<DB>().await;
    append(&store, "account-1", [13]).await;
    let slow = Slow {
        failures: 2,
        ..Slow::new("a")
    };
    let calls = Arc::clone(&slow.calls);
    let subscription = Subscription::new("s")
        .on_failure(FailurePolicy::Park)
        .max_attempts(2);
    let running = start(
        fast(&store, "a")
            .lease_ttl(TTL)
            .subscribe_transactional(subscription, slow),
    );
    caught_up(&store).await;
    let parked = store.parked("s", 0, 10).await.unwrap();
    assert_eq!((parked.len(), parked[0].attempts), (1, 2));
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    assert!(
        seen(&store).await.is_empty(),
        "what it wrote is rolled back"
    );

    assert_eq!(store.retry_parked("s", "account-1").await.unwrap(), 1);
    until("nothing is parked", || async {
        store.parked("s", 0, 1).await.unwrap().is_empty()
    })
    .await;
    assert_eq!(seen_of(&store, "account-1").await, [1]);
    assert_eq!(leader(&store, "s").await, Some(("a".into(), 1)));
    stop(running).await;
}

/// Takes its time without a transaction.
struct Leisurely(Plain);

impl EventHandler for Leisurely {
    type Aggregate = Account;

    async fn handle(&self, event: HandledEvent<AccountEvent>) -> anyhow::Result<()> {
        tokio::time::sleep(LONGER).await;
        self.0.handle(event).await
    }
}

async fn a_plain_handler_beside_a_slow_transaction_is_not_disturbed<DB: TestBackend>() {
    let (store, _database) = with_seen::<DB>().await;
    append(&store, "account-1", 1..=3).await;
    let plain = Plain::new();
    let running = start(
        fast(&store, "a")
            .lease_ttl(TTL)
            .subscribe_transactional("s", Slow::new("a"))
            .subscribe("plain", Leisurely(plain.clone())),
    );
    caught_up(&store).await;
    let end = head(&store).await;
    store
        .wait_for("plain", end, crate::common::projections::PATIENCE)
        .await
        .unwrap();
    assert_eq!(plain.got(), [1, 2, 3], "none came twice");
    for id in ["s", "plain"] {
        let status = lease::status(store.pool(), id).await.unwrap().unwrap();
        assert_eq!(status.fence_token, 1, "{id}");
    }
    stop(running).await;
}

async fn two_slow_leaders_in_two_processes_both_finish<DB: TestBackend>() {
    let (store, _database) = with_seen::<DB>().await;
    append(&store, "account-1", 1..=2).await;
    let end = head(&store).await;
    let far = elsewhere(&store, 4);
    let running = [(&store, "s", "a"), (&far, "t", "b")].map(|(store, id, worker)| {
        let builder = fast(store, worker).lease_ttl(TTL);
        start(builder.subscribe_transactional(id, Slow::new(worker)))
    });
    for id in ["s", "t"] {
        store
            .wait_for(id, end, crate::common::projections::PATIENCE)
            .await
            .unwrap();
    }
    assert_eq!(seen_of(&store, "account-1").await, [1, 1, 2, 2]);
    for one in running {
        stop(one).await;
    }
}
