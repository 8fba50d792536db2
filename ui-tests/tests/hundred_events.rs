//! The two programs whose compile time is compared do the same when they run.

/// What the macros write.
#[allow(dead_code, clippy::identity_op)]
mod declared {
    include!(concat!(env!("OUT_DIR"), "/declared.rs"));
}

/// What somebody writes who has no macros.
#[allow(dead_code, clippy::identity_op)]
mod by_hand {
    include!(concat!(env!("OUT_DIR"), "/by_hand.rs"));
}

use std::time::Duration;

use mire::{AggregateRoot, Sqlite};
use tokio_util::sync::CancellationToken;

/// Lets a thing happen with a program's types, and answers what is then stored of it.
macro_rules! stored_by {
    ($program:ident) => {{
        use $program::{Row, Thing, ThingEvent, ThingId};

        let store = mire::open::<Sqlite>("sqlite::memory:").await.unwrap();
        let mut thing = AggregateRoot::<Thing>::new(&ThingId::new());
        let note = || "a note".to_owned();
        let tags = || vec!["red".to_owned(), "blue".to_owned()];
        thing.record(ThingEvent::Happened0 {
            amount: 40,
            note: note(),
            tags: tags(),
        });
        thing.record(ThingEvent::Happened2 {
            amount: 5,
            note: note(),
            tags: tags(),
        });
        store.save(&mut thing).await.unwrap();

        let cancel = CancellationToken::new();
        let running = tokio::spawn(Row::runner(&store).run(cancel.clone()));
        let head = store.safe_head().await.unwrap().position;
        mire::table::wait_for::<Row, Sqlite>(&store, head, Duration::from_secs(60))
            .await
            .unwrap();
        cancel.cancel();
        running.await.unwrap().unwrap();

        let events: Vec<(String, i64, String)> = sqlx::query_as(
            "SELECT event_type, schema_version, data FROM mire_events ORDER BY global_position",
        )
        .fetch_all(store.pool())
        .await
        .unwrap();
        let row: (i64, String) = sqlx::query_as("SELECT sum, note FROM things")
            .fetch_one(store.pool())
            .await
            .unwrap();
        (events, row)
    }};
}

#[tokio::test]
async fn both_store_and_keep_the_same() {
    let declared = stored_by!(declared);
    assert_eq!(declared, stored_by!(by_hand));
    assert_eq!(declared.0.len(), 2);
    assert_eq!(declared.1, (43, "a note".to_owned()));
}
