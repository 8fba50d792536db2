//! What the macros refuse, and with which words. Running this with `TRYBUILD=overwrite` records the
//! messages anew.

#[test]
fn refused() {
    // Without a case that passes, trybuild only checks, and links nothing.
    trybuild::TestCases::new().compile_fail("fail/*.rs");
}

/// What they accept are programs of their own, listed in this package's manifest.
#[test]
fn no_program_is_left_out() {
    let here = env!("CARGO_MANIFEST_DIR");
    let manifest = std::fs::read_to_string(format!("{here}/Cargo.toml")).unwrap();
    let mut programs = 0;
    for entry in std::fs::read_dir(format!("{here}/pass")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let listed = format!("path = \"pass/{name}\"\nharness = false");
        assert!(
            manifest.contains(&listed),
            "`pass/{name}` never runs: give it a `[[test]]` in ui-tests/Cargo.toml"
        );
        programs += 1;
    }
    assert!(programs > 3, "the programs were not found");
}
