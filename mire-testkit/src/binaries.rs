//! Where the PostgreSQL server is installed.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::bail;

use crate::Account;

/// The environment variable that names the folder of the server's programs and is looked at first.
/// `cargo xtask test` exports it.
pub const PG_BIN_VARIABLE: &str = "MIRE_PG_BIN";

/// What a folder must hold to be of use.
const PROGRAMS: [&str; 3] = ["initdb", "pg_ctl", "postgres"];

/// The oldest major version that runs the tests: `DROP DATABASE … WITH (FORCE)` came with it.
const OLDEST: u32 = 13;

/// Where distributions put servers: a folder, how a name in it begins, what follows the name.
const USUAL_PLACES: [(&str, &str, &str); 13] = [
    ("usr/lib/postgresql", "", "bin"),         // Debian, Ubuntu
    ("usr", "pgsql-", "bin"),                  // the PostgreSQL project's RPMs
    ("usr/lib", "postgresql", "bin"),          // SUSE
    ("usr/libexec", "postgresql", ""),         // Alpine
    ("usr/local", "pgsql", "bin"),             // built from source
    ("opt/homebrew/opt", "postgresql", "bin"), // Homebrew on Apple silicon
    ("usr/local/opt", "postgresql", "bin"),    // Homebrew on Intel
    ("home/linuxbrew/.linuxbrew/opt", "postgresql", "bin"),
    ("opt/local/lib", "postgresql", "bin"), // MacPorts
    ("Applications/Postgres.app/Contents/Versions", "", "bin"),
    ("Library/PostgreSQL", "", "bin"), // EDB's installer
    ("opt", "postgresql", "bin"),
    ("run/current-system", "sw", "bin"), // NixOS
];

/// The version of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// 15 in 15.3.
    pub major: u32,
    /// 3 in 15.3; 0 for betas.
    pub minor: u32,
}

impl Version {
    /// Reads the answer of `postgres --version`, such as `postgres (PostgreSQL) 15.3 (Debian 15.3)`.
    fn parse(text: &str) -> Option<Self> {
        let number = text.split_whitespace().nth(2)?;
        let (major, rest) = number.split_at(number.find(|c: char| !c.is_ascii_digit())?);
        Some(Self {
            major: major.parse().ok()?,
            minor: rest.trim_start_matches('.').parse().unwrap_or(0),
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// An installed PostgreSQL server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// The folder with `initdb`, `pg_ctl` and `postgres`.
    pub dir: PathBuf,
    /// The server's version.
    pub version: Version,
}

impl Binaries {
    /// Looks for a server that `account` (`None`: the current user) can run: in the folder that
    /// `MIRE_PG_BIN` names, on the `PATH`, where `pg_config` says, and then in the usual places,
    /// where the newest version wins.
    ///
    /// # Errors
    ///
    /// When `MIRE_PG_BIN` is set to a folder without a server. No server at all is `None`.
    pub fn find(account: Option<&Account>) -> anyhow::Result<Option<Self>> {
        let version = |dir: &Path| version_in(dir, account);
        if let Some(dir) = env::var_os(PG_BIN_VARIABLE).filter(|dir| !dir.is_empty()) {
            return match version(Path::new(&dir)) {
                Some(version) => Ok(Some(Self {
                    dir: dir.into(),
                    version,
                })),
                None => bail!(
                    "{PG_BIN_VARIABLE} is `{}`, where no PostgreSQL {OLDEST} or newer can be run: \
                     it has to be the folder with `initdb`, `pg_ctl` and `postgres`",
                    dir.display()
                ),
            };
        }
        let named = on_path(env::var_os("PATH")).into_iter().chain(pg_config());
        Ok(choose(named, usual_places(Path::new("/")), version))
    }
}

/// The first of the folders that were named, or else the newest of those that were guessed.
fn choose(
    named: impl IntoIterator<Item = PathBuf>,
    guessed: impl IntoIterator<Item = PathBuf>,
    version: impl Fn(&Path) -> Option<Version>,
) -> Option<Binaries> {
    let with_version = |dir: PathBuf| {
        let version = version(&dir)?;
        (version.major >= OLDEST).then_some(Binaries { dir, version })
    };
    let first = named.into_iter().find_map(with_version);
    first.or_else(|| {
        let found = guessed.into_iter().filter_map(with_version);
        found.max_by_key(|binaries| binaries.version)
    })
}

/// Folders of the `PATH` that have an `initdb`. A link is followed: Debian and Alpine keep the
/// programs side by side elsewhere.
fn on_path(path: Option<OsString>) -> Vec<PathBuf> {
    let path = path.unwrap_or_default();
    env::split_paths(&path)
        .filter_map(|dir| dir.join("initdb").canonicalize().ok())
        .filter_map(|initdb| Some(initdb.parent()?.to_owned()))
        .collect()
}

/// The folder that `pg_config` names. It may exist without a server: the client library's
/// development package brings it too.
fn pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().into()).filter(|_| output.status.success())
}

fn usual_places(root: &Path) -> Vec<PathBuf> {
    let mut places = Vec::new();
    for (folder, prefix, rest) in USUAL_PLACES {
        let Ok(entries) = root.join(folder).read_dir() else {
            continue;
        };
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().starts_with(prefix) {
                places.push(entry.path().join(rest));
            }
        }
    }
    places.retain(|dir| dir.join("initdb").exists());
    places
}

/// The version of the server in `dir`, or `None` when `account` can't run it.
fn version_in(dir: &Path, account: Option<&Account>) -> Option<Version> {
    if !PROGRAMS.iter().all(|program| dir.join(program).exists()) {
        return None;
    }
    let mut command = Command::new(dir.join("postgres"));
    command.arg("--version").current_dir("/");
    if let Some(account) = account {
        account.applied_to(&mut command);
    }
    let output = command.output().ok()?;
    Version::parse(&String::from_utf8_lossy(&output.stdout))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn v(major: u32, minor: u32) -> Version {
        Version { major, minor }
    }

    /// Folder names that end in a version stand for servers of that version.
    fn by_name(dir: &Path) -> Option<Version> {
        let name = dir.file_name()?.to_str()?;
        Version::parse(&format!("postgres (PostgreSQL) {name}.0"))
    }

    fn dirs(names: &[&str]) -> Vec<PathBuf> {
        names.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn versions_of_releases_and_betas() {
        let debian = "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n";
        assert_eq!(Version::parse(debian), Some(v(15, 18)));
        assert_eq!(
            Version::parse("postgres (PostgreSQL) 19beta1"),
            Some(v(19, 0))
        );
        assert_eq!(
            Version::parse("postgres (PostgreSQL) 9.6.24"),
            Some(v(9, 0))
        );
        assert_eq!(Version::parse("sh: not found"), None);
        assert_eq!(Version::parse(""), None);
    }

    #[test]
    fn a_named_folder_comes_before_a_newer_guess() {
        let found = choose(dirs(&["/a/none", "/b/14"]), dirs(&["/c/16"]), by_name).unwrap();
        assert_eq!(found.dir, Path::new("/b/14"));
    }

    #[test]
    fn the_newest_guess_wins_by_number_not_by_text() {
        let found = choose(None, dirs(&["/c/14", "/c/101", "/c/16"]), by_name).unwrap();
        assert_eq!(found.version, v(101, 0));
    }

    #[test]
    fn servers_that_are_too_old_are_passed_over() {
        let found = choose(dirs(&["/a/12"]), dirs(&["/c/9", "/c/13"]), by_name).unwrap();
        assert_eq!(found.dir, Path::new("/c/13"));
        assert_eq!(choose(dirs(&["/a/12"]), None, by_name), None);
    }

    #[test]
    fn the_usual_places_are_searched_by_pattern() {
        let root = tempfile::tempdir().unwrap();
        for dir in [
            "usr/lib/postgresql/15/bin",
            "usr/pgsql-16/bin",
            "usr/share/bin",
            "opt/homebrew/opt/postgresql@17/bin",
            "opt/homebrew/opt/openssl@3/bin",
        ] {
            fs::create_dir_all(root.path().join(dir)).unwrap();
            fs::write(root.path().join(dir).join("initdb"), "").unwrap();
        }
        fs::create_dir_all(root.path().join("usr/lib/postgresql/14/bin")).unwrap();

        let mut found = usual_places(root.path());
        found.sort();
        let expected = [
            "opt/homebrew/opt/postgresql@17/bin",
            "usr/lib/postgresql/15/bin",
            "usr/pgsql-16/bin",
        ];
        assert_eq!(found, expected.map(|dir| root.path().join(dir)));
    }

    #[test]
    fn a_link_on_the_path_leads_to_the_programs() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let (real, links) = (root.join("real"), root.join("links"));
        fs::create_dir(&real).unwrap();
        fs::create_dir(&links).unwrap();
        fs::write(real.join("initdb"), "").unwrap();
        std::os::unix::fs::symlink(real.join("initdb"), links.join("initdb")).unwrap();

        let path = env::join_paths([root.join("absent"), links]).unwrap();
        assert_eq!(on_path(Some(path)), [real]);
        assert!(on_path(None).is_empty());
    }

    #[test]
    fn a_folder_without_a_server_has_no_version() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(version_in(dir.path(), None), None);
        for program in PROGRAMS {
            fs::write(dir.path().join(program), "not a program").unwrap();
        }
        assert_eq!(version_in(dir.path(), None), None);
    }
}
