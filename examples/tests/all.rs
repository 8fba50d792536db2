//! Runs every example on both databases, and holds its output against what it is to show.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use mire_testkit::test_database;

/// What an example prints, line by line; `…` stands for what differs from run to run.
const EXAMPLES: &[(&str, &str)] = &[
    (
        "bank_account",
        r#"
refused: the balance is 20, which does not cover 30
1 account.opened {"owner":"Ann"}
2 account.deposited {"amount":50}
3 account.withdrawn {"amount":30}
Ann has 20
"#,
    ),
    (
        "batched_write",
        "
1000 rows in 4 statements
",
    ),
    (
        "commands",
        "
reserved, version 1
reserved, version 1
refused: the seat is reserved for Ann
released, version 2
refused: the seat is free
",
    ),
    (
        "concurrency",
        "
account-…: expected version 2, found 3
1 event still waits to be saved
after eight at once: 19
",
    ),
    (
        "multi_replica",
        "
… leads with fence token 1
… handles version 1
… handles version 2
… handles version 3
… handles version 4
… handles version 5
… leaves
… leads with fence token 2
… handles version 6
… handles version 7
… handles version 8
… handles version 9
… handles version 10
10 events, 10 deliveries
",
    ),
    (
        "projection",
        "
the bank: welcome, Ann, since version 1
the bank: welcome, Bob, since version 1
the bank: welcome, Cleo, since version 1
Bob has 30
Cleo has 70
",
    ),
    (
        "snapshot",
        "
250 readings, at most 499 W; of 250 events, 50 were folded
",
    ),
    (
        "transaction_scope",
        "
moved 30 in 2 events
not moved: the balance is 20, which does not cover 30
Ann has 20
Bob has 80
",
    ),
];

/// The folder that cargo builds the examples into, beside that of this test.
fn folder() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().parent().unwrap().join("examples")
}

fn run(example: &str, url: Option<&str>) -> String {
    let program = folder().join(example);
    assert!(
        program.exists(),
        "`{}` is not built: run `cargo test -p mire-examples`, or `cargo build --examples` first",
        program.display()
    );
    let mut command = Command::new(program);
    match url {
        Some(url) => command.env("DATABASE_URL", url),
        None => command.env_remove("DATABASE_URL"),
    };
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{example}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn assert_shows(example: &str, database: &str, printed: &str, expected: &str) {
    let printed: Vec<&str> = printed.trim().lines().collect();
    let expected: Vec<&str> = expected.trim().lines().collect();
    let same = |printed: &str, expected: &str| match expected.split_once('…') {
        None => printed == expected,
        Some((start, end)) => printed.starts_with(start) && printed.ends_with(end),
    };
    assert!(
        printed.len() == expected.len() && printed.iter().zip(&expected).all(|(p, e)| same(p, e)),
        "{example} on {database} printed\n{}",
        printed.join("\n")
    );
}

#[test]
fn on_sqlite() {
    for (example, expected) in EXAMPLES {
        assert_shows(example, "SQLite", &run(example, None), expected);
    }
}

#[tokio::test]
async fn on_postgres() {
    for (example, expected) in EXAMPLES {
        let database = test_database().await;
        assert_shows(
            example,
            "PostgreSQL",
            &run(example, Some(database.url())),
            expected,
        );
    }
}

#[test]
fn none_is_left_out() {
    let here = env!("CARGO_MANIFEST_DIR");
    let files = std::fs::read_dir(here).unwrap();
    let programs: BTreeSet<String> = files
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .filter(|name| name != "lib")
        .collect();
    let tested: BTreeSet<String> = EXAMPLES
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    assert_eq!(programs, tested);
    for program in programs {
        let source = std::fs::read_to_string(format!("{here}/{program}.rs")).unwrap();
        assert!(source.contains("//! Why this pattern: "), "{program}");
    }
}
