//! Each message of the macros is recorded below `ui-tests/fail`, so that somebody reads it as its
//! reader will.

use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

/// What words no messages: expanding can't fail, and an outline is no message.
const SILENT: [&str; 4] = ["expand", "expand.rs", "outline.rs", "source.rs"];

/// Finds the texts that a source file has for people: literals of several words. A message may come
/// from a table or from a `format!`, so that where it goes to doesn't tell it from others.
#[derive(Default)]
struct Texts(Vec<String>);

impl Texts {
    fn add(&mut self, text: &syn::LitStr) {
        let text = text.value();
        let lines = text.lines().filter(|line| line.trim().contains(' '));
        self.0.extend(lines.map(str::to_owned));
    }
}

impl<'ast> Visit<'ast> for Texts {
    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let tests = |attr: &syn::Attribute| attr.path().is_ident("cfg");
        if !item.attrs.iter().any(tests) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
        self.add(text);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        // `quote!` and its like hold what is written, and no message.
        if call.path.is_ident("format") || call.path.is_ident("format_args") {
            let arguments =
                syn::punctuated::Punctuated::<syn::Expr, syn::Token![,]>::parse_terminated;
            for argument in call.parse_body_with(arguments).unwrap() {
                visit::visit_expr(self, &argument);
            }
        }
    }
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if SILENT.contains(&name) || name == "keywords.rs" {
            continue;
        }
        if path.is_dir() {
            sources(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// A text with one space for any space, as rustc indents further lines.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The parts of a format string between its `{}`s.
fn fixed_parts(format: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut chars = format.replace("{{", "\u{1}").replace("}}", "\u{2}");
    while let Some((before, rest)) = chars.split_once('{') {
        *parts.last_mut().unwrap() += before;
        parts.push(String::new());
        chars = rest.split_once('}').unwrap().1.to_owned();
    }
    *parts.last_mut().unwrap() += &chars;
    let braces = |part: &String| part.replace('\u{1}', "{").replace('\u{2}', "}");
    parts.iter().map(braces).collect()
}

/// Whether a line has these parts, one behind the other.
fn says(line: &str, parts: &[String]) -> bool {
    let mut rest = line;
    parts.iter().all(|part| match rest.split_once(&**part) {
        Some((_, behind)) => {
            rest = behind;
            true
        }
        None => false,
    })
}

#[test]
fn every_message_is_recorded() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut lines: Vec<String> = Vec::new();
    for entry in fs::read_dir(root.join("../ui-tests/fail")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|it| it == "stderr") {
            let recorded = fs::read_to_string(path).unwrap();
            lines.extend(recorded.lines().map(plain));
        }
    }
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    let (mut checked, mut missing) = (0, Vec::new());
    for path in files {
        let mut texts = Texts::default();
        texts.visit_file(&syn::parse_file(&fs::read_to_string(&path).unwrap()).unwrap());
        for text in texts.0 {
            checked += 1;
            let parts = fixed_parts(&text);
            if !lines.iter().any(|line| says(line, &parts)) {
                missing.push(format!(
                    "{}: {text}",
                    path.strip_prefix(root).unwrap().display()
                ));
            }
        }
    }
    assert!(checked > 200, "the messages were not found: {checked}");
    assert!(
        missing.is_empty(),
        "put these into a fixture of `ui-tests/fail`, and read them there:\n{}",
        missing.join("\n")
    );
}
