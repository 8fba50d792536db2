//! SQLite and processes: one that is killed, and two on one file. The test binary starts itself
//! again as the other process.
#![cfg(feature = "sqlite")]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use common::{Account, Dice, deposited};
use mire::{AggregateRoot, EventStore, Sqlite};

/// The URL that the other process works on; unset in the test run itself.
const CHILD_URL: &str = "MIRE_TEST_CHILD_URL";

fn start(test: &str, url: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(CHILD_URL, url)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn say(what: &str) {
    // `println!` goes through the test harness; a line has to be out before the process dies.
    let mut out = std::io::stdout().lock();
    writeln!(out, "{what}").unwrap();
    out.flush().unwrap();
}

fn url_in(folder: &tempfile::TempDir) -> String {
    format!("sqlite:{}/bank.db", folder.path().display())
}

/// Each save writes two events, so that a torn one would show.
async fn save_pair(store: &EventStore<Sqlite>) -> i64 {
    let mut root = store.load_or_default::<Account>("ann").await.unwrap();
    root.record_many([deposited(1), deposited(2)]);
    store.save(&mut root).await.unwrap();
    root.version
}

#[tokio::test]
async fn child_that_saves() {
    let Ok(url) = std::env::var(CHILD_URL) else {
        return;
    };
    let store = mire::open::<Sqlite>(&url).await.unwrap();
    for _ in 0..100 {
        let version = save_pair(&store).await;
        say(&format!("\nsaved {version}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let url = url_in(&folder);
    let mut dice = Dice::new(9);
    let mut killed_in_the_middle = 0;
    let mut before = 0;
    for _ in 0..20 {
        let mut child = start("child_that_saves", &url);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut saves = lines
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix("saved ").and_then(|v| v.parse().ok()));
        let last = saves.by_ref().take(1 + dice.roll(60) as usize).last();
        thread::sleep(Duration::from_micros(dice.roll(3000)));
        child.kill().unwrap();
        // What it said before it died counts, too.
        let acknowledged: i64 = saves.last().or(last).unwrap_or(before);
        child.wait().unwrap();
        killed_in_the_middle += u32::from(acknowledged < before + 200);

        let store = mire::open::<Sqlite>(&url).await.unwrap();
        let root: AggregateRoot<Account> = store.load("ann").await.unwrap().unwrap();
        // One more may have been committed and not yet said.
        assert!(
            root.version == acknowledged || root.version == acknowledged + 2,
            "{} of {acknowledged}",
            root.version
        );
        assert_eq!(root.state.balance, root.version / 2 * 3, "torn");
        let check: String = sqlx::query_scalar("PRAGMA integrity_check")
            .fetch_one(store.pool())
            .await
            .unwrap();
        assert_eq!(check, "ok");
        before = root.version;
        store.pool().close().await;
    }
    assert!(killed_in_the_middle >= 15, "{killed_in_the_middle}");
}

#[tokio::test]
async fn child_that_shares() {
    let Ok(url) = std::env::var(CHILD_URL) else {
        return;
    };
    share(&mire::open::<Sqlite>(&url).await.unwrap()).await;
    say("\nshared");
}

/// 8 tasks, 25 times each, all on one stream.
async fn share(store: &EventStore<Sqlite>) {
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                for _ in 0..25 {
                    loop {
                        let mut root = store.load_or_default::<Account>("all").await.unwrap();
                        root.record(deposited(1));
                        match store.save(&mut root).await {
                            Ok(()) => break,
                            Err(error) => assert!(error.is_conflict(), "{error:?}"),
                        }
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_share_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let url = url_in(&folder);
    // Both open, create and migrate it at once.
    let children: Vec<Child> = (0..3).map(|_| start("child_that_shares", &url)).collect();
    let store = mire::open::<Sqlite>(&url).await.unwrap();
    share(&store).await;
    for child in children {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("\nshared"), "{said}");
    }
    let events = store.read_all_after(0, 2000).await.unwrap();
    let versions: Vec<i64> = events.iter().map(|event| event.stream_version).collect();
    assert_eq!(versions, (1..=800).collect::<Vec<_>>());
    assert!(
        events
            .windows(2)
            .all(|pair| pair[0].global_position < pair[1].global_position)
    );
}
