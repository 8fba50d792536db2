//! The test binary, started again as another process. What that does stands in a test of its own,
//! which does nothing in the test run itself.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mire::{Backend, ProjectionRunnerBuilder};
use tokio_util::sync::CancellationToken;

const CHILD_URL: &str = "MIRE_TEST_CHILD_URL";
const CHILD_WORKER: &str = "MIRE_TEST_CHILD_WORKER";

/// No child outlives a test run for longer than this, however that ended.
const CHILD_LIFETIME: Duration = Duration::from_secs(90);

/// In the other process: the database's URL and the worker's name.
pub fn child() -> Option<(String, String)> {
    Some((
        std::env::var(CHILD_URL).ok()?,
        std::env::var(CHILD_WORKER).ok()?,
    ))
}

/// In the other process: runs until it is killed.
pub async fn run<DB: Backend>(runner: ProjectionRunnerBuilder<DB>) {
    say("runs");
    let run = runner.build().run(CancellationToken::new());
    // Whatever comes of it, the parent asks the database.
    let _ = tokio::time::timeout(CHILD_LIFETIME, run).await;
}

/// In the other process: tells the test run something.
pub fn say(what: &str) {
    // `println!` goes through the test harness; a line has to be out before the process dies.
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{what}").unwrap();
    out.flush().unwrap();
}

/// The test binary once more, to run one test: `test` of the module that `module_path!()` names.
pub fn again(module: &str, test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(to_run(module, test));
    command
}

/// The test binary's arguments for [`again`].
pub fn to_run(module: &str, test: &str) -> [String; 3] {
    // The harness leaves out the name of the crate.
    let (_, module) = module.split_once("::").expect("a module of this crate");
    let test = format!("{module}::{test}");
    ["--exact".to_owned(), test, "--nocapture".to_owned()]
}

/// A process that runs a runner, as a test `child_that_runs` does; killed when this is dropped.
pub struct Process {
    child: Child,
    said: std::sync::mpsc::Receiver<String>,
}

impl Process {
    pub fn start(module: &str, url: &str, worker: &str) -> Self {
        let mut child = again(module, "child_that_runs")
            .env(CHILD_URL, url)
            .env(CHILD_WORKER, worker)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (say, said) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // The test may be over.
                let _ = say.send(line);
            }
        });
        let process = Self { child, said };
        process.hear("runs");
        process
    }

    pub fn hear(&self, what: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.said.recv_timeout(left) {
                Ok(line) if line == what => return,
                Ok(_) => {}
                Err(_) => panic!("the process did not say `{what}`"),
            }
        }
    }

    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }

    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have been killed already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
