//! Shows what a snapshot test of a domain looks at.
//!
//! Why this pattern: the log outlives the code. An event that is renamed by accident can't be read
//! any more, and nothing in the types says so. A snapshot of the outline turns that accident into a
//! difference in a review; a snapshot of the expansion shows what an update of mire changes.
//!
//! In a project of your own this is a test, with `insta::assert_snapshot!` in place of `println!`.

const SOURCE: &str = include_str!("../../ui-tests/pass/bank.rs");

fn main() -> Result<(), syn::Error> {
    for call in mire_codegen::calls(SOURCE)? {
        println!("{}", call.outline);
        println!("{} lines of expansion", call.expansion.lines().count());
    }
    Ok(())
}
