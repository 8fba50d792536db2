//! The content of the macros is formatted by rustfmt, like any Rust.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

fn rustfmt(source: &str) -> String {
    let mut child = Command::new("rustfmt")
        .args(["--edition", "2024", "--config", "style_edition=2024"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("rustfmt is a component of the toolchain");
    let mut input = child.stdin.take().unwrap();
    input.write_all(source.as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn content_that_is_out_of_shape_is_put_in_shape() {
    let formatted = rustfmt(
        "mire::aggregate!(\n#[aggregate(category=\"light\",id(LightId),crate(mire))]\n\
         struct Light{on:bool}\n#[event(version=2,upcast(switched_v1))]\n\
         fn switched(&mut self,on:bool){self.on=on;}\n);\n",
    );
    assert_eq!(
        formatted,
        "mire::aggregate!(\n    #[aggregate(category = \"light\", id(LightId), crate(mire))]\n    \
         struct Light {\n        on: bool,\n    }\n    \
         #[event(version = 2, upcast(switched_v1))]\n    \
         fn switched(&mut self, on: bool) {\n        self.on = on;\n    }\n);\n",
    );
}

#[test]
fn the_fixtures_are_in_shape() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ui-tests");
    for folder in ["pass", "fail"] {
        for entry in std::fs::read_dir(fixtures.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|it| it == "rs") {
                let source = std::fs::read_to_string(&path).unwrap();
                assert_eq!(source, rustfmt(&source), "{}", path.display());
            }
        }
    }
}
