//! Installing the system's PostgreSQL where that needs no password.

use std::process::Command;

use anyhow::bail;

use crate::child::Children;
use crate::server::runs;

/// What to run with a package manager, one command after the other.
struct Manager {
    program: &'static str,
    commands: &'static [&'static [&'static str]],
    needs_root: bool,
}

const MANAGERS: [Manager; 4] = [
    Manager {
        program: "apt-get",
        commands: &[
            &["update", "-q"],
            &[
                "install",
                "-q",
                "-y",
                "--no-install-recommends",
                "postgresql",
            ],
        ],
        needs_root: true,
    },
    Manager {
        program: "dnf",
        commands: &[&["install", "-q", "-y", "postgresql-server"]],
        needs_root: true,
    },
    Manager {
        program: "apk",
        commands: &[&["add", "--no-progress", "postgresql"]],
        needs_root: true,
    },
    Manager {
        program: "brew",
        commands: &[&["install", "postgresql"]],
        needs_root: false,
    },
];

/// What the machine answers about itself.
struct Machine {
    /// Whether a package manager is there.
    has: fn(&str) -> bool,
    is_root: bool,
    /// Whether `sudo` asks for no password.
    may_sudo: fn() -> bool,
}

/// Installs the server's package.
pub fn install(children: &Children) -> anyhow::Result<()> {
    let machine = Machine {
        has: |program| runs(program, "--version"),
        is_root: is_root(),
        may_sudo: || {
            let answer = Command::new("sudo").args(["-n", "true"]).output();
            answer.is_ok_and(|answer| answer.status.success())
        },
    };
    for words in commands(&machine)? {
        eprintln!(
            "xtask: no PostgreSQL server here; running `{}`",
            words.join(" ")
        );
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        command.env("DEBIAN_FRONTEND", "noninteractive");
        if children.run(&mut command)? != 0 {
            bail!(
                "{}",
                advice("and its package could not be installed, see above")
            );
        }
    }
    Ok(())
}

/// The commands that install the package on this machine, in order; none of them is empty.
fn commands(machine: &Machine) -> anyhow::Result<Vec<Vec<&'static str>>> {
    let manager = MANAGERS
        .iter()
        .find(|manager| (machine.has)(manager.program));
    let Some(manager) = manager else {
        bail!("{}", advice("and no package manager that is known here"));
    };
    let prefix: &[&str] = if !manager.needs_root || machine.is_root {
        &[]
    } else if (machine.may_sudo)() {
        &["sudo", "-n"]
    } else {
        bail!("{}", advice("and installing one needs a password"));
    };
    let command = |arguments: &&[&'static str]| {
        let words = prefix.iter().chain([&manager.program]);
        words.chain(*arguments).copied().collect()
    };
    Ok(manager.commands.iter().map(command).collect())
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn advice(why: &str) -> String {
    format!(
        "no PostgreSQL server was found on this machine, {why}. Install one (Debian, Ubuntu: \
         `sudo apt-get install postgresql`; Fedora: `sudo dnf install postgresql-server`; macOS: \
         `brew install postgresql`), or set MIRE_PG_BIN to the folder with `initdb` and \
         `postgres`, or set DATABASE_URL to a server on which databases may be created"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(machine: &Machine) -> Vec<String> {
        let commands = commands(machine).unwrap();
        commands.iter().map(|words| words.join(" ")).collect()
    }

    #[test]
    fn the_package_is_installed_with_what_the_machine_has() {
        let debian = Machine {
            has: |program| program == "apt-get",
            is_root: true,
            may_sudo: || false,
        };
        assert_eq!(
            lines(&debian),
            [
                "apt-get update -q",
                "apt-get install -q -y --no-install-recommends postgresql"
            ]
        );
        let fedora = Machine {
            has: |program| program == "dnf",
            is_root: false,
            may_sudo: || true,
        };
        assert_eq!(
            lines(&fedora),
            ["sudo -n dnf install -q -y postgresql-server"]
        );
        let mac = Machine {
            has: |program| program == "brew",
            is_root: false,
            may_sudo: || false,
        };
        assert_eq!(lines(&mac), ["brew install postgresql"]);
    }

    #[test]
    fn where_it_would_need_a_password_it_says_so() {
        let locked = Machine {
            has: |program| program == "apt-get",
            is_root: false,
            may_sudo: || false,
        };
        let bare = Machine {
            has: |_| false,
            is_root: true,
            may_sudo: || true,
        };
        for (machine, why) in [(locked, "password"), (bare, "no package manager")] {
            let text = commands(&machine).unwrap_err().to_string();
            assert!(
                text.contains(why) && text.contains("DATABASE_URL"),
                "{text}"
            );
        }
    }

    #[test]
    fn the_advice_names_every_way_out() {
        let text = advice("and so on");
        for way in [
            "apt-get install",
            "MIRE_PG_BIN",
            "DATABASE_URL",
            "and so on",
        ] {
            assert!(text.contains(way), "{way}");
        }
    }
}
