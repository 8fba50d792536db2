//! A proxy between a store and the server, which loses answers and can be shut.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use mire::EventStore;
use mire_testkit::TestDatabase;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::projections::CREATE_SEEN;

/// Stands between a store and the server, and cuts connections when it is told to.
pub struct Proxy {
    port: u16,
    pub plan: Arc<Plan>,
}

#[derive(Default)]
pub struct Plan {
    /// How many of the next messages that have `word` in them get no answer.
    pub cuts: AtomicUsize,
    word: std::sync::Mutex<&'static str>,
    /// The connection is cut at once, and not when the server has answered.
    at_once: AtomicBool,
    /// Nobody gets through.
    shut: watch::Sender<bool>,
    /// What those said first who wanted to get through meanwhile.
    turned_away: std::sync::Mutex<Vec<Vec<u8>>>,
}

impl Plan {
    /// Hears the first message of a connection, and drops it.
    async fn turn_away(&self, mut client: TcpStream) -> std::io::Result<()> {
        let mut first = vec![0; 4096];
        let bytes = client.read(&mut first).await?;
        first.truncate(bytes);
        self.turned_away.lock().unwrap().push(first);
        Ok(())
    }

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
                if *plans.shut.borrow() {
                    // Its end is all that matters.
                    let _ = plans.turn_away(client).await;
                    continue;
                }
                let Ok(server) = TcpStream::connect((host.as_str(), port)).await else {
                    continue;
                };
                tokio::spawn(carry(client, server, Arc::clone(&plans)));
            }
        });
        Self { port: own, plan }
    }

    /// Ends all connections and lets none through until [`open`](Self::open).
    pub fn shut(&self) {
        self.plan.shut.send_replace(true);
    }

    pub fn open(&self) {
        self.plan.shut.send_replace(false);
    }

    /// How many connections were turned away that had this word in their first message.
    pub fn turned_away(&self, word: &str) -> usize {
        let word = word.as_bytes();
        let all = self.plan.turned_away.lock().unwrap();
        let found = |first: &&Vec<u8>| first.windows(word.len()).any(|part| part == word);
        all.iter().filter(found).count()
    }

    /// The answers to the next `cuts` messages with this word are lost.
    pub fn lose(&self, cuts: usize, word: &'static str, at_once: bool) {
        *self.plan.word.lock().unwrap() = word;
        self.plan.at_once.store(at_once, Ordering::SeqCst);
        self.plan.cuts.store(cuts, Ordering::SeqCst);
    }

    pub fn all_lost(&self) -> bool {
        self.plan.cuts.load(Ordering::SeqCst) == 0
    }
}

/// Carries bytes both ways until one side ends, or the plan says so. Any error ends it, too.
async fn carry(client: TcpStream, server: TcpStream, plan: Arc<Plan>) -> std::io::Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let (mut asked, mut answered) = (vec![0; 65536], vec![0; 65536]);
    let mut shut = plan.shut.subscribe();
    loop {
        tokio::select! {
            () = async { drop(shut.wait_for(|shut| *shut).await) } => return Ok(()),
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
pub async fn set_up() -> (EventStore, EventStore, Proxy, TestDatabase) {
    let (direct, database) = super::store().await;
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
