//! Which PostgreSQL the tests run on.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail};
use mire_testkit::{Account, Binaries, ClusterOptions, PG_BIN_VARIABLE, PrivateCluster};

use crate::child::Children;
use crate::install;

/// A server for the tests: the one that was given, or a private one that ends with this value.
pub enum Server {
    /// The server that `DATABASE_URL` names.
    Given(String),
    /// A private cluster in a temporary folder.
    Private(PrivateCluster),
}

impl Server {
    /// The server that `DATABASE_URL` names, after a look at whether it serves; else a private one.
    pub fn bring(children: &Children) -> anyhow::Result<Self> {
        let given = env::var("DATABASE_URL").unwrap_or_default();
        if given.is_empty() {
            return Self::private(children);
        }
        let mut check = crate::cargo();
        check.args([
            "run",
            "--quiet",
            "--package",
            "mire-testkit",
            "--bin",
            "mire-check-server",
        ]);
        match children.run(&mut check)? {
            0 => Ok(Self::Given(given)),
            _ => bail!(
                "the server that DATABASE_URL names can't be used, see above: mend it, or unset \
                 DATABASE_URL to run the tests on a private server"
            ),
        }
    }

    /// A private server, from programs on this machine or from the system's package.
    pub fn private(children: &Children) -> anyhow::Result<Self> {
        let account = Account::for_servers()?;
        let binaries = match Binaries::find(account.as_ref())? {
            Some(binaries) => binaries,
            None => {
                install::install(children)?;
                // The package may have brought the account that servers run under.
                let account = Account::for_servers()?;
                Binaries::find(account.as_ref())?.context(
                    "the package was installed, but no PostgreSQL server was found: set \
                     MIRE_PG_BIN to the folder with `initdb` and `postgres`",
                )?
            }
        };
        eprintln!(
            "xtask: PostgreSQL {} from {}",
            binaries.version,
            binaries.dir.display()
        );
        let cluster = PrivateCluster::start(ClusterOptions::new())?;
        Ok(Self::Private(cluster))
    }

    /// Its URL.
    pub fn url(&self) -> String {
        match self {
            Self::Given(url) => url.clone(),
            Self::Private(cluster) => cluster.url(),
        }
    }

    /// What programs that use it find in their environment.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let mut variables = vec![("DATABASE_URL", self.url())];
        if let Self::Private(cluster) = self {
            let bin: PathBuf = cluster.bin_dir().into();
            variables.push((PG_BIN_VARIABLE, bin.display().to_string()));
        }
        variables
    }
}

/// Whether a program can be run at all.
pub fn runs(program: &str, argument: &str) -> bool {
    Command::new(program)
        .arg(argument)
        .output()
        .is_ok_and(|output| output.status.success())
}
