//! What the macros refuse, and with which words. Running this with `TRYBUILD=overwrite` records the
//! messages anew.

use std::fs;
use std::path::Path;

#[test]
fn refused() {
    // Without a case that passes, trybuild only checks, and links nothing.
    trybuild::TestCases::new().compile_fail("fail/*.rs");
}

/// What they accept are programs of their own, listed in this package's manifest.
#[test]
fn no_program_is_left_out() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let mut programs = 0;
    for file in fs::read_dir(root.join("pass")).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let listed = format!("path = \"pass/{name}\"\nharness = false");
        assert!(
            manifest.contains(&listed),
            "`pass/{name}` never runs: give it a `[[test]]` in ui-tests/Cargo.toml"
        );
        let source = fs::read_to_string(root.join("pass").join(&name)).unwrap();
        let lints = source.lines().find(|line| line.starts_with("#![deny("));
        assert_eq!(
            lints,
            Some("#![deny(missing_docs, warnings, clippy::pedantic)]"),
            "{name}: what the macros write gives no warning, and this is how that shows"
        );
        programs += 1;
    }
    assert!(programs > 3, "the programs were not found");
}
