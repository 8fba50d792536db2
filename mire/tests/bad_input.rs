//! Input that can't work: refused with the name, the value and the mend, before anything is written.

use std::time::Duration;

use crate::common::backends::TestBackend;
use crate::common::projections::{Plain, append, fast};
use crate::common::{Account, AccountEvent, deposited};
use mire::{
    Aggregate, AggregateRoot, Append, Event, EventData, EventMetadata, EventStore, EventStoreError,
    ExpectedVersion, ProjectionRunnerBuilder, ReadDirection, RunnerError, Snapshot, StoreOptions,
    StreamQuery, Subscription, TransactionScope,
};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

conformance!(
    names_that_can_name_no_stream_are_refused_on_every_way_in,
    an_aggregate_without_a_usable_category_is_refused,
    events_that_cannot_be_stored_are_refused_on_every_way_in,
    arguments_that_no_call_can_take_are_refused,
    settings_of_a_runner_that_cannot_work_are_refused_by_run,
);

/// Nothing was written: no event, no stream, no snapshot, no key, no position used up.
async fn assert_untouched<DB: TestBackend>(store: &EventStore<DB>) {
    for sql in [
        "SELECT count(*) FROM mire_events",
        "SELECT count(*) FROM mire_streams",
        "SELECT count(*) FROM mire_snapshots",
        "SELECT count(*) FROM mire_idempotency",
        "SELECT count(*) FROM mire_leases",
        "SELECT count(*) FROM mire_checkpoints",
    ] {
        assert_eq!(DB::number(store, sql).await, 0, "{sql}");
    }
    assert_eq!(store.safe_head().await.unwrap().allocated, 0);
}

/// An error that names all of this, and is none that trying again could help.
fn assert_says(error: &EventStoreError, variant: &str, says: &[&str]) {
    assert!(format!("{error:?}").starts_with(variant), "{error:?}");
    let text = error.to_string();
    for word in says {
        assert!(text.contains(word), "`{word}` is not in: {text}");
    }
    assert!(
        text.starts_with(|c: char| !c.is_ascii_uppercase()),
        "{text}"
    );
    assert!(!text.ends_with('.'), "{text}");
    assert!(!error.is_retryable() && !error.is_conflict(), "{error:?}");
}

async fn names_that_can_name_no_stream_are_refused_on_every_way_in<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let event = [Event::new(deposited(1))];
    let any = ExpectedVersion::Any;
    let long = "x".repeat(510);
    let long_name = format!("account-{long}");
    let long_category = "c".repeat(65);
    let long_both = format!("{long_category}-1");

    for (stream, category, mend) in [
        ("", "account", "has no `-`"),
        ("-1", "", "name the kind of aggregate"),
        ("account", "account", "has no `-`"),
        ("account-", "account", "give the aggregate an id"),
        ("account-1", "acc-ount", "use `_`"),
        ("9-1", "9", "a letter, then"),
        ("mire_x-1", "mire_x", "reserved"),
        ("account- 1", "account", "trim it"),
        ("account-a\nb", "account", "control character"),
        ("account-a\0b", "account", "control character"),
        (&*long_name, "account", "use a shorter id"),
        (&*long_both, &*long_category, "use a shorter one"),
    ] {
        let error = store
            .append(stream, category, any, &event)
            .await
            .unwrap_err();
        assert_says(&error, "InvalidStreamName", &[mend]);
        let mut scope = store.begin_transaction().await.unwrap();
        let error = scope
            .append(stream, category, any, &event)
            .await
            .unwrap_err();
        assert_says(&error, "InvalidStreamName", &[mend]);
        let error = {
            let conn: &mut DB::Connection = scope.tx();
            store
                .append_in_tx(conn, stream, category, any, &event)
                .await
                .unwrap_err()
        };
        assert_says(&error, "InvalidStreamName", &[mend]);
        scope.rollback().await.unwrap();
        if mend != "use `_`" {
            assert_says(
                &Append::new(stream, any).unwrap_err(),
                "InvalidStreamName",
                &[mend],
            );
            let read = store.read_stream(stream, StreamQuery::default()).await;
            assert_says(&read.unwrap_err(), "InvalidStreamName", &[mend]);
        }
    }
    let long_shown = format!("{}… (418 bytes more)", "x".repeat(92));
    for (id, shown, mend) in [
        ("", "", "give the aggregate an id"),
        (" a", " a", "trim it"),
        ("a\0", "a\\0", "control character"),
        (&*long, &*long_shown, "use a shorter id"),
    ] {
        let name = format!("`account-{shown}`");
        let says = [mend, &*name];
        let error = store.load::<Account>(id).await.unwrap_err();
        assert_says(&error, "InvalidStreamName", &says);
        let error = store.stream_exists::<Account>(id).await.unwrap_err();
        assert_says(&error, "InvalidStreamName", &says);
        let executed = store
            .execute(id, |_: &Account| Ok::<_, String>(deposited(1)))
            .await;
        let Err(mire::CommandError::Store(error)) = executed else {
            panic!("{executed:?}");
        };
        assert_says(&error, "InvalidStreamName", &says);
        let mut root = AggregateRoot::<Account>::new(id);
        root.record(deposited(1));
        let error = store.save(&mut root).await.unwrap_err();
        assert_says(&error, "InvalidStreamName", &says);
        assert_eq!(root.pending_count(), 1);
    }
    let error = store
        .append("account-1", "order", any, &event)
        .await
        .unwrap_err();
    assert_says(&error, "CategoryMismatch", &["`account-1`", "`order`"]);
    let mut root = AggregateRoot::<Account>::new("1");
    root.stream_id = "order-1".to_owned();
    root.record(deposited(1));
    let error = store.save(&mut root).await.unwrap_err();
    assert_says(&error, "CategoryMismatch", &["`order-1`", "`account`"]);
    assert_untouched(&store).await;
}

/// An aggregate whose category is not one.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Misnamed<const N: usize>;

const NO_CATEGORIES: [(&str, &str); 4] = [
    ("", "name the kind of aggregate"),
    ("acc-ount", "use `_`"),
    ("9", "a letter, then"),
    ("mire_x", "reserved"),
];

impl<const N: usize> Aggregate for Misnamed<N> {
    type Event = AccountEvent;
    type Id = String;

    fn stream_category() -> &'static str {
        NO_CATEGORIES[N].0
    }

    fn apply(&mut self, _: &AccountEvent) {}
}

impl<const N: usize> Snapshot for Misnamed<N> {}

async fn refuses_category<DB: TestBackend, const N: usize>(store: &EventStore<DB>) {
    let mut root = AggregateRoot::<Misnamed<N>>::new("1");
    root.record(deposited(1));
    let mut errors = vec![
        store.load::<Misnamed<N>>("1").await.map(drop).unwrap_err(),
        store
            .load_or_default::<Misnamed<N>>("1")
            .await
            .map(drop)
            .unwrap_err(),
        store
            .load_snapshotted::<Misnamed<N>>("1")
            .await
            .map(drop)
            .unwrap_err(),
        store
            .stream_exists::<Misnamed<N>>("1")
            .await
            .map(drop)
            .unwrap_err(),
        store.save(&mut root).await.unwrap_err(),
        store.save_snapshotting(&mut root).await.unwrap_err(),
    ];
    let mut scope = store.begin_transaction().await.unwrap();
    errors.push(scope.load::<Misnamed<N>>("1").await.map(drop).unwrap_err());
    errors.push(
        scope
            .load_for_update::<Misnamed<N>>("1")
            .await
            .map(drop)
            .unwrap_err(),
    );
    errors.push(scope.save(&mut root).await.unwrap_err());
    scope.rollback().await.unwrap();
    let executed = store.execute("1", |_: &Misnamed<N>| Ok::<_, String>(deposited(1)));
    match executed.await {
        Err(mire::CommandError::Store(error)) => errors.push(error),
        other => panic!("{other:?}"),
    }
    for error in errors {
        assert_says(&error, "InvalidStreamName", &[NO_CATEGORIES[N].1]);
    }
    assert_eq!(root.pending_count(), 1);
}

async fn an_aggregate_without_a_usable_category_is_refused<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    refuses_category::<DB, 0>(&store).await;
    refuses_category::<DB, 1>(&store).await;
    refuses_category::<DB, 2>(&store).await;
    refuses_category::<DB, 3>(&store).await;
    assert_untouched(&store).await;
}

#[derive(Debug, Clone, Serialize, Deserialize, EventData)]
#[mire(entity = "odd")]
enum OddEvent {
    /// JSON has no keys but texts.
    Keyed(std::collections::BTreeMap<(i64, i64), i64>),
    Said {
        text: String,
    },
    /// Nor has it NaN, for which `null` would be stored.
    Measured {
        level: f64,
    },
}

#[derive(Debug, Default)]
struct Odd;

impl Aggregate for Odd {
    type Event = OddEvent;
    type Id = String;

    fn stream_category() -> &'static str {
        "odd"
    }

    fn apply(&mut self, _: &OddEvent) {}
}

fn said(text: impl Into<String>) -> OddEvent {
    OddEvent::Said { text: text.into() }
}

/// Every way to write these events, after a sound one; each has to refuse.
async fn refusals<DB: TestBackend>(
    store: &EventStore<DB>,
    event: &OddEvent,
    metadata: EventMetadata,
) -> Vec<EventStoreError> {
    let any = ExpectedVersion::Any;
    let sound = || Event::new(said("sound"));
    let odd = || Event::new(event.clone()).with_metadata(metadata.clone());
    let mut errors = Vec::new();

    let both = [sound(), odd()];
    errors.push(store.append("odd-1", "odd", any, &both).await.unwrap_err());
    let mut scope: TransactionScope<'_, DB> = store.begin_transaction().await.unwrap();
    errors.push(scope.append("odd-1", "odd", any, &both).await.unwrap_err());
    let conn: &mut DB::Connection = scope.tx();
    let in_tx = store.append_in_tx(conn, "odd-1", "odd", any, &both).await;
    errors.push(in_tx.unwrap_err());
    // The scope can be used on, and what was refused is not in it.
    scope.append("odd-2", "odd", any, &[sound()]).await.unwrap();
    scope.rollback().await.unwrap();

    let mut root = AggregateRoot::<Odd>::new("1");
    root.set_metadata(metadata.clone());
    root.record(said("sound"));
    root.record(event.clone());
    errors.push(store.save(&mut root).await.unwrap_err());
    assert_eq!(root.pending_count(), 2, "the pending events stay");

    let executed = store
        .execute_with("1", metadata.clone(), |_: &Odd| {
            Ok::<_, String>([said("sound"), event.clone()])
        })
        .await;
    match executed {
        Err(mire::CommandError::Store(error)) => errors.push(error),
        other => panic!("{other:?}"),
    }

    let keyed = Append::new("odd-1", any).unwrap().idempotency_key("k");
    let all = match keyed.event(&sound()).unwrap().event(&odd()) {
        Err(error) => Err(error),
        Ok(append) => {
            let other = Append::new("odd-2", any).unwrap().event(&sound()).unwrap();
            store.append_all([other, append]).await
        }
    };
    errors.push(all.unwrap_err());
    errors
}

async fn events_that_cannot_be_stored_are_refused_on_every_way_in<DB: TestBackend>() {
    let (fresh, _database) = DB::fresh().await;
    let options = StoreOptions::default().max_event_bytes(1000);
    let store = EventStore::with_options(fresh.pool().clone(), options);
    let none = EventMetadata::default;

    let keyed = OddEvent::Keyed([((1, 2), 3)].into());
    for error in refusals(&store, &keyed, none()).await {
        assert_says(&error, "Serialization", &["`odd.keyed`", "`odd-1`"]);
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("take text or a number"), "{source}");
    }
    let measured = OddEvent::Measured { level: f64::NAN };
    for error in refusals(&store, &measured, none()).await {
        assert_says(&error, "Serialization", &["`odd.measured`", "`odd-1`"]);
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("the field `level` is NaN"), "{source}");
    }
    for error in refusals(&store, &said("a\0b"), none()).await {
        assert_says(
            &error,
            "NulCharacter",
            &["event 1 (`odd.said`)", "`odd-1`", "payload", "remove it"],
        );
    }
    let actor = EventMetadata {
        actor: Some("a\0b".to_owned()),
        ..none()
    };
    for error in refusals(&store, &said("sound"), actor).await {
        assert_says(
            &error,
            "NulCharacter",
            &["(`odd.said`)", "`odd-1`", "metadata"],
        );
    }
    for error in refusals(&store, &said("x".repeat(1000)), none()).await {
        assert_says(
            &error,
            "EventTooLarge",
            &[
                "event 1 (`odd.said`)",
                "`odd-1`",
                "the limit is 1000",
                "`max_event_bytes`",
            ],
        );
    }
    let actor = EventMetadata {
        actor: Some("x".repeat(1000)),
        ..none()
    };
    for error in refusals(&store, &said("sound"), actor).await {
        assert_says(&error, "EventTooLarge", &["`odd-1`", "the limit is 1000"]);
    }
    assert_untouched(&store).await;

    // Right at the limit, and with what only looks like a NUL.
    let frame = serde_json::to_string(&serde_json::json!({ "text": "" })).unwrap();
    let fits = "x".repeat(1000 - frame.len());
    for text in [&*fits, "\\u0000", "\u{1}\u{7f}\u{fffd}", "🦀"] {
        let event = [Event::new(said(text))];
        let any = ExpectedVersion::Any;
        store.append("odd-1", "odd", any, &event).await.unwrap();
    }
    assert_eq!(store.read_all_after(0, 10).await.unwrap().len(), 4);
    let larger = [Event::new(said(format!("{fits}x")))];
    let error = store
        .append("odd-1", "odd", ExpectedVersion::Any, &larger)
        .await;
    assert_says(&error.unwrap_err(), "EventTooLarge", &["1001 bytes"]);
}

/// An event that names itself by hand.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Named {
    #[serde(skip)]
    name: &'static str,
}

impl EventData for Named {
    fn event_type(&self) -> &'static str {
        self.name
    }
}

const LONG_NAME: &str = concat!(
    "odd.123456789.123456789.123456789.123456789.123456789.123456789.123456789.123456789.",
    "123456789.123456789.123456789.123456789.123456789.123456789.123456789.123456789.12345678.",
    "123456789.123456789.123456789.123456789.123456789.123456789.123456789.123456789.12345678.",
);

async fn arguments_that_no_call_can_take_are_refused<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let any = ExpectedVersion::Any;
    let event = [Event::new(deposited(1))];
    let append = |stream: &str| {
        let append = Append::new(stream, any).unwrap();
        append.event(&event[0]).unwrap()
    };
    let nothing: [Event<AccountEvent>; 0] = [];
    let error = store.append("account-1", "account", any, &nothing).await;
    assert_says(
        &error.unwrap_err(),
        "InvalidArgument",
        &["at least one event"],
    );
    let error = store
        .append("account-1", "account", ExpectedVersion::Exact(-1), &event)
        .await;
    assert_says(
        &error.unwrap_err(),
        "InvalidArgument",
        &["-1", "`NoStream`"],
    );
    let error = store
        .append_all([append("account-1"), append("account-1")])
        .await;
    assert_says(
        &error.unwrap_err(),
        "InvalidArgument",
        &["`account-1`", "one `Append`"],
    );
    for (name, says) in [("", "``"), ("odd.\0", "odd.\\0"), (LONG_NAME, "255 bytes")] {
        let event = [Event::new(Named { name })];
        let error = store.append("odd-1", "odd", any, &event).await.unwrap_err();
        assert_says(
            &error,
            "InvalidArgument",
            &["stored name of an event", says],
        );
    }
    let long = "k".repeat(513);
    for key in ["", "a\0b", &*long] {
        let error = store
            .append_all([append("account-1").idempotency_key(key)])
            .await;
        assert_says(
            &error.unwrap_err(),
            "InvalidArgument",
            &["idempotency key", "1 to 512"],
        );
    }
    for (limit, from_version, direction) in [
        (0, 0, ReadDirection::Forward),
        (-5, 0, ReadDirection::Backward),
        (10, -7, ReadDirection::Forward),
        (10, -7, ReadDirection::Backward),
    ] {
        let query = StreamQuery {
            direction,
            from_version,
            limit,
        };
        let error = store.read_stream("account-1", query).await.unwrap_err();
        let value = limit.min(from_version).to_string();
        assert_says(&error, "InvalidArgument", &[&value]);
    }
    for (after, limit) in [(-1, 10), (0, 0), (0, -1)] {
        let error = store.read_all_after(after, limit).await.unwrap_err();
        assert_says(&error, "InvalidArgument", &[]);
        let error = store.read_category_after("account", after, limit).await;
        assert_says(&error.unwrap_err(), "InvalidArgument", &[]);
    }
    let error = store.read_category_after("acc-ount", 0, 10).await;
    assert_says(
        &error.unwrap_err(),
        "InvalidStreamName",
        &["acc-ount", "use `_`"],
    );
    let error = store.reset_checkpoint("s", -1).await;
    assert_says(
        &error.unwrap_err(),
        "InvalidArgument",
        &["-1", "0 for the start"],
    );
    for (url, named) in [
        ("", "``"),
        ("bank.db", "`bank.db`"),
        ("mysql://me:secret@localhost/bank", "`mysql`"),
    ] {
        let error = mire::open_any(url).await.unwrap_err();
        assert_says(&error, "InvalidArgument", &[named, "`sqlite:bank.db`"]);
    }
    assert_untouched(&store).await;
}

/// A URL of another kind of store, and one that can't be read: named, but without its secrets.
#[tokio::test]
async fn urls_are_shown_without_their_secrets() {
    let mut errors: Vec<EventStoreError> = Vec::new();
    let urls = [
        "mysql://me:secret@localhost/bank?password=secret",
        "postgres://me:secret@localhost:port/bank",
        "sqlite:secret?mode=secret",
    ];
    for url in urls {
        #[cfg(feature = "postgres")]
        errors.extend(mire::open::<mire::Postgres>(url).await.err());
        #[cfg(feature = "sqlite")]
        if !url.starts_with("sqlite") {
            errors.extend(mire::open::<mire::Sqlite>(url).await.err());
        }
    }
    assert!(errors.len() >= 2, "{errors:?}");
    for error in errors {
        assert_says(&error, "InvalidArgument", &["the URL of a"]);
        assert!(
            !error.to_string().contains("me:secret") && !error.to_string().contains("=secret"),
            "{error}"
        );
    }
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn what_is_wrong_in_a_url_is_said() {
    let url = "postgres://me:secret@localhost/bank?sslmode=bogus";
    let error = mire::open::<mire::Postgres>(url).await.unwrap_err();
    assert_says(&error, "InvalidArgument", &["the URL of a", "bogus"]);
    assert!(!error.to_string().contains("secret"), "{error}");
}

/// Who is not let in hears by whom, and why.
#[cfg(feature = "postgres")]
#[tokio::test]
async fn a_server_that_lets_nobody_in_is_named() {
    let database = mire_testkit::test_database().await;
    let url = database.url();
    let (server, _) = url.rsplit_once('/').unwrap();
    let error = mire::open::<mire::Postgres>(&format!("{server}/there_is_none"))
        .await
        .unwrap_err();
    assert_says(
        &error,
        "Unreachable",
        &["PostgreSQL at `", "`there_is_none`"],
    );
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("does not exist"), "{source}");
}

/// Whatever is asked of a store whose schema is not there names the mend.
async fn assert_asks_for_migrate<DB: TestBackend>(store: EventStore<DB>) {
    let any = ExpectedVersion::Any;
    let event = [Event::new(deposited(1))];
    let mut root = AggregateRoot::<Account>::new("1");
    root.record(deposited(1));
    let both = ["account-1", "account-2"].map(|stream| {
        let append = Append::new(stream, any).unwrap();
        append.event(&event[0]).unwrap()
    });
    let errors = [
        store.load::<Account>("1").await.map(drop).unwrap_err(),
        store
            .stream_exists::<Account>("1")
            .await
            .map(drop)
            .unwrap_err(),
        store.save(&mut root).await.unwrap_err(),
        store
            .append("account-1", "account", any, &event)
            .await
            .map(drop)
            .unwrap_err(),
        store.append_all(both).await.map(drop).unwrap_err(),
        store.read_all_after(0, 1).await.map(drop).unwrap_err(),
        store
            .read_stream_all("account-1", 0)
            .await
            .map(drop)
            .unwrap_err(),
        store.checkpoint("s").await.map(drop).unwrap_err(),
        store.projection_lag("s").await.map(drop).unwrap_err(),
        mire::lease::status(store.pool(), "s")
            .await
            .map(drop)
            .unwrap_err(),
        store
            .wait_for("s", 1, Duration::from_secs(1))
            .await
            .unwrap_err(),
    ];
    for error in errors {
        assert_says(&error, "NotMigrated", &["`migrate()`"]);
    }
    let error = refused(fast(&store, "a").subscribe("s", Plain::new())).await;
    assert!(matches!(error, RunnerError::NotMigrated), "{error:?}");
    assert!(error.to_string().contains("`migrate()`"));

    store.migrate().await.unwrap();
    store.save(&mut root).await.unwrap();
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn a_database_without_the_schema_is_told_from_one_that_fails() {
    let database = mire_testkit::test_database().await;
    let pool = sqlx::PgPool::connect(database.url()).await.unwrap();
    assert_asks_for_migrate(EventStore::new(pool)).await;
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_file_without_the_schema_is_told_from_one_that_fails() {
    let folder = tempfile::tempdir().unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(folder.path().join("bank.db"))
        .create_if_missing(true);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    assert_asks_for_migrate(EventStore::new(pool)).await;
}

async fn refused<DB: TestBackend>(builder: ProjectionRunnerBuilder<DB>) -> RunnerError {
    let run = builder.build().run(CancellationToken::new());
    let run = tokio::time::timeout(Duration::from_secs(5), run);
    let error = run
        .await
        .expect("refused before anything starts")
        .unwrap_err();
    error.downcast().unwrap()
}

async fn settings_of_a_runner_that_cannot_work_are_refused_by_run<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let with = |id: &str| fast(&store, "a").subscribe(id, Plain::new());
    let zero = Duration::ZERO;
    for (builder, setting, value) in [
        (with("s").max_attempts(0), "max_attempts", "0"),
        (with("s").batch_size(0), "batch_size", "0"),
        (with("s").batch_size(-3), "batch_size", "-3"),
        (with("s").poll_interval(zero), "poll_interval", "0"),
        (with("s").retry_backoff(zero), "retry_backoff", "0"),
        (with("s").lease_ttl(zero), "lease_ttl", "0"),
        (
            with("s").heartbeat_interval(zero),
            "heartbeat_interval",
            "0",
        ),
        (
            with("s").lease_recheck_interval(zero),
            "lease_recheck_interval",
            "0",
        ),
        (with("s").shutdown_grace(zero), "shutdown_grace", "0"),
        (
            with("s").lease_ttl(Duration::from_millis(150)),
            "lease_ttl",
            "150ms",
        ),
        (
            with("s").heartbeat_interval(Duration::from_millis(1001)),
            "lease_ttl",
            "2s",
        ),
        (
            with("s").heartbeat_interval(Duration::MAX),
            "lease_ttl",
            "2s",
        ),
        (
            with("s").lease_ttl(Duration::MAX),
            "lease_ttl",
            "18446744073709551615",
        ),
        (with("s").worker_id(""), "worker_id", "``"),
        (with("s").worker_id("a\0"), "worker_id", "`a\\0`"),
        (
            fast(&store, "a").subscribe(Subscription::new("s").max_attempts(0), Plain::new()),
            "max_attempts",
            "0",
        ),
        (
            fast(&store, "a").subscribe(Subscription::new("s").handler_timeout(zero), Plain::new()),
            "handler_timeout",
            "0",
        ),
    ] {
        let error = refused(builder).await;
        let RunnerError::InvalidSetting {
            setting: named,
            value: given,
            mend,
        } = &error
        else {
            panic!("{error:?}");
        };
        assert_eq!(*named, setting, "{error}");
        assert!(given.contains(value), "{error}");
        assert!(!mend.is_empty());
    }
    // Two heartbeats, exactly, are enough.
    let enough = with("s").heartbeat_interval(Duration::from_secs(1));
    let running = crate::common::projections::start(enough);
    crate::common::projections::until("it leads", || async {
        crate::common::projections::leader(&store, "s")
            .await
            .is_some()
    })
    .await;
    crate::common::projections::stop(running).await;

    let long = "s".repeat(256);
    for id in ["", " s", "s\n", "s\0", &*long] {
        let error = refused(with(id)).await;
        assert!(
            matches!(&error, RunnerError::InvalidSubscriptionId { subscription_id, reason }
                if subscription_id == id && !reason.is_empty()),
            "{error:?}"
        );
        assert!(!error.to_string().contains(char::is_control), "{error}");
    }
    let error = refused(with("t").subscribe("t", Plain::new())).await;
    assert!(
        matches!(&error, RunnerError::DuplicateSubscription { subscription_id } if subscription_id == "t"),
        "{error:?}"
    );
    assert!(matches!(
        refused(fast(&store, "a")).await,
        RunnerError::NoSubscription
    ));

    let pool = store.pool().options().clone().max_connections(1);
    let theirs = store.pool().connect_options().as_ref().clone();
    let one = EventStore::<DB>::new(pool.connect_with(theirs).await.unwrap());
    append(&one, "account-1", [1]).await;
    let error = refused(fast(&one, "a").subscribe("s", Plain::new())).await;
    assert!(
        matches!(&error, RunnerError::InvalidSetting { setting, value, mend }
            if setting.contains("max_connections") && value == "1" && mend.contains("at least 2")),
        "{error:?}"
    );
    let started = DB::number(
        &store,
        "SELECT count(*) FROM mire_leases WHERE subscription_id <> 's'",
    );
    assert_eq!(started.await, 0);
}
