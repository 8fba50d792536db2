//! What was asked for.

/// What `cargo xtask help` prints.
pub const HELP: &str = "\
cargo xtask <task> [arguments]

  test [ARGS]      runs every test, doc tests included, on a PostgreSQL; ARGS go to `cargo test`
  bless            records the compiler messages of ui-tests and the snapshots of mire-codegen anew,
                   and says what changed
  check-features   checks mire with each combination of its backends
  bench [ARGS]     builds and runs the benchmarks of bench/ in release mode; ARGS go to them
  instructions     counts the instructions of hot paths under valgrind, and fails when one takes
                   more than it did; with --bless, records what each takes
  pg [--] [CMD …]  runs CMD with the DATABASE_URL of a private PostgreSQL; without CMD, keeps one
                   running until Ctrl-C
  help             prints this

Which PostgreSQL: the server that DATABASE_URL names (its user needs the right to create databases);
else a private cluster in a temporary folder, from the programs in MIRE_PG_BIN, on the PATH, where
pg_config says, or in the usual places; and when there are none, your system's package is installed
if that needs no password. `pg` always takes a private cluster.
";

/// A task of this program.
#[derive(Debug, PartialEq, Eq)]
pub enum Task {
    /// Prints [`HELP`].
    Help,
    /// Runs the tests, with arguments for `cargo test`.
    Test(Vec<String>),
    /// Runs the benchmarks, with their arguments.
    Bench(Vec<String>),
    /// Counts instructions; or records them, when it is told to bless what it counted.
    Instructions {
        /// Whether to record them.
        bless: bool,
    },
    /// Runs a command beside a private server.
    Pg(Vec<String>),
    /// Records messages and snapshots anew.
    Bless,
    /// Checks the combinations of features.
    CheckFeatures,
}

/// Reads the command line, without the program's name.
pub fn parse(args: impl IntoIterator<Item = String>) -> Result<Task, String> {
    let mut args = args.into_iter();
    let Some(word) = args.next() else {
        return Err(format!("no task was given\n\n{HELP}"));
    };
    let mut rest: Vec<String> = args.collect();
    let task = match word.as_str() {
        "test" => return Ok(Task::Test(rest)),
        "instructions" if rest == ["--bless"] => return Ok(Task::Instructions { bless: true }),
        "instructions" => Task::Instructions { bless: false },
        "bench" | "pg" => {
            if rest.first().is_some_and(|first| first == "--") {
                rest.remove(0);
            }
            return Ok(if word == "pg" {
                Task::Pg(rest)
            } else {
                Task::Bench(rest)
            });
        }
        "bless" => Task::Bless,
        "check-features" => Task::CheckFeatures,
        "help" | "--help" | "-h" => Task::Help,
        _ => {
            return Err(format!(
                "there is no task `{word}`: the tasks are test, bless, check-features, bench, \
                 instructions, pg and help, and `cargo xtask help` says what each does"
            ));
        }
    };
    match rest.first() {
        Some(unexpected) => Err(format!(
            "`{word}` takes no such argument: leave out `{unexpected}`"
        )),
        None => Ok(task),
    }
}

/// The arguments for cargo that run the tests: all of them, unless `given` chooses packages or
/// features itself.
pub fn cargo_test(given: Vec<String>) -> Vec<String> {
    let for_cargo = given.iter().take_while(|arg| *arg != "--");
    let (mut packages, mut features) = (false, false);
    for arg in for_cargo {
        let name = arg.split_once('=').map_or(arg.as_str(), |(name, _)| name);
        packages |= matches!(name, "--package" | "--workspace" | "--all") || short(arg, 'p');
        features |= matches!(
            name,
            "--features" | "--all-features" | "--no-default-features"
        ) || short(arg, 'F');
    }
    let mut args = vec!["test".to_owned()];
    if !packages {
        args.push("--workspace".to_owned());
    }
    if !features {
        args.push("--all-features".to_owned());
    }
    args.extend(given);
    args
}

/// Whether `arg` is the option `-letter`, perhaps with its value attached.
fn short(arg: &str, letter: char) -> bool {
    arg.strip_prefix('-')
        .is_some_and(|rest| rest.starts_with(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    fn parsed(line: &str) -> Result<Task, String> {
        parse(words(line))
    }

    #[test]
    fn each_task_has_its_word() {
        assert_eq!(parsed("help"), Ok(Task::Help));
        assert_eq!(parsed("--help"), Ok(Task::Help));
        assert_eq!(parsed("bless"), Ok(Task::Bless));
        assert_eq!(parsed("check-features"), Ok(Task::CheckFeatures));
        assert_eq!(parsed("test"), Ok(Task::Test(vec![])));
        assert_eq!(parsed("pg"), Ok(Task::Pg(vec![])));
        let instructions = |bless| Ok(Task::Instructions { bless });
        assert_eq!(parsed("instructions"), instructions(false));
        assert_eq!(parsed("instructions --bless"), instructions(true));
    }

    #[test]
    fn arguments_are_passed_on_as_they_are() {
        let line = "-p mire -- --exact help";
        assert_eq!(parsed(&format!("test {line}")), Ok(Task::Test(words(line))));
        for line in ["bench --json 3", "bench -- --json 3"] {
            assert_eq!(parsed(line), Ok(Task::Bench(words("--json 3"))));
        }
    }

    #[test]
    fn only_the_first_separator_of_pg_is_ours() {
        let expected = Ok(Task::Pg(words("cargo run -- --help")));
        assert_eq!(parsed("pg -- cargo run -- --help"), expected);
        assert_eq!(parsed("pg cargo run -- --help"), expected);
    }

    #[test]
    fn what_is_unknown_or_too_much_is_named() {
        let unknown = parsed("tset -p mire").unwrap_err();
        assert!(
            unknown.contains("`tset`") && unknown.contains("help"),
            "{unknown}"
        );
        assert!(parsed("instructions fold").is_err());
        let too_much = parsed("bless ui-tests").unwrap_err();
        assert!(
            too_much.contains("`bless`") && too_much.contains("`ui-tests`"),
            "{too_much}"
        );
        assert!(parsed("").unwrap_err().contains(HELP));
    }

    #[test]
    fn help_names_every_task() {
        let words = [
            "test",
            "bless",
            "check-features",
            "bench",
            "instructions",
            "pg",
            "help",
        ];
        for word in words {
            assert!(HELP.contains(&format!("\n  {word} ")), "{word}");
        }
    }

    #[test]
    fn all_tests_run_unless_some_are_chosen() {
        for (given, expected) in [
            ("", "test --workspace --all-features"),
            ("append", "test --workspace --all-features append"),
            ("-- -p -F", "test --workspace --all-features -- -p -F"),
            ("-p mire", "test --all-features -p mire"),
            ("-pmire", "test --all-features -pmire"),
            (
                "--package=mire --doc",
                "test --all-features --package=mire --doc",
            ),
            ("--features sqlite", "test --workspace --features sqlite"),
            (
                "-p mire --no-default-features -F sqlite",
                "test -p mire --no-default-features -F sqlite",
            ),
            ("--workspace --lib", "test --all-features --workspace --lib"),
        ] {
            assert_eq!(cargo_test(words(given)), words(expected), "{given}");
        }
    }
}
