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

/// Installs the server's package.
pub fn install(children: &Children) -> anyhow::Result<()> {
    let manager = MANAGERS
        .iter()
        .find(|manager| runs(manager.program, "--version"));
    let Some(manager) = manager else {
        bail!("{}", advice("and no package manager that is known here"));
    };
    let prefix: &[&str] = match (manager.needs_root, is_root()) {
        (false, _) | (true, true) => &[],
        (true, false)
            if Command::new("sudo")
                .args(["-n", "true"])
                .output()
                .is_ok_and(|o| o.status.success()) =>
        {
            &["sudo", "-n"]
        }
        (true, false) => bail!("{}", advice("and installing one needs a password")),
    };
    eprintln!(
        "xtask: no PostgreSQL server here; installing it with {}",
        manager.program
    );
    for arguments in manager.commands {
        let mut words = prefix.iter().chain([&manager.program]).chain(*arguments);
        let mut command = Command::new(words.next().unwrap_or(&manager.program));
        // Debian's package would create and start a cluster of its own.
        command.args(words).env("DEBIAN_FRONTEND", "noninteractive");
        if children.run(&mut command)? != 0 {
            bail!(
                "{}",
                advice("and its package could not be installed, see above")
            );
        }
    }
    Ok(())
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
