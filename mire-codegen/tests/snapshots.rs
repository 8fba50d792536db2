//! Each fixture that compiles is also a snapshot of its outline and of its expansion. Running this
//! with `INSTA_UPDATE=always` records them anew.

use std::fs;
use std::path::Path;

#[test]
fn outlines_and_expansions_of_the_fixtures() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ui-tests/pass");
    let mut paths: Vec<_> = fs::read_dir(fixtures)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty());
    for path in paths {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let calls = mire_codegen::calls(&fs::read_to_string(&path).unwrap()).unwrap();
        for (at, call) in calls.iter().enumerate() {
            insta::assert_snapshot!(format!("{name}-{at}-outline"), call.outline);
            insta::assert_snapshot!(format!("{name}-{at}-expansion"), call.expansion);
        }
    }
}
