//! Snapshots that don't fit: each is ignored, and a fitting one takes its place.

use crate::common::backends::TestBackend;
use crate::common::{Account, AccountEvent, deposited};
use mire::{
    Aggregate, AggregateRoot, Command, EventStore, EventStoreError, Snapshot, StoreOptions,
};
use serde::{Deserialize, Serialize};

conformance!(
    every_way_to_save_leaves_a_snapshot_and_every_load_starts_there,
    a_snapshot_is_left_by_what_is_committed_alone,
    a_fitting_snapshot_is_where_a_load_starts,
    a_snapshot_that_does_not_fit_is_ignored_and_replaced,
    a_scope_ignores_a_snapshot_that_does_not_fit,
    an_older_snapshot_never_replaces_a_newer_one,
    what_has_no_snapshot_form_is_refused_and_the_events_are_saved,
);

/// The same store without what its cache remembers.
fn forgetful<DB: TestBackend>(store: &EventStore<DB>) -> EventStore<DB> {
    EventStore::with_options(store.pool().clone(), StoreOptions::default().cache_bytes(0))
}

/// Saves `count` deposits of 1, one by one.
async fn deposit<DB: TestBackend>(store: &EventStore<DB>, count: i64) {
    let mut root = store.load_or_default::<Account>("ann").await.unwrap();
    for _ in 0..count {
        root.record(deposited(1));
        store.save_snapshotting(&mut root).await.unwrap();
    }
}

async fn change<DB: TestBackend>(store: &EventStore<DB>, sql: &'static str) {
    DB::run(&mut *store.pool().acquire().await.unwrap(), sql).await;
}

async fn loaded<DB: TestBackend>(store: &EventStore<DB>) -> (i64, i64) {
    let root = store.load_snapshotted::<Account>("ann").await.unwrap();
    let root = root.unwrap();
    (root.version, root.state.balance)
}

async fn a_fitting_snapshot_is_where_a_load_starts<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let store = forgetful(&store);
    deposit(&store, 7).await;
    let version = "SELECT version FROM mire_snapshots";
    assert_eq!(DB::number(&store, version).await, 5);
    // A state that only the snapshot can have: it shows that the snapshot is used, and that the
    // stale part is read from the log.
    change(
        &store,
        r#"UPDATE mire_snapshots SET state = '{"owner":"","balance":1005}'"#,
    )
    .await;
    assert_eq!(loaded(&store).await, (7, 1007));
    // A plain load of an aggregate that doesn't say so doesn't look at snapshots.
    let plain = store.load::<Account>("ann").await.unwrap().unwrap();
    assert_eq!(plain.state.balance, 7);
}

async fn a_snapshot_that_does_not_fit_is_ignored_and_replaced<DB: TestBackend>() {
    for misfit in [
        // Of an older version of the code.
        r#"UPDATE mire_snapshots SET snapshot_version = 1, state = '{"owner":"","balance":1005}'"#,
        // And of a newer one, which was rolled back since.
        r#"UPDATE mire_snapshots SET snapshot_version = 3, state = '{"owner":"","balance":1005}'"#,
        // Corrupt: JSON of something else.
        r#"UPDATE mire_snapshots SET state = '{"balance":"much"}'"#,
        "UPDATE mire_snapshots SET state = '[]'",
        // Ahead of its stream, as after a restored backup.
        r#"UPDATE mire_snapshots SET version = 1000, state = '{"owner":"","balance":1005}'"#,
        // Of no version that a stream can have.
        r#"UPDATE mire_snapshots SET version = 0, state = '{"owner":"","balance":1005}'"#,
        r#"UPDATE mire_snapshots SET version = -3, state = '{"owner":"","balance":1005}'"#,
    ] {
        let (store, _database) = DB::fresh().await;
        let store = forgetful(&store);
        deposit(&store, 7).await;
        change(&store, misfit).await;
        assert_eq!(loaded(&store).await, (7, 7), "after {misfit}");
        let new = store.load_or_default_snapshotted::<Account>("bob").await;
        assert_eq!(new.unwrap().version, 0);

        deposit(&store, 5).await;
        let fits =
            "SELECT count(*) FROM mire_snapshots WHERE version = 10 AND snapshot_version = 2";
        assert_eq!(DB::number(&store, fits).await, 1, "after {misfit}");
        assert_eq!(loaded(&store).await, (12, 12), "after {misfit}");
    }
}

async fn a_scope_ignores_a_snapshot_that_does_not_fit<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    deposit(&store, 7).await;
    for misfit in [
        "UPDATE mire_snapshots SET version = 1000",
        "UPDATE mire_snapshots SET version = 0",
        "UPDATE mire_snapshots SET version = 5, state = '[]'",
    ] {
        change(&store, misfit).await;
        let mut scope = store.begin_transaction().await.unwrap();
        let root = scope.load_snapshotted::<Account>("ann").await.unwrap();
        let root = root.unwrap();
        assert_eq!((root.version, root.state.balance), (7, 7), "after {misfit}");
        scope.rollback().await.unwrap();
    }
}

async fn an_older_snapshot_never_replaces_a_newer_one<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    deposit(&store, 3).await;
    let old = store.load::<Account>("ann").await.unwrap().unwrap();
    deposit(&store, 2).await;
    store.save_snapshot(&old).await.unwrap();
    let version = "SELECT version FROM mire_snapshots";
    assert_eq!(DB::number(&store, version).await, 5);
    let rows = "SELECT count(*) FROM mire_snapshots";
    assert_eq!(DB::number(&store, rows).await, 1);
}

mire::aggregate!(
    #[aggregate(category = "meter", snapshot_every = 5)]
    struct Meter {
        watts: i64,
        /// How many events were folded since the snapshot.
        #[serde(skip, default)]
        folded: u32,
    }

    #[event]
    fn read(&mut self, watts: i64) {
        self.watts += watts;
        self.folded += 1;
    }
);

fn read() -> MeterEvent {
    MeterEvent::Read { watts: 1 }
}

struct Read;

impl Command for Read {
    type Aggregate = Meter;
    type Events = Vec<MeterEvent>;
    type Error = std::convert::Infallible;

    fn handle(self, meter: &Meter) -> Result<Vec<MeterEvent>, Self::Error> {
        assert_eq!(meter.folded, 3, "it starts from the snapshot");
        Ok(vec![read()])
    }
}

const KEPT: &str = "SELECT COALESCE(max(version), 0) FROM mire_snapshots";

async fn every_way_to_save_leaves_a_snapshot_and_every_load_starts_there<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let elsewhere = || EventStore::new(store.pool().clone());
    for _ in 0..4 {
        store.execute("m", |_: &Meter| read()).await.unwrap();
    }
    assert_eq!(DB::number(&store, KEPT).await, 0);
    store.execute("m", |_: &Meter| read()).await.unwrap();
    assert_eq!(DB::number(&store, KEPT).await, 5);

    let mut meter = elsewhere().load::<Meter>("m").await.unwrap().unwrap();
    assert_eq!((meter.version, meter.state.watts), (5, 5));
    assert_eq!(meter.state.folded, 0);
    meter.record_many([read(), read(), read()]);
    store.save(&mut meter).await.unwrap();
    assert_eq!(DB::number(&store, KEPT).await, 5);

    elsewhere()
        .execute("m", |meter: &Meter| {
            assert_eq!((meter.watts, meter.folded), (8, 3));
            Vec::new()
        })
        .await
        .unwrap();
    let sent = elsewhere().repository().send("m", Read).await.unwrap();
    assert_eq!(sent.version, 9);

    let mut meter = elsewhere().load_or_default::<Meter>("m").await.unwrap();
    assert_eq!((meter.state.watts, meter.state.folded), (9, 4));
    // What is no event's doing stays out of the snapshot.
    meter.state.watts = 1000;
    meter.record(read());
    elsewhere().save(&mut meter).await.unwrap();
    assert_eq!(DB::number(&store, KEPT).await, 10);
    let meter = elsewhere().load::<Meter>("m").await.unwrap().unwrap();
    assert_eq!((meter.state.watts, meter.state.folded), (10, 0));
}

async fn a_snapshot_is_left_by_what_is_committed_alone<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    for (commits, kept) in [(false, 0), (true, 6)] {
        let mut scope = store.begin_transaction().await.unwrap();
        let mut meter = scope.load_or_default::<Meter>("m").await.unwrap();
        assert_eq!(meter.version, 0);
        meter.record_many((0..6).map(|_| read()));
        scope.save(&mut meter).await.unwrap();
        if commits {
            scope.commit().await.unwrap();
        } else {
            scope.rollback().await.unwrap();
        }
        // It is of the state that was saved, a bit beyond the multiple.
        assert_eq!(DB::number(&store, KEPT).await, kept);
    }
    let store = forgetful(&store);
    for locked in [false, true] {
        let mut scope = store.begin_transaction().await.unwrap();
        let meter = if locked {
            scope.load_for_update::<Meter>("m").await.unwrap().unwrap()
        } else {
            scope.load::<Meter>("m").await.unwrap().unwrap()
        };
        assert_eq!((meter.state.watts, meter.state.folded), (6, 0));
        scope.rollback().await.unwrap();
    }
}

/// Its state has no JSON form once it holds something: a map's keys have to be texts.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Odd(std::collections::BTreeMap<(i64, i64), i64>);

impl Aggregate for Odd {
    type Event = AccountEvent;
    type Id = String;

    fn stream_category() -> &'static str {
        "account"
    }

    fn apply(&mut self, _: &AccountEvent) {
        self.0.insert((1, 2), 3);
    }
}

impl Snapshot for Odd {
    const SNAPSHOT_FREQUENCY: i64 = 1;
}

async fn what_has_no_snapshot_form_is_refused_and_the_events_are_saved<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let mut odd = AggregateRoot::<Odd>::new("odd");
    odd.record(deposited(1));
    let error = store.save_snapshot(&odd).await.unwrap_err();
    assert!(error.to_string().contains("save the aggregate first"));
    store.save_snapshotting(&mut odd).await.unwrap();
    assert_eq!((odd.version, odd.has_pending()), (1, false));
    let error = store.save_snapshot(&odd).await.unwrap_err();
    assert!(
        matches!(&error, EventStoreError::Serialization { stream_id, event_type, .. }
            if stream_id == "account-odd" && event_type == "snapshot"),
        "{error:?}"
    );
    // PostgreSQL's jsonb has no place for a NUL, so no backend takes one.
    let mut ann = AggregateRoot::<Account>::new("ann");
    ann.record(deposited(1));
    store.save(&mut ann).await.unwrap();
    ann.state.owner = "a\0b".to_owned();
    let error = store.save_snapshot(&ann).await.unwrap_err();
    assert!(
        matches!(&error, EventStoreError::NulCharacter { stream_id, .. } if stream_id == "account-ann"),
        "{error:?}"
    );
    let rows = "SELECT count(*) FROM mire_snapshots";
    assert_eq!(DB::number(&store, rows).await, 0);
}
