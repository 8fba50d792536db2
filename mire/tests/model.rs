//! Random interleavings of what a store can be asked to do, against a model in memory.

use std::collections::{BTreeMap, HashMap};

use crate::common::backends::TestBackend;
use crate::common::projections::{
    CREATE_SEEN, Running, Writer, caught_up, fast, seen, start, stop,
};
use crate::common::{Account, AccountEvent, deposited};
use mire::{
    AggregateRoot, Append, Event, EventStore, EventStoreError, ExpectedVersion, ReadDirection,
    RecordedEvent, StoreOptions, StreamQuery,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

conformance!(the_store_does_what_the_model_does);

/// Streams are told apart by a number, and there are few, so that they are met again.
const STREAMS: usize = 4;

#[derive(Debug, Clone)]
enum Op {
    /// Relative to the stream's version: 0 is right, anything else is not. `None`: any.
    Append {
        stream: usize,
        expected: Option<i64>,
        amounts: Vec<i64>,
        key: Option<u8>,
    },
    /// To two streams, which expect this.
    AppendBoth {
        streams: (usize, usize),
        expected: (Option<i64>, Option<i64>),
        amount: i64,
    },
    /// Load, record, save; a snapshot when it is due.
    Save {
        stream: usize,
        amounts: Vec<i64>,
        snapshotting: bool,
    },
    /// Load and keep, for a save that comes later and may be too late.
    Hold {
        stream: usize,
    },
    SaveHeld {
        stream: usize,
        amount: i64,
    },
    /// A withdrawal that is refused when the balance doesn't cover it.
    Withdraw {
        stream: usize,
        amount: i64,
    },
    Load {
        stream: usize,
        snapshotted: bool,
    },
    Snapshot {
        stream: usize,
    },
    Scope {
        streams: Vec<usize>,
        commit: bool,
    },
    /// So many deposits of 1 to these streams at the same time.
    Race {
        streams: Vec<usize>,
    },
    ReadStream {
        stream: usize,
        backward: bool,
        from: i64,
        limit: i64,
    },
    ReadLog {
        after: usize,
        limit: i64,
    },
    /// The projection catches up; before that, its runner may be replaced.
    Project {
        restart: bool,
    },
    /// The projection starts over from there.
    Reset {
        after: usize,
    },
    /// A new process: nothing is cached.
    Forget,
}

fn op() -> impl Strategy<Value = Op> {
    let stream = || 0..STREAMS;
    let amounts = || vec(1_i64..100, 1..4);
    let expected =
        || prop_oneof![2 => Just(Some(0)), 1 => Just(None), 1 => (-2_i64..3).prop_map(Some)];
    prop_oneof![
        4 => (stream(), expected(), amounts(), proptest::option::weighted(0.3, 0_u8..3)).prop_map(
            |(stream, expected, amounts, key)| Op::Append { stream, expected, amounts, key }
        ),
        2 => ((stream(), stream()), (expected(), expected()), 1_i64..100).prop_map(
            |(streams, expected, amount)| Op::AppendBoth { streams, expected, amount }
        ),
        4 => (stream(), amounts(), any::<bool>()).prop_map(
            |(stream, amounts, snapshotting)| Op::Save { stream, amounts, snapshotting }
        ),
        2 => stream().prop_map(|stream| Op::Hold { stream }),
        2 => (stream(), 1_i64..100).prop_map(|(stream, amount)| Op::SaveHeld { stream, amount }),
        3 => (stream(), 1_i64..100).prop_map(|(stream, amount)| Op::Withdraw { stream, amount }),
        4 => (stream(), any::<bool>()).prop_map(
            |(stream, snapshotted)| Op::Load { stream, snapshotted }
        ),
        2 => stream().prop_map(|stream| Op::Snapshot { stream }),
        2 => (vec(stream(), 1..4), any::<bool>()).prop_map(
            |(streams, commit)| Op::Scope { streams, commit }
        ),
        2 => vec(stream(), 2..12).prop_map(|streams| Op::Race { streams }),
        2 => (stream(), any::<bool>(), 0_i64..9, 1_i64..6).prop_map(
            |(stream, backward, from, limit)| Op::ReadStream { stream, backward, from, limit }
        ),
        2 => (0_usize..20, 1_i64..8).prop_map(|(after, limit)| Op::ReadLog { after, limit }),
        2 => any::<bool>().prop_map(|restart| Op::Project { restart }),
        1 => (0_usize..20).prop_map(|after| Op::Reset { after }),
        1 => Just(Op::Forget),
    ]
}

fn id(stream: usize) -> String {
    format!("model-{stream}")
}

fn name(stream: usize) -> String {
    format!("account-{}", id(stream))
}

/// What the log should hold.
#[derive(Default)]
struct Model {
    streams: [Vec<AccountEvent>; STREAMS],
    /// What each key did: the version afterwards.
    keys: HashMap<(usize, u8), i64>,
}

impl Model {
    fn version(&self, stream: usize) -> i64 {
        self.streams[stream].len() as i64
    }

    fn balance(&self, stream: usize) -> i64 {
        self.streams[stream]
            .iter()
            .map(|event| match event {
                AccountEvent::Deposited { amount } => *amount,
                AccountEvent::Withdrawn { amount } => -amount,
                AccountEvent::Opened { .. } => 0,
            })
            .sum()
    }

    /// What to expect, and whether that is so.
    fn expectation(&self, stream: usize, relative: Option<i64>) -> (ExpectedVersion, bool) {
        let Some(relative) = relative else {
            return (ExpectedVersion::Any, true);
        };
        let version = (self.version(stream) + relative).max(0);
        let expected = if version == 0 && relative % 2 == 0 {
            ExpectedVersion::NoStream
        } else {
            ExpectedVersion::Exact(version)
        };
        (expected, version == self.version(stream))
    }

    fn deposit(&mut self, stream: usize, amounts: &[i64]) {
        self.streams[stream].extend(amounts.iter().map(|amount| deposited(*amount)));
    }
}

struct World<DB: TestBackend> {
    store: EventStore<DB>,
    model: Model,
    held: BTreeMap<usize, AggregateRoot<Account>>,
    running: Option<Running>,
    workers: u32,
}

fn assert_conflict<T: std::fmt::Debug>(
    model: &Model,
    stream: usize,
    result: Result<T, EventStoreError>,
) {
    match result {
        Err(EventStoreError::ConcurrencyConflict {
            stream_id, actual, ..
        }) => {
            assert_eq!((stream_id, actual), (name(stream), model.version(stream)));
        }
        other => panic!("a conflict was due: {other:?}"),
    }
}

fn events(amounts: &[i64]) -> Vec<Event<AccountEvent>> {
    amounts.iter().map(|n| Event::new(deposited(*n))).collect()
}

fn append_of(stream: usize, expected: ExpectedVersion, amounts: &[i64]) -> Append {
    let empty = Append::new(&name(stream), expected).unwrap();
    events(amounts)
        .iter()
        .fold(empty, |append, event| append.event(event).unwrap())
}

impl<DB: TestBackend> World<DB> {
    fn start_runner(&mut self) {
        self.workers += 1;
        let worker = format!("worker-{}", self.workers);
        self.running = Some(start(
            fast(&self.store, &worker)
                .batch_size(3)
                .subscribe_transactional("s", Writer::new()),
        ));
    }

    async fn apply(&mut self, op: Op) {
        let store = self.store.clone();
        let model = &mut self.model;
        match op {
            Op::Append {
                stream,
                expected,
                amounts,
                key,
            } => {
                let (expected, fits) = model.expectation(stream, expected);
                let mut append = append_of(stream, expected, &amounts);
                if let Some(key) = key {
                    append = append.idempotency_key(key.to_string());
                }
                let known = key.and_then(|key| model.keys.get(&(stream, key)).copied());
                let result = store.append_all([append]).await;
                if let Some(version) = known {
                    let appended = result.unwrap()[0];
                    assert_eq!((appended.version, appended.repeated), (version, true));
                } else if fits {
                    model.deposit(stream, &amounts);
                    let appended = result.unwrap()[0];
                    assert_eq!(
                        (appended.version, appended.repeated),
                        (model.version(stream), false)
                    );
                    if let Some(key) = key {
                        model.keys.insert((stream, key), appended.version);
                    }
                } else {
                    assert_conflict(model, stream, result);
                }
            }
            Op::AppendBoth {
                streams: (a, b),
                expected,
                amount,
            } => {
                let (expected_a, fits_a) = model.expectation(a, expected.0);
                let (expected_b, fits_b) = model.expectation(b, expected.1);
                let both = [
                    append_of(a, expected_a, &[amount]),
                    append_of(b, expected_b, &[amount]),
                ];
                let result = store.append_all(both).await;
                if a == b {
                    assert!(
                        matches!(result, Err(EventStoreError::InvalidArgument { .. })),
                        "{result:?}"
                    );
                } else if fits_a && fits_b {
                    model.deposit(a, &[amount]);
                    model.deposit(b, &[amount]);
                    let versions: Vec<i64> = result.unwrap().iter().map(|a| a.version).collect();
                    assert_eq!(versions, [model.version(a), model.version(b)]);
                } else {
                    assert_conflict(model, if fits_a { b } else { a }, result);
                }
            }
            Op::Save {
                stream,
                amounts,
                snapshotting,
            } => {
                let mut root = store.load_or_default::<Account>(id(stream)).await.unwrap();
                root.record_many(amounts.iter().map(|amount| deposited(*amount)));
                if snapshotting {
                    store.save_snapshotting(&mut root).await.unwrap();
                } else {
                    store.save(&mut root).await.unwrap();
                }
                model.deposit(stream, &amounts);
                assert_eq!(root.version, model.version(stream));
                assert_eq!(root.state.balance, model.balance(stream));
            }
            Op::Hold { stream } => {
                let root = store.load_or_default::<Account>(id(stream)).await.unwrap();
                self.held.insert(stream, root);
            }
            Op::SaveHeld { stream, amount } => {
                let Some(root) = self.held.get_mut(&stream) else {
                    return;
                };
                root.record(deposited(amount));
                let pending = root.pending_count();
                let fits = root.version == model.version(stream);
                let result = store.save(root).await;
                if fits {
                    result.unwrap();
                    // Earlier ones may have waited in it.
                    let written: Vec<i64> = {
                        let all = store.read_stream_all(&name(stream), 0).await.unwrap();
                        let new = all.iter().skip(model.version(stream) as usize);
                        new.map(|event| event.data["amount"].as_i64().unwrap())
                            .collect()
                    };
                    assert_eq!(written.len(), pending);
                    assert_eq!(written.last(), Some(&amount));
                    model.deposit(stream, &written);
                    assert_eq!(
                        (root.version, root.has_pending()),
                        (model.version(stream), false)
                    );
                } else {
                    assert_conflict(model, stream, result);
                    assert_eq!(root.pending_count(), pending, "they stay in place");
                }
            }
            Op::Withdraw { stream, amount } => {
                let result = store
                    .execute(id(stream), |account: &Account| {
                        if account.balance < amount {
                            return Err(account.balance);
                        }
                        Ok(AccountEvent::Withdrawn { amount })
                    })
                    .await;
                if model.balance(stream) < amount {
                    let balance = result.unwrap_err().rejected();
                    assert_eq!(balance, Some(model.balance(stream)));
                } else {
                    model.streams[stream].push(AccountEvent::Withdrawn { amount });
                    assert_eq!(result.unwrap().version, model.version(stream));
                }
            }
            Op::Load {
                stream,
                snapshotted,
            } => {
                let root = if snapshotted {
                    store.load_snapshotted::<Account>(id(stream)).await.unwrap()
                } else {
                    store.load::<Account>(id(stream)).await.unwrap()
                };
                let loaded = root.map(|root| (root.version, root.state.balance));
                let version = model.version(stream);
                let there = (version > 0).then(|| (version, model.balance(stream)));
                assert_eq!(loaded, there);
            }
            Op::Snapshot { stream } => {
                let root = store.load_or_default::<Account>(id(stream)).await.unwrap();
                store.save_snapshot(&root).await.unwrap();
            }
            Op::Scope { streams, commit } => {
                let mut scope = store.begin_transaction().await.unwrap();
                let mut after = model.streams.clone();
                for stream in streams {
                    let mut root = scope
                        .load_or_default_for_update::<Account>(id(stream))
                        .await
                        .unwrap();
                    assert_eq!(root.version, after[stream].len() as i64);
                    root.record_many([deposited(1), deposited(2)]);
                    scope.save(&mut root).await.unwrap();
                    after[stream].extend([deposited(1), deposited(2)]);
                }
                if commit {
                    let committed = scope.commit().await.unwrap();
                    let before: usize = model.streams.iter().map(Vec::len).sum();
                    let now: usize = after.iter().map(Vec::len).sum();
                    assert_eq!(committed.len(), now - before);
                    model.streams = after;
                } else {
                    scope.rollback().await.unwrap();
                }
            }
            Op::Race { streams } => {
                let tasks: Vec<_> = streams
                    .iter()
                    .map(|stream| {
                        let (store, id) = (store.clone(), id(*stream));
                        tokio::spawn(async move {
                            let deposit = |_: &Account| Ok::<_, String>(deposited(1));
                            store.execute(id, deposit).await.map(|done| done.version)
                        })
                    })
                    .collect();
                for (stream, task) in streams.into_iter().zip(tasks) {
                    let version = task.await.unwrap().unwrap();
                    model.deposit(stream, &[1]);
                    assert!(version > 0);
                }
            }
            Op::ReadStream {
                stream,
                backward,
                from,
                limit,
            } => {
                let query = StreamQuery {
                    direction: if backward {
                        ReadDirection::Backward
                    } else {
                        ReadDirection::Forward
                    },
                    from_version: from,
                    limit,
                };
                let read = store.read_stream(&name(stream), query).await.unwrap();
                let versions: Vec<i64> = read.iter().map(|event| event.stream_version).collect();
                let last = model.version(stream);
                let all: Vec<i64> = if backward {
                    let first = if from == 0 { last } else { from.min(last) };
                    (1..=first).rev().collect()
                } else {
                    (from.max(1)..=last).collect()
                };
                let some: Vec<i64> = all.into_iter().take(limit as usize).collect();
                assert_eq!(versions, some);
                for event in read {
                    assert_recorded(model, stream, &event);
                }
            }
            Op::ReadLog { after, limit } => {
                let log = store.read_all_after(0, 10_000).await.unwrap();
                let position = after
                    .checked_sub(1)
                    .and_then(|index| log.get(index))
                    .map_or(0, |event| event.global_position);
                let page = store.read_all_after(position, limit).await.unwrap();
                let rest = log
                    .into_iter()
                    .filter(|event| event.global_position > position);
                assert_eq!(page, rest.take(limit as usize).collect::<Vec<_>>());
            }
            Op::Project { restart } => {
                if restart && let Some(running) = self.running.take() {
                    stop(running).await;
                    self.start_runner();
                }
                caught_up(&store).await;
                self.assert_projected().await;
            }
            Op::Reset { after } => {
                caught_up(&store).await;
                let log = store.read_all_after(0, 10_000).await.unwrap();
                let Some(from) = log.get(after) else {
                    return;
                };
                // The rows go with the checkpoint, as somebody who rebuilds a table does it.
                if let Some(running) = self.running.take() {
                    stop(running).await;
                }
                let position = from.global_position - 1;
                store.reset_checkpoint("s", position).await.unwrap();
                let mut conn = store.pool().acquire().await.unwrap();
                DB::run(
                    &mut conn,
                    "DELETE FROM seen
                      WHERE position > (SELECT position FROM mire_checkpoints)",
                )
                .await;
                drop(conn);
                self.start_runner();
            }
            Op::Forget => {
                self.store =
                    EventStore::with_options(store.pool().clone(), StoreOptions::default());
            }
        }
    }

    /// The projection saw the whole log, each event once and in order.
    async fn assert_projected(&self) {
        let log = self.store.read_all_after(0, 10_000).await.unwrap();
        let log: Vec<(String, i64)> = log
            .into_iter()
            .map(|event| (event.stream_id, event.stream_version))
            .collect();
        assert_eq!(seen(&self.store).await, log);
    }

    /// The log is what the model has: every stream whole, and in order within the log.
    async fn assert_whole(&self) {
        let log = self.store.read_category_after("account", 0, 10_000).await;
        let log = log.unwrap();
        assert_eq!(self.store.read_all_after(0, 10_000).await.unwrap(), log);
        let all: usize = self.model.streams.iter().map(Vec::len).sum();
        assert_eq!(log.len(), all);
        let mut last = [0; STREAMS];
        let mut position = 0;
        for event in &log {
            assert!(event.global_position > position);
            position = event.global_position;
            let stream = (0..STREAMS).find(|n| name(*n) == event.stream_id).unwrap();
            last[stream] += 1;
            assert_eq!(event.stream_version, last[stream]);
            assert_recorded(&self.model, stream, event);
        }
        for stream in 0..STREAMS {
            let version = self.model.version(stream);
            let exists = self.store.stream_exists::<Account>(id(stream)).await;
            assert_eq!(exists.unwrap(), version > 0);
        }
    }
}

fn assert_recorded(model: &Model, stream: usize, event: &RecordedEvent) {
    let index = usize::try_from(event.stream_version).unwrap() - 1;
    let due = serde_json::to_value(&model.streams[stream][index]).unwrap();
    let (_, payload) = due.as_object().unwrap().iter().next().unwrap();
    assert_eq!(&event.data, payload, "{event:?}");
}

async fn play<DB: TestBackend>(ops: Vec<Op>) {
    let (store, _database) = DB::fresh().await;
    DB::run(&mut *store.pool().acquire().await.unwrap(), CREATE_SEEN).await;
    let mut world = World {
        store,
        model: Model::default(),
        held: BTreeMap::new(),
        running: None,
        workers: 0,
    };
    world.start_runner();
    for op in ops {
        world.apply(op).await;
    }
    world.assert_whole().await;
    caught_up(&world.store).await;
    world.assert_projected().await;
    if let Some(running) = world.running.take() {
        stop(running).await;
    }
}

async fn the_store_does_what_the_model_does<DB: TestBackend>() {
    // `PROPTEST_CASES` asks for more.
    let mut config = Config::default();
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 24;
    }
    config.failure_persistence = None;
    config.max_shrink_iters = 200;
    let mut runner = TestRunner::new(config);
    let runtime = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| {
        runner
            .run(&vec(op(), 1..60), |ops| {
                runtime.block_on(play::<DB>(ops));
                Ok(())
            })
            .unwrap_or_else(|error| panic!("{error}"));
    });
}
