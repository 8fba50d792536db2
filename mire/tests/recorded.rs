//! What stands in the log beside the events, and what a transaction of the caller's sees and writes.

use std::sync::{Arc, Mutex};

use crate::common::backends::TestBackend;
use crate::common::projections::{append, caught_up, fast, start, stop};
use crate::common::{Account, AccountEvent, deposited};
use chrono::Utc;
use mire::{
    AggregateRoot, Event, EventHandler, EventMetadata, EventStoreError, ExpectedVersion,
    HandledEvent,
};
use serde_json::{Value, json};
use uuid::Uuid;

conformance!(
    metadata_and_time_reach_readers_and_handlers,
    events_can_be_taken_from_a_scope_before_it_commits,
    a_conflict_in_a_scope_names_itself_and_the_scope_goes_on,
    a_callers_own_transaction_decides,
);

fn metadata() -> EventMetadata {
    EventMetadata {
        correlation_id: Some(Uuid::from_u128(1)),
        causation_id: Some(Uuid::from_u128(2)),
        actor: Some("ann".to_owned()),
        extra: [("tenant".to_owned(), json!({"id": 7}))]
            .into_iter()
            .collect(),
    }
}

fn stored() -> Value {
    json!({
        "correlation_id": Uuid::from_u128(1),
        "causation_id": Uuid::from_u128(2),
        "actor": "ann",
        "tenant": {"id": 7},
    })
}

type Told = (String, i64, i64, String, Value, chrono::DateTime<Utc>);

#[derive(Clone, Default)]
struct Tells(Arc<Mutex<Vec<Told>>>);

impl EventHandler for Tells {
    type Aggregate = Account;

    async fn handle(&self, event: HandledEvent<AccountEvent>) -> anyhow::Result<()> {
        self.0.lock().unwrap().push((
            event.stream_id().to_owned(),
            event.stream_version(),
            event.global_position(),
            event.event_type().to_owned(),
            event.metadata().clone(),
            event.created_at(),
        ));
        Ok(())
    }
}

async fn metadata_and_time_reach_readers_and_handlers<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let mut root = AggregateRoot::<Account>::new("ann");
    root.set_metadata(metadata());
    root.record_many([deposited(1), deposited(2)]);
    store.save(&mut root).await.unwrap();
    store
        .execute_with("ann", metadata(), |_: &Account| {
            Ok::<_, String>(AccountEvent::Withdrawn { amount: 1 })
        })
        .await
        .unwrap();
    let events = [
        Event::new(deposited(3)).with_metadata(metadata()),
        Event::new(deposited(4)).with_metadata(json!({"free": ["form"]})),
        Event::new(deposited(5)),
    ];
    store
        .append("account-ann", "account", ExpectedVersion::Exact(3), &events)
        .await
        .unwrap();

    let log = store.read_all_after(0, 100).await.unwrap();
    let found: Vec<&Value> = log.iter().map(|event| &event.metadata).collect();
    let (ours, free) = (stored(), json!({"free": ["form"]}));
    assert_eq!(found, [&ours, &ours, &ours, &ours, &free, &Value::Null]);
    let parsed: EventMetadata = serde_json::from_value(found[0].clone()).unwrap();
    assert_eq!(parsed, metadata());
    let types: Vec<&str> = log.iter().map(|event| event.event_type.as_str()).collect();
    assert_eq!(types[1..3], ["account.deposited", "account.withdrawn"]);
    assert_eq!(log[0].data, json!({"amount": 1}));
    for pair in log.windows(2) {
        assert!(pair[0].created_at <= pair[1].created_at);
    }
    let age = Utc::now() - log[0].created_at;
    assert!(age.num_seconds().abs() < 3600, "{age}");

    let tells = Tells::default();
    let running = start(fast(&store, "a").subscribe("s", tells.clone()));
    caught_up(&store).await;
    stop(running).await;
    let due: Vec<Told> = log
        .into_iter()
        .map(|event| {
            (
                event.stream_id,
                event.stream_version,
                event.global_position,
                event.event_type,
                event.metadata,
                event.created_at,
            )
        })
        .collect();
    assert_eq!(*tells.0.lock().unwrap(), due);
}

async fn events_can_be_taken_from_a_scope_before_it_commits<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    append(&store, "account-ann", [1]).await;
    let mut scope = store.begin_transaction().await.unwrap();
    let mut ann = scope.load_or_default::<Account>("ann").await.unwrap();
    ann.set_metadata(metadata());
    ann.record(deposited(2));
    scope.save(&mut ann).await.unwrap();
    let early = scope.take_committed_events();
    assert_eq!(early.len(), 1);
    assert_eq!(
        (
            early[0].stream_id.as_str(),
            early[0].stream_version,
            early[0].global_position
        ),
        ("account-ann", 2, 0)
    );
    assert_eq!(early[0].metadata, stored());
    assert_eq!(scope.take_committed_events(), []);

    ann.record_many([deposited(3), deposited(4)]);
    scope.save(&mut ann).await.unwrap();
    let mut bob = scope.load_or_default::<Account>("bob").await.unwrap();
    bob.record(deposited(5));
    scope.save(&mut bob).await.unwrap();
    // Nobody else sees any of it yet.
    assert_eq!(store.read_all_after(0, 10).await.unwrap().len(), 1);
    assert!(store.load::<Account>("bob").await.unwrap().is_none());
    let committed = scope.commit().await.unwrap();
    assert_eq!(committed.len(), 3);
    let log = store.read_all_after(0, 10).await.unwrap();
    assert_eq!(log.len(), 5);
    assert_eq!(
        committed.position,
        log.last().map(|event| event.global_position)
    );
    for event in &committed.events {
        assert!(log.contains(event), "{event:?}");
    }
}

async fn a_conflict_in_a_scope_names_itself_and_the_scope_goes_on<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    append(&store, "account-ann", [1]).await;
    let mut stale = store.load::<Account>("ann").await.unwrap().unwrap();
    append(&store, "account-ann", [2]).await;
    stale.record(deposited(3));

    let mut scope = store.begin_transaction().await.unwrap();
    let error = scope.save(&mut stale).await.unwrap_err();
    assert!(
        matches!(&error, EventStoreError::ConcurrencyConflict { stream_id, expected: 1, actual: 2 }
            if stream_id == "account-ann"),
        "{error:?}"
    );
    assert_eq!(stale.pending_count(), 1);
    let none = [Event::new(deposited(1))];
    for expected in [ExpectedVersion::NoStream, ExpectedVersion::Exact(7)] {
        let error = scope
            .append("account-ann", "account", expected, &none)
            .await;
        assert!(error.unwrap_err().is_conflict());
    }
    let error = scope
        .append("account-new", "account", ExpectedVersion::Exact(7), &none)
        .await;
    assert!(error.unwrap_err().is_conflict());
    // Two saves of one stream follow one another, also by their expected versions.
    let first = scope
        .append("account-new", "account", ExpectedVersion::NoStream, &none)
        .await;
    assert_eq!(first.unwrap(), 1);
    let second = scope
        .append("account-new", "account", ExpectedVersion::Exact(1), &none)
        .await;
    assert_eq!(second.unwrap(), 2);
    let third = scope
        .append("account-new", "account", ExpectedVersion::NoStream, &none)
        .await;
    assert!(third.unwrap_err().is_conflict());
    scope.commit().await.unwrap();
    let new = store.load::<Account>("new").await.unwrap().unwrap();
    assert_eq!((new.version, new.state.balance), (2, 2));
    assert_eq!(
        store.load::<Account>("ann").await.unwrap().unwrap().version,
        2
    );
    let empty = "SELECT count(*) FROM mire_streams WHERE version = 0";
    assert_eq!(DB::number(&store, empty).await, 0);
}

async fn a_callers_own_transaction_decides<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let event = [Event::new(deposited(1))];
    for commit in [false, true] {
        let mut scope = store.begin_transaction().await.unwrap();
        let conn: &mut DB::Connection = scope.tx();
        let appended = store
            .append_in_tx(
                conn,
                "account-ann",
                "account",
                ExpectedVersion::NoStream,
                &event,
            )
            .await
            .unwrap();
        assert_eq!(appended.version, 1);
        let again = store
            .append_in_tx(
                conn,
                "account-ann",
                "account",
                ExpectedVersion::NoStream,
                &event,
            )
            .await;
        assert!(again.unwrap_err().is_conflict());
        // The transaction can go on after it.
        let next = store
            .append_in_tx(
                conn,
                "account-ann",
                "account",
                ExpectedVersion::Exact(1),
                &event,
            )
            .await;
        assert_eq!(next.unwrap().version, 2);
        if commit {
            scope.commit().await.unwrap();
        } else {
            scope.rollback().await.unwrap();
            assert!(!store.stream_exists::<Account>("ann").await.unwrap());
        }
    }
    let root = store.load::<Account>("ann").await.unwrap().unwrap();
    assert_eq!((root.version, root.state.balance), (2, 2));
}
