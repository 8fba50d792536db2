//! An event in mid-stream that this code can't read: named, never passed over in silence.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::backends::TestBackend;
use crate::common::projections::{
    Plain, Running, Writer, append, caught_up, fast, head, seen, seen_of, start, stop, with_seen,
};
use crate::common::{Account, AccountEvent};
use futures_util::future::BoxFuture;
use mire::{
    Batch, Event, EventData, EventStore, EventStoreError, ExpectedVersion, Failure, FailurePolicy,
    HandledEvent, PageHandler, ParkedState, RunnerError, Subscription,
    TransactionalBatchEventHandler,
};
use serde::{Deserialize, Serialize};

conformance!(
    a_load_names_the_event_and_answers_no_state,
    a_subscription_stops_before_it_at_its_first_delivery,
    a_subscription_parks_it_with_its_stream,
    a_subscription_skips_it_and_says_so,
);

/// What a newer release may have written to the same streams.
#[derive(Debug, Serialize, Deserialize, EventData)]
#[mire(entity = "account")]
enum Newer {
    /// No such event here.
    Audited { by: String },
    /// The event is known, and has another form here.
    #[mire(rename = "deposited")]
    Deposited { sum: String },
}

async fn append_newer<DB: TestBackend>(store: &EventStore<DB>, event: Newer) {
    let event = [Event::new(event)];
    store
        .append("account-1", "account", ExpectedVersion::Any, &event)
        .await
        .unwrap();
}

fn newer() -> [Newer; 2] {
    [
        Newer::Audited { by: "bob".into() },
        Newer::Deposited { sum: "much".into() },
    ]
}

/// Every kind of handler with every kind of event.
fn cases() -> impl Iterator<Item = (Kind, Newer)> {
    KINDS
        .into_iter()
        .flat_map(|kind| newer().map(|event| (kind, event)))
}

async fn a_load_names_the_event_and_answers_no_state<DB: TestBackend>() {
    for event in newer() {
        let name = event.event_type();
        let (store, _database) = DB::fresh().await;
        append(&store, "account-1", [1, 2]).await;
        // The cache knows the part that can be read.
        store.load::<Account>("1").await.unwrap().unwrap();
        append_newer(&store, event).await;
        append(&store, "account-1", [3]).await;
        let execute = store
            .execute("1", |_: &Account| -> Result<AccountEvent, String> {
                Err("refused on a state that could be read".into())
            })
            .await;
        let mut errors = vec![
            store.load::<Account>("1").await.unwrap_err(),
            match execute {
                Err(mire::CommandError::Store(error)) => error,
                other => panic!("{other:?}"),
            },
        ];
        let mut scope = store.begin_transaction().await.unwrap();
        errors.push(scope.load::<Account>("1").await.unwrap_err());
        drop(scope);
        let cold = EventStore::new(store.pool().clone());
        errors.push(cold.load::<Account>("1").await.unwrap_err());
        for error in errors {
            let EventStoreError::Deserialization {
                stream_id,
                global_position,
                event_type,
                ..
            } = &error
            else {
                panic!("{error:?}");
            };
            assert_eq!(
                (stream_id.as_str(), *global_position, event_type.as_str()),
                ("account-1", 3, name)
            );
            assert!(!error.is_retryable());
        }
        // The raw event can still be looked at.
        assert_eq!(store.read_all_after(0, 10).await.unwrap().len(), 4);
    }
}

struct Whole(Arc<AtomicUsize>);

impl<DB: TestBackend> TransactionalBatchEventHandler<DB> for Whole {
    type Aggregate = Account;

    async fn handle_batch(
        &self,
        events: Vec<HandledEvent<AccountEvent>>,
        conn: &mut DB::Connection,
    ) -> anyhow::Result<()> {
        self.0.fetch_add(1, Ordering::SeqCst);
        for event in &events {
            DB::note(conn, event, "").await?;
        }
        Ok(())
    }
}

/// Decodes all before it handles any: nothing before the event at fault is done.
struct Together(Plain);

impl PageHandler for Together {
    fn categories(&self) -> Vec<String> {
        vec!["account".to_owned()]
    }

    fn handle<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let events = batch
                .all()
                .map(|event| batch.decode::<AccountEvent>(&event))
                .collect::<Result<Vec<_>, _>>()?;
            let mut got = self.0.got.lock().unwrap();
            got.extend(events.iter().map(HandledEvent::global_position));
            Ok(())
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Plain,
    PlainTogether,
    Transactional,
    Batch,
}

const KINDS: [Kind; 4] = [
    Kind::Plain,
    Kind::PlainTogether,
    Kind::Transactional,
    Kind::Batch,
];

impl Kind {
    fn is_plain(self) -> bool {
        matches!(self, Self::Plain | Self::PlainTogether)
    }
}

/// A runner with a handler of this kind, and what a plain one got.
fn run<DB: TestBackend>(
    store: &EventStore<DB>,
    kind: Kind,
    policy: FailurePolicy,
) -> (Running, Plain) {
    let subscription = Subscription::new("s").on_failure(policy).max_attempts(4);
    let plain = Plain::new();
    let builder = fast(store, "a");
    let builder = match kind {
        Kind::Plain => builder.subscribe(subscription, plain.clone()),
        Kind::PlainTogether => builder.subscribe_pages(subscription, Together(plain.clone())),
        Kind::Transactional => builder.subscribe_transactional(subscription, Writer::new()),
        Kind::Batch => builder.subscribe_transactional_batch(subscription, Whole(Arc::default())),
    };
    (start(builder), plain)
}

/// `1.1 1.2 2.1 1.3 (can't be read) 1.4 2.2`, as stream and version; positions 1 to 6.
async fn log<DB: TestBackend>(store: &EventStore<DB>, event: Newer) {
    append(store, "account-1", [1, 2]).await;
    append(store, "account-2", [3]).await;
    append_newer(store, event).await;
    append(store, "account-1", [4]).await;
    append(store, "account-2", [5]).await;
}

/// The positions of what was handled.
async fn handled<DB: TestBackend>(store: &EventStore<DB>, kind: Kind, plain: &Plain) -> Vec<i64> {
    if kind.is_plain() {
        return plain.got();
    }
    let log = store.read_all_after(0, 100).await.unwrap();
    let seen = seen(store).await;
    assert!(seen.windows(2).all(|pair| pair[0] != pair[1]), "twice");
    log.into_iter()
        .filter(|event| seen.contains(&(event.stream_id.clone(), event.stream_version)))
        .map(|event| event.global_position)
        .collect()
}

async fn a_subscription_stops_before_it_at_its_first_delivery<DB: TestBackend>() {
    for (kind, event) in cases() {
        let name = event.event_type();
        let (store, _database) = with_seen::<DB>().await;
        log(&store, event).await;
        let ((_cancel, task), plain) = run(&store, kind, FailurePolicy::Stop);
        let error = task.await.unwrap().unwrap_err();
        let Some(RunnerError::Stopped {
            position,
            stream_id,
            event_type,
            attempts,
            source,
            ..
        }) = error.downcast_ref()
        else {
            panic!("{kind:?}: {error:?}");
        };
        assert_eq!(
            (*position, stream_id.as_str(), event_type.as_str()),
            (4, "account-1", name)
        );
        assert_eq!(*attempts, 1, "{kind:?}: trying again can't help");
        assert!(
            matches!(
                source.downcast_ref(),
                Some(EventStoreError::Deserialization { .. })
            ),
            "{source:?}"
        );
        assert_eq!(store.checkpoint("s").await.unwrap(), Some(3), "{kind:?}");
        assert_eq!(handled(&store, kind, &plain).await, [1, 2, 3], "{kind:?}");
    }
}

async fn a_subscription_parks_it_with_its_stream<DB: TestBackend>() {
    for (kind, event) in cases() {
        let (store, _database) = with_seen::<DB>().await;
        log(&store, event).await;
        let (running, plain) = run(&store, kind, FailurePolicy::Park);
        caught_up(&store).await;
        append(&store, "account-1", [6]).await;
        append(&store, "account-2", [7]).await;
        caught_up(&store).await;
        assert_eq!(
            handled(&store, kind, &plain).await,
            [1, 2, 3, 6, 8],
            "{kind:?}"
        );
        let parked = store.parked("s", 0, 10).await.unwrap();
        let listed: Vec<_> = parked
            .iter()
            .map(|event| (event.global_position, event.state, event.attempts))
            .collect();
        assert_eq!(
            listed,
            [
                (4, ParkedState::Parked, 1),
                (5, ParkedState::Parked, 0),
                (7, ParkedState::Parked, 0)
            ],
            "{kind:?}"
        );
        let said = parked[0].error.as_deref().unwrap();
        assert!(said.contains("can't be read"), "{said}");

        // Given up, so that the others go on.
        assert!(store.drop_parked("s", 4).await.unwrap());
        assert_eq!(store.retry_parked("s", "account-1").await.unwrap(), 2);
        crate::common::projections::until("nothing is parked", || async {
            store.parked("s", 0, 1).await.unwrap().is_empty()
        })
        .await;
        let mut all = handled(&store, kind, &plain).await;
        all.sort_unstable();
        assert_eq!(all, [1, 2, 3, 5, 6, 7, 8], "{kind:?}");
        stop(running).await;
    }
}

async fn a_subscription_skips_it_and_says_so<DB: TestBackend>() {
    for (kind, event) in cases() {
        let (store, _database) = with_seen::<DB>().await;
        log(&store, event).await;
        let (running, plain) = run(&store, kind, FailurePolicy::Skip);
        caught_up(&store).await;
        assert_eq!(
            handled(&store, kind, &plain).await,
            [1, 2, 3, 5, 6],
            "{kind:?}"
        );
        let skipped = store.parked("s", 0, 10).await.unwrap();
        assert_eq!(
            (
                skipped.len(),
                skipped[0].global_position,
                skipped[0].state,
                skipped[0].attempts
            ),
            (1, 4, ParkedState::Skipped, 1)
        );
        assert_eq!(head(&store).await, 6);
        if !kind.is_plain() {
            assert_eq!(seen_of(&store, "account-1").await, [1, 2, 4]);
        }
        stop(running).await;
    }
}
