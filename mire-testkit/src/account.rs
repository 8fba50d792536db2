//! Whose name a server runs under: PostgreSQL refuses to run as root.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, bail};

/// The accounts that root hands a server to, first choice first.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

/// A user of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The user's name.
    pub name: String,
    /// The user's number.
    pub uid: u32,
    /// The number of the user's main group.
    pub gid: u32,
}

impl Account {
    /// The account that a server has to run under: `None` for the current user's, and an
    /// unprivileged one when the current user is root.
    ///
    /// # Errors
    ///
    /// When the current user is root and the machine has no unprivileged account to use.
    pub fn for_servers() -> anyhow::Result<Option<Self>> {
        if id("-u", None)? != 0 {
            return Ok(None);
        }
        for name in UNPRIVILEGED {
            if let (Ok(uid), Ok(gid)) = (id("-u", Some(name)), id("-g", Some(name))) {
                let name = name.to_owned();
                return Ok(Some(Self { name, uid, gid }));
            }
        }
        bail!(
            "PostgreSQL refuses to run as root, and this machine has neither a user `{}` nor \
             `{}`: create one with `useradd --system postgres`, or run as another user",
            UNPRIVILEGED[0],
            UNPRIVILEGED[1]
        )
    }

    /// Makes `command` run under this account, and without root's other groups.
    pub(crate) fn applied_to(&self, command: &mut Command) {
        // With a uid and no groups of its own, std drops the supplementary groups as well.
        command.uid(self.uid).gid(self.gid);
    }
}

/// Asks `id`, which every Unix has, since std can't look up a user.
fn id(what: &str, name: Option<&str>) -> anyhow::Result<u32> {
    let output = Command::new("id")
        .arg(what)
        .args(name)
        .output()
        .context("can't run `id`, which says who the current user is")?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim()
        .parse()
        .with_context(|| format!("`id {what}` answered `{}`", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_user_is_an_error() {
        assert!(id("-u", Some("no-such-user-here")).is_err());
    }

    #[test]
    fn only_root_changes_its_account() {
        let account = Account::for_servers().unwrap();
        assert_eq!(account.is_some(), id("-u", None).unwrap() == 0);
        assert!(account.is_none_or(|account| account.uid != 0));
    }
}
