//! Commits that went through and whose answer was lost: nothing is lost, and nothing is doubled.
#![cfg(feature = "postgres")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::projections::{CREATE_SEEN, Writer, append, caught_up, fast, seen, start, stop};
use common::{Account, deposited};
use mire::{AggregateRoot, Append, Event, EventStore, ExpectedVersion};
use mire_testkit::TestDatabase;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Stands between a store and the server, and cuts connections when it is told to.
struct Proxy {
    port: u16,
    plan: Arc<Plan>,
}

#[derive(Default)]
struct Plan {
    /// How many of the next messages that have `word` in them get no answer.
    cuts: AtomicUsize,
    word: std::sync::Mutex<&'static str>,
    /// The connection is cut at once, and not when the server has answered.
    at_once: std::sync::atomic::AtomicBool,
}

impl Plan {
    fn takes(&self, message: &[u8]) -> bool {
        if self.cuts.load(Ordering::SeqCst) == 0 {
            return false;
        }
        let word = self.word.lock().unwrap().as_bytes();
        let found = message.windows(word.len()).any(|part| part == word);
        let left = |left: usize| left.checked_sub(1);
        found
            && self
                .cuts
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, left)
                .is_ok()
    }
}

impl Proxy {
    async fn start(host: String, port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let plan = Arc::new(Plan::default());
        let plans = Arc::clone(&plan);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect((host.as_str(), port)).await else {
                    continue;
                };
                tokio::spawn(carry(client, server, Arc::clone(&plans)));
            }
        });
        Self { port: own, plan }
    }

    /// The answers to the next `cuts` messages with this word are lost.
    fn lose(&self, cuts: usize, word: &'static str, at_once: bool) {
        *self.plan.word.lock().unwrap() = word;
        self.plan.at_once.store(at_once, Ordering::SeqCst);
        self.plan.cuts.store(cuts, Ordering::SeqCst);
    }

    fn all_lost(&self) -> bool {
        self.plan.cuts.load(Ordering::SeqCst) == 0
    }
}

/// Carries bytes both ways until one side ends, or the plan says so. Any error ends it, too.
async fn carry(client: TcpStream, server: TcpStream, plan: Arc<Plan>) -> std::io::Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let (mut asked, mut answered) = (vec![0; 65536], vec![0; 65536]);
    loop {
        tokio::select! {
            bytes = from_client.read(&mut asked) => {
                let bytes = bytes?;
                if bytes == 0 {
                    return Ok(());
                }
                let cut = plan.takes(&asked[..bytes]);
                to_server.write_all(&asked[..bytes]).await?;
                if cut {
                    if !plan.at_once.load(Ordering::SeqCst) {
                        // The server has done it, and nobody hears of it.
                        let bytes = from_server.read(&mut answered).await?;
                        assert!(bytes > 0);
                    }
                    // The server is not told that the client is gone before it has done it.
                    to_client.shutdown().await?;
                    drop((to_client, from_client));
                    tokio::time::sleep(Duration::from_secs(5)).await;
                    return Ok(());
                }
            }
            bytes = from_server.read(&mut answered) => {
                let bytes = bytes?;
                if bytes == 0 {
                    return Ok(());
                }
                to_client.write_all(&answered[..bytes]).await?;
            }
        }
    }
}

/// A store behind a proxy, and one that is not, on the same database.
async fn set_up() -> (EventStore, EventStore, Proxy, TestDatabase) {
    let (direct, database) = common::store().await;
    sqlx::raw_sql(CREATE_SEEN)
        .execute(direct.pool())
        .await
        .unwrap();
    let options: PgConnectOptions = database.url().parse().unwrap();
    let proxy = Proxy::start(options.get_host().to_owned(), options.get_port()).await;
    let pool = PgPoolOptions::new()
        .max_connections(8)
        .connect_with(options.host("127.0.0.1").port(proxy.port))
        .await
        .unwrap();
    (EventStore::new(pool), direct, proxy, database)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_with_a_key_is_written_once_when_its_answer_was_lost() {
    let (store, direct, proxy, _database) = set_up().await;
    append(&store, "account-warm", [1]).await;
    for n in 0..5 {
        let word = "the-money";
        let again = || {
            Append::new("account-ann", ExpectedVersion::Exact(n))
                .unwrap()
                .idempotency_key(format!("{n}"))
                .event(&Event::new(common::AccountEvent::Opened {
                    owner: word.into(),
                }))
                .unwrap()
        };
        let at_once = n % 2 == 1;
        proxy.lose(1, word, at_once);
        let error = store.append_all([again()]).await.unwrap_err();
        assert!(error.is_retryable(), "{error:?}");
        assert!(proxy.all_lost());
        // Cut at once, the first may still be at work, and even come second.
        let appended = store.append_all([again()]).await.unwrap()[0];
        assert_eq!(appended.version, n + 1);
        assert!(appended.repeated || at_once);
    }
    let events = direct.read_stream_all("account-ann", 0).await.unwrap();
    assert_eq!(events.len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_save_whose_answer_was_lost_keeps_its_events_and_cannot_be_written_twice() {
    let (store, direct, proxy, _database) = set_up().await;
    let mut root = AggregateRoot::<Account>::new("ann");
    root.record(common::AccountEvent::Opened {
        owner: "the-money".into(),
    });
    root.record(deposited(5));
    proxy.lose(1, "the-money", false);
    let error = store.save(&mut root).await.unwrap_err();
    assert!(error.is_retryable() && !error.is_conflict(), "{error:?}");
    assert_eq!((root.version, root.pending_count()), (0, 2));
    let error = store.save(&mut root).await.unwrap_err();
    assert!(error.is_conflict(), "{error:?}");
    let events = direct.read_stream_all("account-ann", 0).await.unwrap();
    assert_eq!(events.len(), 2);
    // Decided anew, on what is there.
    let done = store
        .execute("ann", |account: &Account| match account.balance {
            5 => Ok(deposited(1)),
            _ => Err("lost"),
        })
        .await;
    assert_eq!(done.unwrap().version, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_projection_whose_commits_get_no_answer_has_each_effect_once() {
    for slow in [false, true] {
        let (store, direct, proxy, _database) = set_up().await;
        if slow {
            // The commit is still under way when the leader looks where it is.
            sqlx::raw_sql(
                "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS
                     $$ BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END $$;
                 CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT ON seen
                     DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
                     WHEN (NEW.version % 10 = 5) EXECUTE FUNCTION dawdle()",
            )
            .execute(direct.pool())
            .await
            .unwrap();
        }
        let running = start(fast(&store, "a").subscribe_transactional("s", Writer::new()));
        append(&direct, "account-ann", [1]).await;
        caught_up(&direct).await;
        for round in 0..4 {
            // Some of them are those of heartbeats and leases.
            proxy.lose(2, "COMMIT\0", slow);
            append(&direct, "account-ann", (0..10).map(|n| round * 10 + n)).await;
            caught_up(&direct).await;
            assert!(proxy.plan.cuts.load(Ordering::SeqCst) < 2, "none was lost");
        }
        stop(running).await;
        let versions: Vec<i64> = seen(&direct).await.into_iter().map(|(_, v)| v).collect();
        assert_eq!(versions, (1..=41).collect::<Vec<_>>());
    }
}
