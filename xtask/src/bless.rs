//! Recording compiler messages and snapshots anew.

use std::process::Command;

use crate::child::Children;

/// Runs the tests that record, and says what they changed.
pub fn bless(children: &Children) -> anyhow::Result<u8> {
    // Messages first: a test of the other package looks for each of them among the recorded ones.
    let recordings = [
        ("ui-tests", "TRYBUILD", "overwrite"),
        ("mire-codegen", "INSTA_UPDATE", "always"),
    ];
    for (package, variable, value) in recordings {
        let mut cargo = crate::cargo();
        cargo
            .args(["test", "--quiet", "--package", package])
            .env(variable, value);
        match children.run(&mut cargo)? {
            0 => {}
            code => return Ok(code),
        }
    }
    let mut git = Command::new("git");
    git.current_dir(crate::root())
        .args(["status", "--short", "--", "ui-tests", "mire-codegen"]);
    eprintln!("xtask: recorded; what differs from the last commit:");
    children.run(&mut git)
}
