//! A whole PostgreSQL server in a temporary folder.

use std::env;
use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};

use crate::{Account, Binaries};

/// How often another port is tried when somebody else was faster to take the free one.
const PORT_ATTEMPTS: usize = 5;

/// What the guardian does, with the folder as `$1` and the programs' folder as `$2`: it waits for
/// its standard input to end, which happens when its owner is gone in whatever way.
const GUARDIAN: &str = r#"
read -r _
"$2/pg_ctl" stop -D "$1/data" -m immediate -w -t 30
rm -rf "$1"
"#;

/// How a private cluster is set up.
#[derive(Debug, Clone, Default)]
pub struct ClusterOptions {
    settings: Vec<(String, String)>,
}

impl ClusterOptions {
    /// fsync on, 300 connections, all else as PostgreSQL has it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a line of `postgresql.conf`; a later one of the same name wins, also over our own.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    fn config(&self) -> String {
        let own = [
            ("listen_addresses", "127.0.0.1"),
            // A socket's path has a length limit that a temporary folder may exceed.
            ("unix_socket_directories", ""),
            ("max_connections", "300"),
            ("fsync", "on"),
        ];
        let given = self
            .settings
            .iter()
            .map(|(name, value)| (&**name, &**value));
        let line = |(name, value): (&str, &str)| {
            format!(
                "{name} = '{}'\n",
                value.replace('\\', r"\\").replace('\'', "''")
            )
        };
        own.into_iter().chain(given).map(line).collect()
    }
}

/// How a server is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopMode {
    /// Ends all connections, writes everything down, stops.
    Fast,
    /// Stops at once, like a crash of the server: the next start recovers from the log.
    Immediate,
}

/// A PostgreSQL server of one's own. It ends with this value, or with the process, whichever comes
/// first.
#[derive(Debug)]
pub struct PrivateCluster {
    // Dropped first of all, it stops the server and deletes the folder.
    _guardian: Guardian,
    account: Option<Account>,
    binaries: Binaries,
    folder: PathBuf,
    port: u16,
}

impl PrivateCluster {
    /// Creates a cluster and starts its server on a free port of the loopback interface. As root,
    /// it runs under an unprivileged account. Blocks for a second or two.
    ///
    /// # Errors
    ///
    /// When no PostgreSQL is installed, or when it does not start; the text has the server's own
    /// words.
    pub fn start(options: ClusterOptions) -> anyhow::Result<Self> {
        let account = Account::for_servers()?;
        let Some(binaries) = Binaries::find(account.as_ref())? else {
            bail!(
                "no PostgreSQL server is installed here: `cargo xtask test` brings one, or install \
                 your system's package, or set {} to the folder with `initdb`",
                crate::PG_BIN_VARIABLE
            );
        };
        Self::start_with(binaries, account, &options)
    }

    fn start_with(
        binaries: Binaries,
        account: Option<Account>,
        options: &ClusterOptions,
    ) -> anyhow::Result<Self> {
        let base = base_folder(account.as_ref())?;
        let folder = tempfile::Builder::new()
            .prefix("mire-pg-")
            .tempdir_in(&base)
            .with_context(|| format!("can't create a folder in `{}`", base.display()))?
            .keep();
        if let Some(account) = &account {
            chown(&folder, Some(account.uid), Some(account.gid)).with_context(|| {
                format!("can't give `{}` to {}", folder.display(), account.name)
            })?;
        }
        let guardian = Guardian::watch(&folder, &binaries, account.as_ref())?;
        let mut cluster = Self {
            _guardian: guardian,
            account,
            binaries,
            folder,
            port: 0,
        };
        cluster.initialise(options)?;
        cluster.start_on_free_port()?;
        Ok(cluster)
    }

    /// The URL of the database `postgres`, whose user `postgres` may do everything.
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// The URL of another database of this cluster.
    pub fn url_of(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// The port that it listens on; it stays the same over [`start_again`](Self::start_again).
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of the server's programs, `psql` and `pg_dump` among them.
    pub fn bin_dir(&self) -> &Path {
        &self.binaries.dir
    }

    /// The cluster's data.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        let bytes = fs::read(self.folder.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Stops the server and waits until it has ended.
    ///
    /// # Errors
    ///
    /// When it isn't running, or does not end within 30 seconds.
    pub fn stop(&self, mode: StopMode) -> anyhow::Result<()> {
        let mode = match mode {
            StopMode::Fast => "fast",
            StopMode::Immediate => "immediate",
        };
        self.run("pg_ctl", &["stop", "-m", mode, "-w", "-t", "30"])
    }

    /// Starts the stopped server again, on the same port, and waits until it takes connections.
    ///
    /// # Errors
    ///
    /// When it does not start; the text has the end of the server's log.
    pub fn start_again(&self) -> anyhow::Result<()> {
        let log = self.folder.join("log");
        let port = format!("-p {}", self.port);
        let log = log.to_string_lossy();
        self.run(
            "pg_ctl",
            &["start", "-l", &log, "-o", &port, "-w", "-t", "60"],
        )
        .with_context(|| {
            let log = self.log();
            let end: Vec<&str> = log.lines().rev().take(10).collect();
            let end: Vec<&str> = end.into_iter().rev().collect();
            format!("the server's log ends with:\n{}", end.join("\n"))
        })
    }

    fn initialise(&self, options: &ClusterOptions) -> anyhow::Result<()> {
        // Only the creation goes without fsync; the server itself has it on.
        self.run(
            "initdb",
            &[
                "--no-sync",
                "--auth=trust",
                "--username=postgres",
                "--encoding=UTF8",
                "--locale=C",
            ],
        )?;
        let file = self.data_dir().join("postgresql.conf");
        fs::OpenOptions::new()
            .append(true)
            .open(&file)
            .and_then(|mut conf| conf.write_all(options.config().as_bytes()))
            .with_context(|| format!("can't write to `{}`", file.display()))
    }

    fn start_on_free_port(&mut self) -> anyhow::Result<()> {
        for attempt in 1.. {
            self.port = free_port()?;
            let started = self.start_again();
            let taken = || self.log().contains("could not bind");
            if started.is_ok() || attempt == PORT_ATTEMPTS || !taken() {
                return started;
            }
        }
        Ok(())
    }

    /// Runs a program of the server over the data, under the right account.
    fn run(&self, program: &str, args: &[&str]) -> anyhow::Result<()> {
        let mut command = command(&self.binaries.dir.join(program), self.account.as_ref());
        command
            .current_dir(&self.folder)
            .args(args)
            .arg("-D")
            .arg(self.data_dir());
        let output = command
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("can't run `{program}`"))?;
        if output.status.success() {
            return Ok(());
        }
        bail!(
            "`{program}` in `{}` failed: {}{}",
            self.binaries.dir.display(),
            String::from_utf8_lossy(&output.stderr).trim(),
            String::from_utf8_lossy(&output.stdout).trim()
        )
    }
}

/// See [the crate](crate): stops the server and deletes the folder when it is dropped, and also
/// when it never is.
#[derive(Debug)]
struct Guardian {
    shell: Child,
}

impl Guardian {
    fn watch(
        folder: &Path,
        binaries: &Binaries,
        account: Option<&Account>,
    ) -> anyhow::Result<Self> {
        let shell = command(Path::new("/bin/sh"), account)
            .args(["-c", GUARDIAN, "mire-pg-guardian"])
            .arg(folder)
            .arg(&binaries.dir)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A group of its own, so that Ctrl-C doesn't reach it.
            .process_group(0)
            .spawn()
            .context("can't run `/bin/sh`, which cleans up behind a private cluster")?;
        Ok(Self { shell })
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // It could only fail if somebody else had waited for the shell, which nobody can.
        let _ = self.shell.wait();
    }
}

/// A command under `account`, free of the settings that PostgreSQL reads from the environment.
fn command(program: &Path, account: Option<&Account>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("PG") {
            command.env_remove(name);
        }
    }
    command.env("LC_ALL", "C");
    if let Some(account) = account {
        account.applied_to(&mut command);
    }
    command
}

/// Where the cluster's folder goes: the temporary folder, unless `account` can't reach it or
/// couldn't delete its own folder in it.
fn base_folder(account: Option<&Account>) -> anyhow::Result<PathBuf> {
    let temp = env::temp_dir();
    let Some(account) = account else {
        return Ok(temp);
    };
    let candidates = [temp, "/tmp".into(), "/var/tmp".into()];
    let open = candidates.iter().find(|dir| open_to_all(dir));
    open.cloned().with_context(|| {
        format!(
            "user {}, which the server has to run as, can write to none of {candidates:?}: set \
             TMPDIR to a folder that everybody may write to",
            account.name
        )
    })
}

/// Whether everybody can reach `dir` and write to it.
fn open_to_all(dir: &Path) -> bool {
    let Ok(dir) = dir.canonicalize() else {
        return false;
    };
    let allows = |dir: &Path, bits| {
        fs::metadata(dir).is_ok_and(|it| it.permissions().mode() & bits == bits && it.is_dir())
    };
    allows(&dir, 0o003) && dir.ancestors().all(|dir| allows(dir, 0o001))
}

/// A port that was free a moment ago.
fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn settings_are_quoted_and_come_last() {
        let options = ClusterOptions::new()
            .setting("fsync", "off")
            .setting("log_line_prefix", r"it's %m\");
        let config = options.config();
        assert!(
            config.starts_with("listen_addresses = '127.0.0.1'\n"),
            "{config}"
        );
        assert!(
            config.ends_with("fsync = 'on'\nfsync = 'off'\nlog_line_prefix = 'it''s %m\\\\'\n"),
            "{config}"
        );
    }

    #[test]
    fn a_folder_is_open_only_when_the_way_to_it_is() {
        let root = tempfile::tempdir().unwrap();
        let open = root.path().join("open");
        fs::create_dir(&open).unwrap();
        let chmod = |dir: &Path, mode| {
            fs::set_permissions(dir, fs::Permissions::from_mode(mode)).unwrap();
        };
        chmod(&open, 0o1777);
        chmod(root.path(), 0o755);
        assert!(open_to_all(&open));
        chmod(root.path(), 0o700);
        assert!(!open_to_all(&open));
        chmod(root.path(), 0o755);
        chmod(&open, 0o755);
        assert!(!open_to_all(&open));
        assert!(!open_to_all(&root.path().join("absent")));
    }

    #[test]
    fn the_guardian_acts_when_its_owner_is_gone() {
        let folder = tempfile::tempdir().unwrap().keep();
        let binaries = Binaries {
            dir: "/nonexistent".into(),
            version: crate::Version {
                major: 15,
                minor: 0,
            },
        };
        let mut guardian = Guardian::watch(&folder, &binaries, None).unwrap();
        thread::sleep(Duration::from_millis(50));
        assert!(folder.exists());

        // What the kernel does to a killed process: its end of the pipe closes, nothing is waited
        // for.
        drop(guardian.shell.stdin.take());
        let deadline = Instant::now() + Duration::from_secs(10);
        while folder.exists() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
        assert!(!folder.exists());
    }
}
