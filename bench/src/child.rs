//! This program in further processes: handlers elsewhere, leaders to be killed, memory to be
//! measured. A child is told what to do on its command line and by lines on its standard input, and
//! answers in lines.

use std::ffi::OsString;
use std::io::Write;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use hdrhistogram::Histogram;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child as Process, ChildStdin, ChildStdout, Command};

use crate::systems::{Kind, Settings};
use crate::workload::Stand;

/// The word that makes this program a child.
pub const WORD: &str = "child";

/// Now, in microseconds; the same clock in every process of a machine.
pub fn micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_micros() as i64)
}

/// A child, from its parent's side. It is killed when this is dropped.
pub struct Child {
    process: Process,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Child {
    /// Starts one for a system's database, and waits until it says that it is ready.
    pub async fn start(stand: &Stand, job: &[&str]) -> anyhow::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg(WORD)
            .args([stand.kind.name, &stand.database.url])
            .arg(stand.connections.to_string())
            .args(job)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("can't start another process of this program")?;
        let stdin = process.stdin.take().context("no standard input")?;
        let stdout = process.stdout.take().context("no standard output")?;
        let mut child = Self {
            process,
            stdin,
            lines: BufReader::new(stdout).lines(),
        };
        child.expect("ready").await?;
        Ok(child)
    }

    /// The next line that it says.
    pub async fn line(&mut self) -> anyhow::Result<String> {
        let line = self.lines.next_line().await?;
        line.context("the other process ended")
    }

    /// Asks, and answers what it says.
    pub async fn ask(&mut self, question: &str) -> anyhow::Result<String> {
        self.stdin
            .write_all(format!("{question}\n").as_bytes())
            .await?;
        self.line().await
    }

    /// What its handler has seen since it last forgot, in microseconds.
    pub async fn latencies(&mut self) -> anyhow::Result<Histogram<u64>> {
        let line = self.ask("report").await?;
        let mut latencies = Histogram::new(3)?;
        for recorded in line.split_terminator(' ') {
            let (micros, count) = recorded
                .split_once(':')
                .with_context(|| format!("not a report: `{line}`"))?;
            latencies.record_n(micros.parse()?, count.parse()?)?;
        }
        Ok(latencies)
    }

    async fn expect(&mut self, word: &str) -> anyhow::Result<()> {
        let line = self.line().await?;
        anyhow::ensure!(
            line == word,
            "the other process said `{line}`, not `{word}`"
        );
        Ok(())
    }

    /// Ends it as the kernel does, without a chance to clean up.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.process.kill().await?)
    }
}

/// Runs as a child.
pub async fn run(args: Vec<OsString>) -> anyhow::Result<()> {
    let args: Vec<String> = args
        .into_iter()
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    let [system, url, connections, job, rest @ ..] = &args[..] else {
        bail!("a child needs a system, a database and a job");
    };
    let system = Kind::of(system)?.open(url, connections.parse()?).await?;
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    match (job.as_str(), &rest[..]) {
        ("measure-latency", [subscription]) => {
            let seen = Arc::new(Mutex::new(Histogram::<u64>::new(3)?));
            let histogram = Arc::clone(&seen);
            let handler = Arc::new(move |sent: i64| {
                let micros = u64::try_from(micros() - sent).unwrap_or(0);
                let mut histogram = histogram.lock().unwrap_or_else(PoisonError::into_inner);
                // It grows with what it is given; no time is too long for it.
                let _ = histogram.record(micros.max(1));
            });
            let running = system
                .subscribe(subscription, &Settings::short_poll(), handler)
                .await?;
            say("ready");
            let mut lines = BufReader::new(tokio::io::stdin()).lines();
            while let Some(line) = lines.next_line().await? {
                let mut histogram = seen.lock().unwrap_or_else(PoisonError::into_inner);
                match line.as_str() {
                    "report" => {
                        let recorded: Vec<String> = histogram
                            .iter_recorded()
                            .map(|step| {
                                let count = step.count_at_value();
                                format!("{}:{count}", step.value_iterated_to())
                            })
                            .collect();
                        say(&recorded.join(" "));
                    }
                    "count" => say(&histogram.len().to_string()),
                    _ => {
                        histogram.reset();
                        say("forgotten");
                    }
                }
            }
            running.stop().await
        }
        ("echo", [subscription, ttl, recheck]) => {
            let settings = Settings {
                lease_ttl: Some(Duration::from_millis(ttl.parse()?)),
                lease_recheck: Some(Duration::from_millis(recheck.parse()?)),
                ..Settings::short_poll()
            };
            let handler = Arc::new(|sent: i64| say(&sent.to_string()));
            let running = system.subscribe(subscription, &settings, handler).await?;
            say("ready");
            let mut lines = BufReader::new(tokio::io::stdin()).lines();
            while lines.next_line().await?.is_some() {}
            running.stop().await
        }
        ("fold", [small, large]) => {
            system.fold(small).await?;
            let before = memory("VmRSS")?;
            say("ready");
            let folded = system.fold(large).await?;
            say(&format!(
                "{folded} {}",
                memory("VmHWM")?.saturating_sub(before)
            ));
            Ok(())
        }
        ("catch-up", [subscription, events]) => {
            let events: u64 = events.parse()?;
            let (count, counted) = tokio::sync::watch::channel(0_u64);
            let before = memory("VmRSS")?;
            say("ready");
            let handler = Arc::new(move |_: i64| count.send_modify(|count| *count += 1));
            let running = system
                .subscribe(subscription, &Settings::short_poll(), handler)
                .await?;
            counted.clone().wait_for(|count| *count >= events).await?;
            say(&format!(
                "{events} {}",
                memory("VmHWM")?.saturating_sub(before)
            ));
            running.stop().await
        }
        _ => bail!("a child can't do `{job} {}`", rest.join(" ")),
    }
}

/// Says a line at once.
fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    // A parent that is gone ends us by closing our standard input.
    let _ = writeln!(stdout, "{line}");
    let _ = stdout.flush();
}

/// A figure of this process's memory, in KiB.
fn memory(name: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")
        .context("memory can be measured on Linux only")?;
    let line = status.lines().find(|line| line.starts_with(name));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(number
        .with_context(|| format!("no {name} in /proc/self/status"))?
        .parse()?)
}
