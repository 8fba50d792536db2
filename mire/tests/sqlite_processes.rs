//! SQLite and processes: one that is killed, and two on one file. The test binary starts itself
//! again as the other process.
#![cfg(feature = "sqlite")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::common::process;
use crate::common::{Account, Dice, deposited};
use mire::{AggregateRoot, EventStore, Sqlite};

/// The URL that the other process works on; unset in the test run itself.
const CHILD_URL: &str = "MIRE_TEST_CHILD_URL";

fn start(test: &str, url: &str) -> Child {
    process::again(module_path!(), test)
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
                            Ok(_) => break,
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

#[tokio::test]
async fn child_that_opens_and_saves() {
    let Ok(url) = std::env::var(CHILD_URL) else {
        return;
    };
    let opened = mire::open::<Sqlite>(&url).await;
    let saved = match &opened {
        Ok(store) => {
            let mut root = store.load_or_default::<Account>("ann").await.unwrap();
            root.record(deposited(1));
            store.save(&mut root).await.map(drop)
        }
        Err(_) => Ok(()),
    };
    match opened.map(drop).and(saved) {
        Ok(()) => say("\nsaved"),
        Err(error) => say(&format!(
            "\n{} {error}",
            matches!(error, mire::EventStoreError::File { .. })
        )),
    }
}

/// Opens a store as somebody whom permissions bind, who need not be able to read where we were
/// built.
#[cfg(unix)]
fn open_as_nobody(url: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;

    const NOBODY: u32 = 65534;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let program = folder.path().join("test");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = Command::new(&program);
    command
        .args(process::to_run(
            module_path!(),
            "child_that_opens_and_saves",
        ))
        .current_dir("/")
        .env(CHILD_URL, url);
    let id = Command::new("id").arg("-u").output().unwrap();
    if id.stdout.trim_ascii() == b"0" {
        command.uid(NOBODY).gid(NOBODY);
    }
    let output = command.output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[cfg(unix)]
#[tokio::test]
async fn a_folder_and_a_file_that_are_read_only_are_named() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let allow = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    };
    let (url, file) = (url_in(&folder), folder.path().join("bank.db"));

    // Nothing there yet, and no right to create it.
    allow(folder.path(), 0o555);
    let said = open_as_nobody(&url);
    assert!(said.contains("\ntrue `"), "{said}");
    assert!(said.contains("bank.db"), "{said}");
    allow(folder.path(), 0o755);

    let store = mire::open::<Sqlite>(&url).await.unwrap();
    save_pair(&store).await;
    store.pool().close().await;
    // As it should be.
    allow(folder.path(), 0o777);
    allow(&file, 0o666);
    let said = open_as_nobody(&url);
    assert!(said.contains("\nsaved"), "{said}");
    for (folder_mode, file_mode) in [(0o555, 0o666), (0o777, 0o444), (0o555, 0o444)] {
        // Nothing may lie beside the file from before: the last to close it takes that away.
        allow(folder.path(), 0o777);
        allow(&file, 0o666);
        let store = mire::open::<Sqlite>(&url).await.unwrap();
        store.pool().close().await;
        allow(folder.path(), folder_mode);
        allow(&file, file_mode);
        let said = open_as_nobody(&url);
        assert!(said.contains("\ntrue `"), "{folder_mode:o} {said}");
        assert!(said.contains("bank.db"), "{said}");
    }
    allow(folder.path(), 0o777);
    allow(&file, 0o666);
    let store = mire::open::<Sqlite>(&url).await.unwrap();
    assert_eq!(store.read_all_after(0, 10).await.unwrap().len(), 3);
}
