//! The table of words is the one source of the messages; this holds the documentation of the macros
//! against it.

use mire_codegen::keywords::{Place, WORDS};

const DOCUMENTATION: &str = include_str!("../../mire-macros/src/lib.rs");

/// The documentation of one macro.
fn of(function: &str) -> &'static str {
    let end = DOCUMENTATION.find(&format!("pub fn {function}(")).unwrap();
    let before = &DOCUMENTATION[..end];
    &before[before.rfind("\n}\n").unwrap_or(0)..]
}

#[test]
fn every_word_is_documented_as_it_is_written() {
    for word in WORDS {
        let documentation = match word.place {
            Place::Aggregate | Place::Event | Place::Command => of("aggregate"),
            Place::Projection | Place::On | Place::Column => of("projection"),
            _ => of("derive_event_data"),
        };
        assert!(
            documentation.contains(&format!("`{}`", word.form)),
            "`{}` of {:?} is not in the documentation of its macro",
            word.form,
            word.place
        );
    }
}
