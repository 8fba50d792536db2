//! Rules of ARCHITECTURE.md that no compiler checks. Each is a function over texts, so that each is
//! also shown a text that breaks it.

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms of `mire/src`, lowest first. A room may use its own level and those below it.
const LEVELS: [&[&str]; 8] = [
    &["json"],
    &["column", "error", "event", "stream", "upcast"],
    &["aggregate", "command", "snapshot"],
    &["backend"],
    &["lease", "store", "wake"],
    &["subscription"],
    &["projection", "table"],
    &["__private", "lib", "open", "testing"],
];

/// Rooms of plain types and functions: nothing there waits, and nothing there knows a database.
const PURE: [&str; 6] = [
    "aggregate",
    "command",
    "event",
    "snapshot",
    "stream",
    "upcast",
];

/// Statements that one backend alone needs, and why.
const ONLY_POSTGRES: &[(&str, &str)] = &[
    (
        "begin_leading",
        "on SQLite nobody has to find a leader's transaction",
    ),
    ("end_leading", "on SQLite whoever may write is alone"),
    (
        "create_stream",
        "on SQLite the writer's lock stands for a stream's row",
    ),
    (
        "lock_checkpoint",
        "on SQLite the writer's lock stands for a checkpoint's row",
    ),
    ("lock_holders", "on SQLite who reads hinders no change"),
    ("lock_log", "on SQLite an import has the file's write lock"),
    (
        "lock_stream",
        "on SQLite the writer's lock stands for a stream's row",
    ),
    (
        "lock_table",
        "on SQLite the writer's lock stands for a registry's row",
    ),
    (
        "try_lock_table",
        "on SQLite the writer's lock stands for a registry's row",
    ),
    ("move_position", "on SQLite positions are row ids"),
    (
        "point_view",
        "on SQLite a statement that is put together from the names does it",
    ),
    ("tell_events", "SQLite has no NOTIFY"),
    ("tell_subscription", "SQLite has no NOTIFY"),
];
const ONLY_SQLITE: &[(&str, &str)] = &[
    ("append_targets", "part of mire_append on PostgreSQL"),
    (
        "begin_to_write",
        "PostgreSQL has no lock that a whole transaction has to have",
    ),
    ("lost_leases", "part of renew_leases on PostgreSQL"),
    ("move_streams", "part of mire_append on PostgreSQL"),
];

/// Words that must not stand in what is delivered.
const UNFINISHED: [&str; 5] = ["todo!(", "unimplemented!(", "dbg!(", "FIXME", "XXX"];

fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_owned()
}

/// All files below `folder` with this ending, by path relative to it.
fn files(folder: &Path, ending: &str) -> Vec<(PathBuf, String)> {
    fn walk(at: &Path, ending: &str, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(at).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                walk(&path, ending, found);
            } else if path.extension().is_some_and(|end| end == ending) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(folder, ending, &mut found);
    found.sort();
    found
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a readable file");
            let relative = path.strip_prefix(folder).expect("a path below the folder");
            (relative.to_owned(), text)
        })
        .collect()
}

/// The lines that are code, with their numbers; up to the tests at a file's end.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(index, line)| (index + 1, line))
}

/// The room that a file of `mire/src` belongs to.
fn room(path: &Path) -> &str {
    let first = path.iter().next().and_then(|part| part.to_str());
    first.map_or("", |part| part.trim_end_matches(".rs"))
}

fn level(room: &str) -> Option<usize> {
    LEVELS.iter().position(|rooms| rooms.contains(&room))
}

/// What follows each `crate::` of a line; `$crate::` is what macros write, for other crates.
fn paths_in(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("crate::")
        .filter(|(at, _)| !line[..*at].ends_with('$'))
        .map(|(at, prefix)| {
            let rest = &line[at + prefix.len()..];
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            &rest[..end.unwrap_or(rest.len())]
        })
}

fn import_mistakes(path: &Path, text: &str) -> Vec<String> {
    let from = room(path);
    let Some(own) = level(from) else {
        return vec![format!(
            "{}: the room `{from}` has no level: add it to ARCHITECTURE.md and to LEVELS here",
            path.display()
        )];
    };
    let top = LEVELS.len() - 1;
    let mut mistakes = Vec::new();
    for (number, line) in code(text) {
        for to in paths_in(line) {
            let wrong = match level(to) {
                Some(level) => level > own,
                // The crate's face, which is above everything.
                None => own < top,
            };
            if wrong {
                mistakes.push(format!(
                    "{}:{number}: `{from}` must not use `crate::{to}`, which is above it",
                    path.display()
                ));
            }
        }
        let waits = line.contains("tokio") || line.contains("sqlx");
        if waits && PURE.contains(&from) {
            mistakes.push(format!(
                "{}:{number}: `{from}` is pure: no tokio and no sqlx there",
                path.display()
            ));
        }
    }
    mistakes
}

fn sql_mistakes(path: &Path, text: &str) -> Vec<String> {
    if room(path) == "backend" {
        return Vec::new();
    }
    let words = [
        "SELECT ",
        "INSERT INTO",
        "UPDATE mire_",
        "DELETE FROM",
        "CREATE TABLE",
    ];
    code(text)
        .filter(|(_, line)| words.iter().any(|word| line.contains(word)))
        .map(|(number, _)| format!("{}:{number}: SQL outside of `backend`", path.display()))
        .collect()
}

fn namesake_mistakes(here: &[String], there: &[String], reasons: &[(&str, &str)]) -> Vec<String> {
    let lonely = here.iter().filter(|name| !there.contains(name));
    lonely
        .filter(|name| !reasons.iter().any(|(known, _)| known == name))
        .map(|name| {
            format!("`{name}.sql` has no namesake in the other backend, and no reason for it")
        })
        .collect()
}

fn header_mistakes(path: &Path, text: &str) -> Option<String> {
    let first = text.lines().next().unwrap_or_default();
    let says_something = first.starts_with("-- ") && first.len() > "-- x".len();
    (!says_something).then(|| {
        format!(
            "{}: says nothing at its top about what it is for",
            path.display()
        )
    })
}

fn unfinished_mistakes(path: &Path, text: &str) -> Vec<String> {
    text.lines()
        .enumerate()
        .flat_map(|(index, line)| {
            UNFINISHED
                .iter()
                .filter(|word| line.contains(**word))
                .map(move |word| format!("{}:{}: `{word}`", path.display(), index + 1))
        })
        .collect()
}

fn assert_tidy(mistakes: Vec<String>) {
    assert!(mistakes.is_empty(), "\n{}\n", mistakes.join("\n"));
}

#[test]
fn imports_go_down_only() {
    let sources = files(&root().join("mire/src"), "rs");
    assert!(sources.len() > 40, "the sources were not found");
    assert_tidy(
        sources
            .iter()
            .flat_map(|(path, text)| import_mistakes(path, text))
            .collect(),
    );
}

#[test]
fn an_import_that_goes_up_is_found() {
    let complaints = |file: &str, text: &str| import_mistakes(Path::new(file), text);
    assert_eq!(
        complaints("lease.rs", "use crate::subscription::Cursor;"),
        ["lease.rs:1: `lease` must not use `crate::subscription`, which is above it"]
    );
    assert_eq!(
        complaints("store/read.rs", "\nlet x = crate::projection::run();").len(),
        1
    );
    // The crate's face would hide which room is meant.
    assert_eq!(complaints("store.rs", "use crate::EventStore;").len(), 1);
    assert_eq!(complaints("aggregate.rs", "use tokio::time;").len(), 1);
    assert_eq!(complaints("brand_new.rs", "").len(), 1);
    for fine in [
        "use crate::store::EventStore;",
        "/// See [`crate::projection::run`].",
        "#[cfg(test)]\nuse crate::testing::given;",
        "$crate::testing::given()",
    ] {
        assert_tidy(complaints("subscription.rs", fine));
    }
}

#[test]
fn sql_stands_in_the_backends_only() {
    let sources = files(&root().join("mire/src"), "rs");
    assert_tidy(
        sources
            .iter()
            .flat_map(|(path, text)| sql_mistakes(path, text))
            .collect(),
    );
    let text = "query(\"SELECT 1\")";
    assert_eq!(sql_mistakes(Path::new("store/read.rs"), text).len(), 1);
    assert_tidy(sql_mistakes(Path::new("backend/sqlite/read.rs"), text));
}

#[test]
fn statements_have_namesakes_and_say_what_they_are_for() {
    let backend = root().join("mire/src/backend");
    let statements = |name: &str| files(&backend.join(name).join("queries"), "sql");
    let (postgres, sqlite) = (statements("postgres"), statements("sqlite"));
    assert!(postgres.len() > 20 && sqlite.len() > 20, "no statements");
    let names = |found: &[(PathBuf, String)]| -> Vec<String> {
        let stems = found.iter().filter_map(|(path, _)| path.file_stem());
        stems
            .map(|stem| stem.to_string_lossy().into_owned())
            .collect()
    };
    let (here, there) = (names(&postgres), names(&sqlite));
    let mut mistakes = namesake_mistakes(&here, &there, ONLY_POSTGRES);
    mistakes.extend(namesake_mistakes(&there, &here, ONLY_SQLITE));
    for (path, text) in postgres.iter().chain(&sqlite) {
        mistakes.extend(header_mistakes(path, text));
    }
    assert_tidy(mistakes);

    let lonely = ["append".to_owned(), "vacuum".to_owned()];
    assert_eq!(namesake_mistakes(&lonely, &lonely[..1], &[]).len(), 1);
    assert_tidy(namesake_mistakes(
        &lonely,
        &lonely[..1],
        &[("vacuum", "why")],
    ));
    assert!(header_mistakes(Path::new("a.sql"), "SELECT 1").is_some());
}

#[test]
fn the_reasons_for_lonely_statements_are_in_use() {
    let queries = root().join("mire/src/backend");
    for (backend, other, reasons) in [
        ("postgres", "sqlite", ONLY_POSTGRES),
        ("sqlite", "postgres", ONLY_SQLITE),
    ] {
        for (name, _) in reasons {
            let file = |backend: &str| queries.join(format!("{backend}/queries/{name}.sql"));
            assert!(
                file(backend).exists() && !file(other).exists(),
                "`{name}` is no longer {backend}'s alone: take it off the list"
            );
        }
    }
}

#[test]
fn no_test_file_is_left_out() {
    let folder = root().join("mire/tests");
    let all = fs::read_to_string(folder.join("main.rs")).expect("a readable file");
    let files = files(&folder, "rs").into_iter();
    let subjects: Vec<_> = files
        .filter_map(|(path, _)| path.to_str().map(str::to_owned))
        .filter(|path| !path.contains('/') && path != "main.rs")
        .collect();
    assert!(subjects.len() > 20, "the tests were not found");
    for file in subjects {
        let line = format!("\nmod {};\n", file.trim_end_matches(".rs"));
        assert!(
            all.contains(&line),
            "mire/tests/{file} never runs: add it to mire/tests/main.rs"
        );
    }
}

#[test]
fn nothing_is_left_unfinished() {
    let mut mistakes = Vec::new();
    for folder in [
        "mire/src",
        "mire-macros/src",
        "mire-codegen/src",
        "mire-testkit/src",
        "examples",
        "xtask/src",
    ] {
        for (path, text) in files(&root().join(folder), "rs") {
            mistakes.extend(unfinished_mistakes(&Path::new(folder).join(path), &text));
        }
    }
    assert_tidy(mistakes);
    assert_eq!(
        unfinished_mistakes(Path::new("a.rs"), "fn f() { todo!() } // FIXME").len(),
        2
    );
}
