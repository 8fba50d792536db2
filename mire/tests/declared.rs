//! A declared aggregate on every backend: commands, typed ids and streams, older payloads,
//! renamed events, snapshots.

use crate::common::backends::TestBackend;
use mire::{
    AggregateRoot, CommandError, EventMetadata, EventStore, EventStoreError, ExpectedVersion,
    StreamQuery,
};
use serde_json::{Value, json};

/// The service as it was first deployed.
mod before {
    mire::aggregate!(
        /// A wallet.
        #[aggregate(category = "wallet", id(WalletId), snapshot_every = 2)]
        #[derive(Debug)]
        pub struct Wallet {
            balance: i64,
        }

        #[event]
        fn filled(&mut self, amount: i64) {
            self.balance += amount;
        }

        #[event]
        fn paid(&mut self, amount: i64) {
            self.balance -= amount;
        }
    );
}

/// The same service later: an event renamed, another in a new shape.
mod after {
    use serde_json::{Value, json};

    #[derive(Debug, PartialEq)]
    pub struct Overdrawn {
        pub missing: i64,
    }

    fn spent_v1(payload: Value) -> Result<Value, String> {
        let amount = payload["amount"].as_i64().ok_or("no amount")?;
        Ok(json!({ "lines": [amount] }))
    }

    mire::aggregate!(
        /// A wallet.
        #[aggregate(category = "wallet", id(WalletId), snapshot_every = 2)]
        pub struct Wallet {
            pub balance: i64,
            pub payments: u32,
        }

        #[event(name = "filled")]
        fn topped_up(&mut self, amount: i64) {
            self.balance += amount;
        }

        #[event(name = "paid", version = 2, upcast(spent_v1))]
        fn spent(&mut self, lines: &[i64]) {
            self.balance -= lines.iter().sum::<i64>();
            self.payments += 1;
        }

        #[command]
        pub fn top_up(&self, amount: i64) -> Option<WalletEvent> {
            (amount > 0).then_some(WalletEvent::ToppedUp { amount })
        }

        #[command]
        pub fn spend(&self, lines: &[i64]) -> Result<WalletEvent, Overdrawn> {
            let missing = lines.iter().sum::<i64>() - self.balance;
            if missing > 0 {
                return Err(Overdrawn { missing });
            }
            Ok(WalletEvent::Spent {
                lines: lines.to_vec(),
            })
        }
    );
}

/// A state of types of one's own.
mod shelf {
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
    pub enum Kind {
        #[default]
        Unknown,
        Named(String),
    }

    mire::aggregate!(
        #[aggregate(category = "shelf", snapshot_every = 2)]
        #[derive(Debug, PartialEq)]
        pub struct Shelf {
            pub kind: Kind,
            pub before: Option<Vec<Kind>>,
            /// Says whether the state was folded or read.
            #[serde(skip, default)]
            pub folded: u32,
        }

        #[event]
        fn labelled(&mut self, kind: &Kind) {
            let before = std::mem::replace(&mut self.kind, kind.clone());
            self.before.get_or_insert_default().push(before);
            self.folded += 1;
        }
    );
}

conformance!(
    a_snapshot_holds_types_of_ones_own,
    a_renamed_and_reshaped_event_is_read_from_the_log,
    execute_takes_commands_in_all_their_forms,
);

async fn a_renamed_and_reshaped_event_is_read_from_the_log<DB: TestBackend>() {
    use after::{Wallet, WalletCommands, WalletEvent};
    use before::WalletEvent as Old;

    let (store, _database) = DB::fresh().await;
    let old_id = before::WalletId::new();
    let mut old = AggregateRoot::<before::Wallet>::new(&old_id);
    old.record_many([Old::Filled { amount: 50 }, Old::Paid { amount: 20 }]);
    store.save_snapshotting(&mut old).await.unwrap();

    // The snapshot of the old shape doesn't fit and is left aside.
    let id: after::WalletId = old_id.to_string().parse().unwrap();
    let mut wallet = store.load_snapshotted::<Wallet>(id).await.unwrap().unwrap();
    assert_eq!((wallet.state.balance, wallet.state.payments), (30, 1));

    wallet.spend(&[10, 5]).unwrap();
    wallet.top_up(0);
    assert_eq!(wallet.spend(&[16]), Err(after::Overdrawn { missing: 1 }));
    assert_eq!(
        wallet.pending(),
        [WalletEvent::Spent { lines: vec![10, 5] }]
    );
    store.save(&mut wallet).await.unwrap();

    let stored = store
        .read_stream(&wallet.stream_id, StreamQuery::default())
        .await
        .unwrap();
    let stored: Vec<(&str, u32, &Value)> = stored
        .iter()
        .map(|it| (it.event_type.as_str(), it.schema_version, &it.data))
        .collect();
    assert_eq!(
        stored,
        [
            ("wallet.filled", 1, &json!({ "amount": 50 })),
            ("wallet.paid", 1, &json!({ "amount": 20 })),
            ("wallet.paid", 2, &json!({ "lines": [10, 5] })),
        ]
    );
    // The older program refuses what it can't know, by name and version.
    let error = reload::<before::Wallet, _>(&store, old_id)
        .await
        .unwrap_err();
    let EventStoreError::Deserialization { source, .. } = &error else {
        panic!("{error:?}");
    };
    assert!(source.is::<mire::UnknownSchemaVersion>(), "{source}");
}

async fn a_snapshot_holds_types_of_ones_own<DB: TestBackend>() {
    use shelf::{Kind, Shelf, ShelfEvent};

    let (store, _database) = DB::fresh().await;
    let mut shelf = AggregateRoot::<Shelf>::new("s");
    let kinds = ["poetry", "maps"].map(|name| Kind::Named(name.to_owned()));
    shelf.record_many(kinds.clone().map(|kind| ShelfEvent::Labelled { kind }));
    store.save_snapshotting(&mut shelf).await.unwrap();

    let uncached = EventStore::new(store.pool().clone());
    let read = uncached.load_snapshotted::<Shelf>("s").await.unwrap();
    let [first, second] = kinds;
    assert_eq!(
        read.unwrap().state,
        Shelf {
            kind: second,
            before: Some(vec![Kind::Unknown, first]),
            folded: 0,
        }
    );
}

/// Loads past the cache of `store`, which may hold what was saved before.
async fn reload<A: mire::Aggregate, DB: mire::Backend>(
    store: &EventStore<DB>,
    id: impl mire::AggregateId<A>,
) -> Result<Option<AggregateRoot<A>>, EventStoreError> {
    EventStore::new(store.pool().clone()).load::<A>(id).await
}

async fn execute_takes_commands_in_all_their_forms<DB: TestBackend>() {
    use after::{Wallet, WalletEvent, WalletId};

    let (store, _database) = DB::fresh().await;
    let id = WalletId::new();
    let done = store
        .execute(id, |wallet: &Wallet| wallet.top_up(40))
        .await
        .unwrap();
    assert_eq!(done.version, 1);
    let done = store
        .execute_with(id, EventMetadata::default(), |wallet: &Wallet| {
            wallet.spend(&[15])
        })
        .await
        .unwrap();
    assert_eq!(done.version, 2);
    let refused = store
        .execute(id, |wallet: &Wallet| wallet.spend(&[26]))
        .await
        .unwrap_err();
    let CommandError::Rejected(refusal) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(refusal, after::Overdrawn { missing: 1 });

    let stream = Wallet::stream(&id).unwrap();
    let event = mire::Event::new(WalletEvent::ToppedUp { amount: 5 });
    let appended = store
        .append_to(&stream, ExpectedVersion::Exact(2), &[event])
        .await
        .unwrap();
    assert_eq!(appended.version, 3);
    let wallet = store.load::<Wallet>(&id).await.unwrap().unwrap();
    assert_eq!((wallet.state.balance, wallet.version), (30, 3));
}

/// An event in its third shape. Each step needs what the one before it wrote.
mod reshaped_twice {
    use serde_json::{Value, json};

    fn sent_v1(payload: Value) -> Result<Value, String> {
        let to = payload["to"].as_str().ok_or("version 1 has `to`")?;
        Ok(json!({ "receiver": to }))
    }

    fn sent_v2(payload: Value) -> Result<Value, String> {
        let receiver = &payload["receiver"];
        let receiver = receiver.as_str().ok_or("version 2 has `receiver`")?;
        Ok(json!({ "receivers": [receiver] }))
    }

    mire::aggregate!(
        /// A letter.
        #[aggregate(category = "letter")]
        pub struct Letter {
            receivers: Vec<String>,
        }

        #[event(version = 3, upcast(sent_v1, sent_v2))]
        fn sent(&mut self, receivers: &[String]) {
            self.receivers = receivers.to_vec();
        }
    );
}

#[test]
fn an_old_payload_takes_each_upcast_once_and_the_oldest_first() {
    use mire::{EventData, StoredEvent};
    use reshaped_twice::LetterEvent;

    let read = |schema_version, data: &str| {
        LetterEvent::decode(&StoredEvent {
            event_type: "letter.sent",
            schema_version,
            data: data.as_bytes(),
        })
    };
    let sent = LetterEvent::Sent {
        receivers: vec!["Ann".to_owned()],
    };
    for (version, data) in [
        (1, r#"{"to":"Ann"}"#),
        (2, r#"{"receiver":"Ann"}"#),
        (3, r#"{"receivers":["Ann"]}"#),
    ] {
        assert_eq!(read(version, data).unwrap(), sent, "version {version}");
    }
    let error = read(1, r#"{"receiver":"Ann"}"#).unwrap_err().to_string();
    assert!(error.contains("version 1 has `to`"), "{error}");
    let error = read(4, r#"{"receivers":[]}"#).unwrap_err().to_string();
    assert!(error.contains("reads up to version 3"), "{error}");
}
