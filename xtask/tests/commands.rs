//! What `cargo xtask` answers, and that no server outlives it.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

fn xtask(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn output(command: &mut Command) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("xtask runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (status.code(), text(stdout), text(stderr))
}

/// Where the server that `url` names keeps its data, asked from the server itself.
const DATA_DIRECTORY: &str = r#""$MIRE_PG_BIN/psql" -AtX "$DATABASE_URL" -c 'show data_directory'"#;

#[test]
fn a_wrong_word_is_a_wrong_usage() {
    let (code, _, stderr) = output(&mut xtask(&["tset"]));
    assert_eq!(code, Some(2));
    assert!(stderr.contains("`tset`"), "{stderr}");

    let (code, stdout, _) = output(&mut xtask(&["help"]));
    assert_eq!(code, Some(0));
    assert!(stdout.contains("cargo xtask <task>"), "{stdout}");
}

#[test]
fn the_exit_code_of_a_command_is_passed_on_and_its_server_is_gone() {
    let script = format!("{DATA_DIRECTORY}; exit 7");
    let (code, stdout, stderr) = output(&mut xtask(&["pg", "--", "sh", "-c", &script]));
    assert_eq!(code, Some(7), "{stderr}");
    let folder = Path::new(stdout.trim());
    assert!(folder.is_absolute(), "{stdout}{stderr}");
    assert!(!folder.exists(), "{} is still there", folder.display());

    let (code, _, _) = output(&mut xtask(&["pg", "sh", "-c", "kill -9 $$"]));
    assert_eq!(code, Some(128 + 9));
}

/// A child that is killed when a test fails.
struct Running(Child);

impl Running {
    fn line(&mut self) -> String {
        let stdout = self.0.stdout.as_mut().expect("a pipe");
        let mut line = String::new();
        // One byte at a time, so that nothing behind the line is taken.
        BufReader::with_capacity(1, stdout)
            .read_line(&mut line)
            .expect("a line");
        line.trim().to_owned()
    }

    fn signal(&self, name: &str) {
        let id = self.0.id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status();
        assert!(status.expect("kill runs").success());
    }

    fn ended(&mut self) -> Option<i32> {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(status) = self.0.try_wait().expect("a status") {
                return status.code();
            }
            assert!(
                Instant::now() < until,
                "xtask goes on after it was told to end"
            );
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_signal_ends_the_command_and_the_server() {
    for (signal, answer) in [("TERM", 128 + 15), ("HUP", 128 + 1)] {
        let script = format!("{DATA_DIRECTORY}; echo $$; sleep 600; echo awake");
        let mut command = xtask(&["pg", "sh", "-c", &script]);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut running = Running(command.spawn().expect("xtask runs"));
        let folder = PathBuf::from(running.line());
        let shell = running.line();
        assert!(folder.exists(), "{}", folder.display());

        running.signal(signal);
        assert_eq!(running.ended(), Some(answer), "after SIG{signal}");
        assert!(!folder.exists(), "{} is still there", folder.display());
        assert!(
            !Path::new("/proc").join(&shell).exists() || cfg!(not(target_os = "linux")),
            "the command goes on"
        );
        let mut rest = String::new();
        let mut stdout = running.0.stdout.take().expect("a pipe");
        stdout.read_to_string(&mut rest).expect("text");
        assert_eq!(rest, "");
    }
}

#[test]
fn a_server_that_is_kept_running_ends_with_ctrl_c() {
    let mut command = xtask(&["pg"]);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut running = Running(command.spawn().expect("xtask runs"));
    let line = running.line();
    let url = line
        .strip_prefix("export DATABASE_URL=")
        .unwrap_or_else(|| panic!("{line}"));
    let port = url
        .rsplit(':')
        .next()
        .and_then(|rest| rest.split('/').next());
    let address = format!("127.0.0.1:{}", port.expect("a port"));
    assert!(std::net::TcpStream::connect(&address).is_ok(), "{url}");

    running.signal("INT");
    assert_eq!(running.ended(), Some(0));
    assert!(
        std::net::TcpStream::connect(&address).is_err(),
        "the server goes on"
    );
}

#[test]
fn what_can_not_be_used_is_named_before_any_test_runs() {
    let empty = tempfile::tempdir().expect("a folder");
    let mut nothing_there = xtask(&["pg", "true"]);
    let (code, _, stderr) = output(nothing_there.env("MIRE_PG_BIN", empty.path()));
    assert_eq!(code, Some(1));
    assert!(
        stderr.contains("MIRE_PG_BIN") && stderr.contains("initdb"),
        "{stderr}"
    );

    let nobody_listens = "postgres://postgres@127.0.0.1:1/postgres";
    let mut unreachable = xtask(&["test"]);
    let (code, stdout, stderr) = output(unreachable.env("DATABASE_URL", nobody_listens));
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("unset DATABASE_URL"), "{stderr}");
    assert!(!stdout.contains("running"), "{stdout}");
}
