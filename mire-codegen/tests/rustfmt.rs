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
fn a_projection_is_put_in_shape() {
    let formatted = rustfmt(
        "mire::projection!(\n#[projection(subscription=\"lights\",table=\"all_lights\",reads(LightEvent))]\n\
         #[ignores(LightEvent::Dimmed,LightEvent::Broken)]\n\
         struct Light{#[key]\nlight:LightId,#[index] on:bool}\n\
         #[on(LightEvent::Switched,key(light))]\nfn switched(&mut self,on:bool){self.on=on;}\n\
         #[on(LightEvent::Removed,delete)]\nfn removed(&mut self){}\n);\n",
    );
    assert_eq!(
        formatted,
        "mire::projection!(\n    \
         #[projection(subscription = \"lights\", table = \"all_lights\", reads(LightEvent))]\n    \
         #[ignores(LightEvent::Dimmed, LightEvent::Broken)]\n    \
         struct Light {\n        #[key]\n        light: LightId,\n        #[index]\n        on: bool,\n    }\n    \
         #[on(LightEvent::Switched, key(light))]\n    \
         fn switched(&mut self, on: bool) {\n        self.on = on;\n    }\n    \
         #[on(LightEvent::Removed, delete)]\n    \
         fn removed(&mut self) {}\n);\n",
    );
}

#[test]
fn files_that_use_the_macros_are_in_shape() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for folder in [
        "ui-tests/pass",
        "ui-tests/fail",
        "ui-tests/renamed",
        "examples",
        "mire-codegen/examples/snapshot_your_domain",
        "mire/tests",
    ] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|it| it == "rs") {
                let source = std::fs::read_to_string(&path).unwrap();
                assert_eq!(source, rustfmt(&source), "{}", path.display());
            }
        }
    }
}
