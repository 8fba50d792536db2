//! What the macros accept and refuse. Running this with `TRYBUILD=overwrite` records the messages
//! anew.

#[test]
fn fixtures() {
    let cases = trybuild::TestCases::new();
    cases.pass("pass/*.rs");
    cases.compile_fail("fail/*.rs");
}
