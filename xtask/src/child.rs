//! Running other programs so that neither they nor a server outlive us.

use std::io::{self, IsTerminal};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGKILL, SIGTERM};
use signal_hook::iterator::Signals;

/// How long a program may take to end by itself once it was told to.
const GRACE: Duration = Duration::from_secs(10);

enum Event {
    Signal(i32),
    Ended(io::Result<ExitStatus>),
}

/// Runs programs one at a time and hands them the signals that end us, so that we get to clean up.
pub struct Children {
    sender: Sender<Event>,
    events: Receiver<Event>,
}

impl Children {
    /// From here on, Ctrl-C, `SIGTERM` and `SIGHUP` end the running program instead of us.
    pub fn new() -> anyhow::Result<Self> {
        let (sender, events) = mpsc::channel();
        let mut signals =
            Signals::new([SIGHUP, SIGINT, SIGTERM]).context("can't watch for signals")?;
        let signalled = sender.clone();
        thread::spawn(move || {
            for signal in signals.forever() {
                if signalled.send(Event::Signal(signal)).is_err() {
                    break;
                }
            }
        });
        Ok(Self { sender, events })
    }

    /// Runs `command` to its end and answers its exit code, 128 + n for one that signal n ended. A
    /// signal goes to it and to all that it has started.
    pub fn run(&self, command: &mut Command) -> anyhow::Result<u8> {
        // A group of its own can be told as a whole: cargo doesn't pass signals on to the tests.
        let group = command.stdin(Stdio::null()).process_group(0);
        self.supervise(group, |pid, signal| send(signal, pid, kill_process_group))
    }

    /// The same for a program that may want the terminal, which stays in our group for that; Ctrl-C
    /// reaches it without us, and it may take it as something else than the end.
    pub fn run_in_terminal(&self, command: &mut Command) -> anyhow::Result<u8> {
        if !io::stdin().is_terminal() {
            return self.run(command);
        }
        self.supervise(command, |pid, signal| {
            if signal != SIGINT {
                send(signal, pid, kill_process);
            }
        })
    }

    /// Waits until we are told to end, and answers the exit code for it.
    pub fn wait_for_signal(&self) -> u8 {
        loop {
            match self.events.recv() {
                Ok(Event::Signal(SIGINT)) => return 0,
                Ok(Event::Signal(signal)) => return code_of_signal(signal),
                Ok(Event::Ended(_)) => {}
                Err(_) => return 0,
            }
        }
    }

    fn supervise(&self, command: &mut Command, tell: impl Fn(u32, i32)) -> anyhow::Result<u8> {
        let mut child = command
            .spawn()
            .with_context(|| format!("can't run `{}`", command.get_program().to_string_lossy()))?;
        let pid = child.id();
        let ended = self.sender.clone();
        thread::spawn(move || ended.send(Event::Ended(child.wait())));

        let mut told = false;
        loop {
            let event = if told {
                self.events.recv_timeout(GRACE)
            } else {
                self.events.recv().map_err(Into::into)
            };
            match event {
                Ok(Event::Ended(status)) => return Ok(code(status?)),
                Ok(Event::Signal(signal)) => {
                    // The second time is meant.
                    let signal = if told && signal != SIGINT {
                        SIGKILL
                    } else {
                        signal
                    };
                    tell(pid, signal);
                    told = signal != SIGINT || told;
                }
                Err(RecvTimeoutError::Timeout) => tell(pid, SIGKILL),
                Err(RecvTimeoutError::Disconnected) => return Ok(1),
            }
        }
    }
}

/// Sends a signal to a process, or to all of the group that it leads.
fn send(signal: i32, id: u32, to: impl Fn(Pid, Signal) -> rustix::io::Result<()>) {
    let id = i32::try_from(id).ok().and_then(Pid::from_raw);
    let (Some(id), Some(signal)) = (id, Signal::from_named_raw(signal)) else {
        return;
    };
    // An error says that it has ended already.
    let _ = to(id, signal);
}

fn code(status: ExitStatus) -> u8 {
    let by_signal = || code_of_signal(status.signal().unwrap_or(0));
    status
        .code()
        .map_or_else(by_signal, |code| u8::try_from(code).unwrap_or(u8::MAX))
}

fn code_of_signal(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}
