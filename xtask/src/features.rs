//! Checking the combinations of mire's backends.

use std::process::Stdio;

use anyhow::bail;

use crate::child::Children;

/// Each combination that has to build.
const COMBINATIONS: [&str; 3] = ["postgres", "sqlite", "postgres,sqlite"];

/// What the compiler has to say when there is no backend.
const NO_BACKEND: &str = "mire needs a database";

/// Checks each combination, and that none at all is refused with one clear message.
pub fn check(children: &Children) -> anyhow::Result<u8> {
    for features in COMBINATIONS {
        eprintln!("xtask: mire with {features}");
        let mut cargo = check_mire();
        cargo.args(["--features", features]);
        match children.run(&mut cargo)? {
            0 => {}
            code => return Ok(code),
        }
    }
    eprintln!("xtask: mire without a backend, which has to be refused");
    let output = check_mire().stdin(Stdio::null()).output()?;
    let says = String::from_utf8_lossy(&output.stderr);
    if output.status.success() || !says.contains(NO_BACKEND) {
        bail!("mire without a backend is not refused with `{NO_BACKEND}`:\n{says}");
    }
    Ok(0)
}

fn check_mire() -> std::process::Command {
    let mut cargo = crate::cargo();
    cargo.args([
        "check",
        "--quiet",
        "--package",
        "mire",
        "--no-default-features",
    ]);
    cargo
}
