//! Saving and loading, on every backend.

use crate::common::backends::TestBackend;
use crate::common::{Account, AccountEvent, deposited};
use mire::{AggregateRoot, Append, Event, EventStoreError, ExpectedVersion, StreamQuery};

conformance!(
    what_was_saved_is_loaded,
    whoever_writes_is_told_what_to_wait_for,
    a_conflict_names_all_three_and_keeps_the_pending_events,
    racing_saves_of_one_stream_leave_versions_without_holes,
    execute_decides_until_it_is_saved,
    an_idempotency_key_writes_once,
    several_streams_are_written_all_or_nothing,
    a_scope_commits_streams_and_sql_together,
);

async fn what_was_saved_is_loaded<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let mut root = AggregateRoot::<Account>::new("ann");
    root.record(AccountEvent::Opened {
        owner: "ann".into(),
    });
    root.record(deposited(5));
    store.save(&mut root).await.unwrap();
    assert_eq!((root.version, root.has_pending()), (2, false));

    for _ in 0..2 {
        let loaded = store.load::<Account>("ann").await.unwrap().unwrap();
        assert_eq!(
            loaded.state,
            Account {
                owner: "ann".into(),
                balance: 5
            }
        );
        assert_eq!(
            (loaded.version, loaded.stream_id.as_str()),
            (2, "account-ann")
        );
    }
    assert!(store.load::<Account>("bob").await.unwrap().is_none());
    assert!(store.stream_exists::<Account>("ann").await.unwrap());
    assert!(!store.stream_exists::<Account>("bob").await.unwrap());
}

async fn whoever_writes_is_told_what_to_wait_for<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let event = [Event::new(deposited(1))];
    let any = ExpectedVersion::Any;
    let other = store.append("account-bob", "account", any, &event).await;
    let other = other.unwrap();
    let mut root = AggregateRoot::<Account>::new("ann");
    assert_eq!(store.save(&mut root).await.unwrap(), None, "nothing to do");
    root.record_many([deposited(1), deposited(2)]);
    let saved = store.save(&mut root).await.unwrap().unwrap();
    let appended = store.append("account-ann", "account", any, &event).await;
    let appended = appended.unwrap();

    let stored = |answer: mire::Appended, stream_id: &'static str| {
        let store = &store;
        async move {
            let events = store.read_stream_all(stream_id, 0).await.unwrap();
            let of_version = &events[usize::try_from(answer.version - 1).unwrap()];
            assert_eq!(of_version.global_position, answer.position, "{stream_id}");
            assert!(!answer.repeated);
        }
    };
    assert_eq!((other.version, saved.version, appended.version), (1, 2, 3));
    stored(other, "account-bob").await;
    stored(saved, "account-ann").await;
    stored(appended, "account-ann").await;
    let head = store.safe_head().await.unwrap().position;
    assert_eq!(appended.position, head);
}

async fn a_conflict_names_all_three_and_keeps_the_pending_events<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let mut first = AggregateRoot::<Account>::new("ann");
    let mut second = AggregateRoot::<Account>::new("ann");
    first.record_many([deposited(1), deposited(2)]);
    second.record(deposited(3));
    store.save(&mut first).await.unwrap();
    let error = store.save(&mut second).await.unwrap_err();
    let EventStoreError::ConcurrencyConflict {
        stream_id,
        expected,
        actual,
    } = &error
    else {
        panic!("{error:?}");
    };
    assert_eq!(
        (stream_id.as_str(), *expected, *actual),
        ("account-ann", 0, 2)
    );
    assert!(error.is_conflict() && error.is_retryable());
    assert_eq!(second.pending_count(), 1);
    assert_eq!(
        store
            .load::<Account>("ann")
            .await
            .unwrap()
            .unwrap()
            .state
            .balance,
        3
    );
}

async fn racing_saves_of_one_stream_leave_versions_without_holes<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut conflicts = 0;
                for _ in 0..10 {
                    loop {
                        let mut root = store.load_or_default::<Account>("ann").await.unwrap();
                        root.record(deposited(1));
                        match store.save(&mut root).await {
                            Ok(_) => break,
                            Err(error) => assert!(error.is_conflict(), "{error:?}"),
                        }
                        conflicts += 1;
                    }
                }
                conflicts
            })
        })
        .collect();
    let mut conflicts = 0;
    for task in tasks {
        conflicts += task.await.unwrap();
    }
    assert!(conflicts > 0, "nothing raced");
    let events = store.read_stream_all("account-ann", 0).await.unwrap();
    let versions: Vec<i64> = events.iter().map(|e| e.stream_version).collect();
    assert_eq!(versions, (1..=160).collect::<Vec<_>>());
    assert!(
        events
            .windows(2)
            .all(|pair| pair[0].global_position < pair[1].global_position)
    );
}

async fn execute_decides_until_it_is_saved<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                for _ in 0..10 {
                    store
                        .execute("ann", |_: &Account| Ok::<_, String>(deposited(1)))
                        .await
                        .unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let root = store.load::<Account>("ann").await.unwrap().unwrap();
    assert_eq!((root.version, root.state.balance), (160, 160));
    let refused = store
        .execute("ann", |account: &Account| match account.balance {
            160 => Err("no"),
            _ => Ok([deposited(1)]),
        })
        .await;
    assert_eq!(refused.unwrap_err().rejected(), Some("no"));
}

async fn an_idempotency_key_writes_once<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let append = || {
        Append::new("account-ann", ExpectedVersion::Any)
            .unwrap()
            .idempotency_key("k")
            .event(&Event::new(deposited(1)))
            .unwrap()
    };
    let first = store.append_all([append()]).await.unwrap()[0];
    let again = store.append_all([append()]).await.unwrap()[0];
    assert!(!first.repeated && again.repeated);
    assert_eq!(
        (first.version, first.position),
        (again.version, again.position)
    );
    assert_eq!(
        store
            .read_stream("account-ann", StreamQuery::default())
            .await
            .unwrap()
            .len(),
        1
    );
}

async fn several_streams_are_written_all_or_nothing<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let append = |stream: &str, expected| {
        Append::new(stream, expected)
            .unwrap()
            .event(&Event::new(deposited(1)))
            .unwrap()
    };
    let error = store
        .append_all([
            append("account-a", ExpectedVersion::NoStream),
            append("account-b", ExpectedVersion::Exact(7)),
        ])
        .await
        .unwrap_err();
    assert!(
        matches!(&error, EventStoreError::ConcurrencyConflict { stream_id, expected: 7, actual: 0 } if stream_id == "account-b"),
        "{error:?}"
    );
    assert!(!store.stream_exists::<Account>("a").await.unwrap());
    let rows: i64 = DB::number(&store, "SELECT count(*) FROM mire_streams").await;
    assert_eq!(rows, 0, "a refused append leaves no stream behind");
    let both = store
        .append_all([
            append("account-a", ExpectedVersion::NoStream),
            append("account-b", ExpectedVersion::Any),
        ])
        .await
        .unwrap();
    assert_eq!(both.iter().map(|a| a.version).collect::<Vec<_>>(), [1, 1]);
}

async fn a_scope_commits_streams_and_sql_together<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    DB::run(
        &mut store.pool().acquire().await.unwrap(),
        "CREATE TABLE audit (note text)",
    )
    .await;
    for commit in [false, true] {
        let mut scope = store.begin_transaction().await.unwrap();
        let mut ann = scope.load_or_default::<Account>("ann").await.unwrap();
        ann.record(deposited(5));
        scope.save(&mut ann).await.unwrap();
        let again = scope.load::<Account>("ann").await.unwrap().unwrap();
        assert_eq!((again.version, again.state.balance), (1, 5));
        DB::run(scope.tx(), "INSERT INTO audit VALUES ('x')").await;
        if commit {
            let committed = scope.commit().await.unwrap();
            assert_eq!(committed.events.len(), 1);
            assert_eq!(
                committed.position,
                Some(committed.events[0].global_position)
            );
        } else {
            scope.rollback().await.unwrap();
            assert!(store.load::<Account>("ann").await.unwrap().is_none());
        }
    }
    let notes: i64 = DB::number(&store, "SELECT count(*) FROM audit").await;
    assert_eq!(notes, 1);
    assert_eq!(store.read_all_after(0, 10).await.unwrap().len(), 1);
}
