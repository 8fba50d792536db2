//! Writes the programs that `tests/hundred_events.rs` is built of.

use std::path::Path;
use std::{env, fs};

#[path = "../mire-codegen/examples/hundred_events.rs"]
#[allow(dead_code)]
mod hundred_events;

fn main() {
    println!("cargo::rerun-if-changed=../mire-codegen/examples/hundred_events.rs");
    let out = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    for (name, program) in [
        ("declared.rs", hundred_events::declared(3)),
        ("by_hand.rs", hundred_events::by_hand(3)),
    ] {
        fs::write(Path::new(&out).join(name), program).expect("OUT_DIR can be written to");
    }
}
