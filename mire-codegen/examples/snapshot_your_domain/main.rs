//! A snapshot test of a domain, to be copied.
//!
//! Why this pattern: the log outlives the code. An event that is renamed by accident can't be read
//! any more, and nothing in the types says so. A snapshot of the outline turns that accident into a
//! difference in a review; a snapshot of the expansion shows what an update of mire changes.
//!
//! In a project of your own the test stands in `tests/`, `SOURCE` includes the file with your
//! declarations, and `mire-codegen` and `insta` are dev-dependencies. `cargo insta review`, or
//! `INSTA_UPDATE=always cargo test`, accepts a difference.
//!
//! ```sh
//! cargo run -p mire-codegen --example snapshot_your_domain     # prints what the test looks at
//! cargo test -p mire-codegen --example snapshot_your_domain
//! ```

const SOURCE: &str = include_str!("domain.rs");

fn main() -> Result<(), syn::Error> {
    for call in mire_codegen::calls(SOURCE)? {
        println!("{}\n{}", call.outline, call.expansion);
    }
    Ok(())
}

#[test]
fn what_is_stored_and_what_is_written() {
    let calls = mire_codegen::calls(SOURCE).expect("the domain is Rust");
    assert_eq!(calls.len(), 2);
    for call in calls {
        insta::assert_snapshot!(format!("{}-outline", call.name), call.outline);
        insta::assert_snapshot!(format!("{}-expansion", call.name), call.expansion);
    }
}
