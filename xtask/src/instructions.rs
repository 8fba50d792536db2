//! Counting the instructions of hot paths, and holding them against what they took before.
//!
//! Time on a shared machine says little; a count of instructions is the same from run to run, to a
//! fraction of a percent. It does depend on the compiler, so the baseline names the one that it was
//! recorded with, and under another one counts are shown and not judged.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::child::Children;
use crate::server::runs;

/// The paths that `mire/benches/instructions.rs` knows.
const PATHS: [(&str, &str); 6] = [
    ("fold", "decode and apply 1,000 stored events"),
    ("encode", "encode 1,000 events for an append"),
    ("check", "check two appends of 1,000 events"),
    ("page", "copy 1,000 rows into a page"),
    ("dispatch", "hand a page of 1,000 to a projection"),
    ("table", "fold a page of 1,000 into rows"),
];

const TIMES: u64 = 10;

/// How much more a path may take, in percent.
const TOLERANCE: f64 = 5.0;

const NO_VALGRIND: &str = "\
instructions are counted with valgrind's callgrind, and `valgrind` isn't there: install your \
system's package (`apt-get install valgrind`, `dnf install valgrind`, `pacman -S valgrind`, \
`zypper install valgrind`), or run this on a machine that has one";

/// Counts, and compares or records.
pub fn run(children: &Children, bless: bool) -> anyhow::Result<u8> {
    if !runs("valgrind", "--version") {
        bail!(NO_VALGRIND);
    }
    let mut build = bench();
    build.arg("--no-run");
    match children.run(&mut build)? {
        0 => {}
        code => return Ok(code),
    }
    let mut counted = Baseline {
        compiler: compiler()?,
        counts: Vec::new(),
    };
    for (path, _) in PATHS {
        let (nothing, all) = (count(path, 0)?, count(path, TIMES)?);
        let each = all.saturating_sub(nothing) / TIMES;
        counted.counts.push((path.to_owned(), each));
    }
    let file = file();
    if bless {
        fs::write(&file, counted.text())?;
        print!("{}", report(&counted, None).0);
        eprintln!("xtask: recorded in {}", file.display());
        return Ok(0);
    }
    let text = fs::read_to_string(&file).with_context(|| {
        format!(
            "can't read {}: `cargo xtask instructions --bless` writes it",
            file.display()
        )
    })?;
    let before = Baseline::read(&text)?;
    let (text, grown) = report(&counted, Some(&before));
    print!("{text}");
    if before.compiler != counted.compiler {
        eprintln!(
            "xtask: not judged: the baseline is of {}, and this is {}",
            before.compiler, counted.compiler
        );
        return Ok(0);
    }
    if grown.is_empty() {
        return Ok(0);
    }
    eprintln!(
        "xtask: {} grew by more than {TOLERANCE} %: find out why, or record it with \
         `cargo xtask instructions --bless` and say why in the commit",
        grown.join(", ")
    );
    Ok(1)
}

/// What each path took, and by which compiler.
#[derive(Debug, PartialEq, Eq)]
struct Baseline {
    compiler: String,
    counts: Vec<(String, u64)>,
}

impl Baseline {
    fn read(text: &str) -> anyhow::Result<Self> {
        let mut lines = text.lines().filter(|line| !line.starts_with('#'));
        let compiler = lines.next().context("the baseline is empty")?.to_owned();
        let count = |line: &str| -> anyhow::Result<(String, u64)> {
            let (path, count) = line
                .split_once(' ')
                .with_context(|| format!("not a path and a count: `{line}`"))?;
            let count = count.trim().parse();
            Ok((
                path.to_owned(),
                count.with_context(|| format!("not a count: `{line}`"))?,
            ))
        };
        Ok(Self {
            compiler,
            counts: lines.map(count).collect::<Result<_, _>>()?,
        })
    }

    fn text(&self) -> String {
        let mut text = format!(
            "# Instructions that each hot path takes: `cargo xtask instructions --bless` writes \
             this.\n{}\n",
            self.compiler
        );
        for (path, count) in &self.counts {
            text.push_str(&format!("{path} {count}\n"));
        }
        text
    }

    fn of(&self, path: &str) -> Option<u64> {
        let found = self.counts.iter().find(|(known, _)| known == path);
        found.map(|(_, count)| *count)
    }
}

/// A table, and which paths grew by more than is tolerated.
fn report(counted: &Baseline, before: Option<&Baseline>) -> (String, Vec<String>) {
    let mut text = format!(
        "{:<10} {:<38} {:>14} {:>14} {:>9}\n",
        "path", "", "before", "now", "change"
    );
    let mut grown = Vec::new();
    for (path, now) in &counted.counts {
        let what = PATHS.iter().find(|(known, _)| known == path);
        let what = what.map_or("", |(_, what)| what);
        let old = before.and_then(|before| before.of(path));
        let change = old.map(|old| (*now as f64 / old.max(1) as f64 - 1.0) * 100.0);
        let mark = if change.is_some_and(|change| change > TOLERANCE) {
            grown.push(path.clone());
            " !"
        } else {
            ""
        };
        text.push_str(&format!(
            "{path:<10} {what:<38} {:>14} {now:>14} {:>9}{mark}\n",
            old.map_or("–".to_owned(), |old| old.to_string()),
            change.map_or("–".to_owned(), |change| format!("{change:+.1} %")),
        ));
    }
    (text, grown)
}

fn file() -> PathBuf {
    crate::root().join("mire/benches/instructions.baseline")
}

fn bench() -> Command {
    let mut cargo = crate::cargo();
    cargo.args(["bench", "--quiet", "--package", "mire"]);
    cargo.args(["--bench", "instructions"]);
    cargo
}

/// The instructions of a whole run.
fn count(path: &str, times: u64) -> anyhow::Result<u64> {
    const RUNNER: &str = "target.'cfg(all())'.runner = [\
        'valgrind', '--tool=callgrind', '--callgrind-out-file=/dev/null']";
    let mut cargo = bench();
    cargo
        .args(["--config", RUNNER, "--", path, &times.to_string()])
        .stdin(Stdio::null());
    let output = cargo.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("counting `{path}` failed:\n{said}");
    }
    collected(&said).with_context(|| format!("callgrind gave no count for `{path}`:\n{said}"))
}

/// The total that callgrind names at its end.
fn collected(said: &str) -> Option<u64> {
    let (_, count) = said.rsplit_once("Collected :")?;
    count.split_whitespace().next()?.parse().ok()
}

fn compiler() -> anyhow::Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("-vV").output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let of = |start: &str| text.lines().find_map(|line| line.strip_prefix(start));
    let version = of("rustc ").context("rustc doesn't say its version")?;
    let host = of("host: ").context("rustc doesn't say its host")?;
    Ok(format!("rustc {version} on {host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn baseline(counts: &[(&str, u64)]) -> Baseline {
        let counts = counts
            .iter()
            .map(|(path, count)| ((*path).to_owned(), *count));
        Baseline {
            compiler: "rustc 1.0.0 on here".to_owned(),
            counts: counts.collect(),
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let written = baseline(&[("fold", 1_000), ("encode", 20)]);
        assert_eq!(Baseline::read(&written.text()).unwrap(), written);
        assert!(Baseline::read("").is_err());
        assert!(Baseline::read("rustc\nfold many\n").is_err());
    }

    #[test]
    fn only_what_grew_by_more_than_the_tolerance_is_named() {
        let before = baseline(&[("fold", 1_000), ("encode", 1_000), ("page", 1_000)]);
        let now = baseline(&[
            ("fold", 1_060),
            ("encode", 1_040),
            ("page", 10),
            ("table", 7),
        ]);
        let (text, grown) = report(&now, Some(&before));
        assert_eq!(grown, ["fold"]);
        assert!(
            text.contains("+6.0 % !") && text.contains("-99.0 %"),
            "{text}"
        );
        assert!(report(&now, None).1.is_empty());
    }

    #[test]
    fn the_count_is_found_in_what_callgrind_says() {
        let said = "==7== Callgrind, a profiler\n==7== \n==7== Collected : 123456\n==7== \n";
        assert_eq!(collected(said), Some(123_456));
        assert_eq!(collected("==7== Callgrind"), None);
    }
}
