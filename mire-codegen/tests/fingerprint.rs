//! Which changes of a declaration make another version of its table, to be built anew, or leave its
//! snapshots aside.

const DECLARED: &str = "
    #[projection(subscription = \"lights\", reads(LightEvent))]
    #[ignores(LightEvent::Dimmed)]
    struct Light {
        #[key]
        light: String,
        room: String,
        on: bool,
        times: i64,
        #[json]
        seen: Vec<String>,
    }
    #[on(LightEvent::Switched, key(lamp))]
    fn switched(&mut self, on: bool) {
        self.on = on;
        self.times += 1;
    }
    #[on(LightEvent::Removed, delete)]
    fn removed(&mut self) {}
    #[on(LightEvent::Broken)]
    fn broken(&mut self) {}
";

fn fingerprint(source: &str) -> String {
    let expansion = mire_codegen::projection(source.parse().unwrap()).to_string();
    number(&expansion, "let fingerprint = ")
}

/// The number behind some text of an expansion.
fn number(expansion: &str, before: &str) -> String {
    assert!(!expansion.contains("compile_error"), "{expansion}");
    let (_, rest) = expansion.split_once(before).unwrap();
    rest.split_once("u32").unwrap().0.to_owned()
}

#[test]
fn what_changes_rows_changes_the_fingerprint_and_nothing_else_does() {
    let declared = fingerprint(DECLARED);
    let mut all = vec![declared.clone()];
    for (from, to) in [
        // The columns: type, nullability, index, key, form, name, order, and which there are.
        ("times: i64", "times: i32"),
        ("on: bool,\n", "on: Option<bool>,\n"),
        ("times: i64", "#[index] times: i64"),
        (
            "#[key]\n        light: String,\n        room: String",
            "light: String,\n        #[key]\n        room: String",
        ),
        ("#[json]", ""),
        ("times: i64", "count: i64"),
        ("on: bool,\n        times: i64,", "times: i64, on: bool,"),
        ("times: i64,", "times: i64, more: i64,"),
        // What is done for which event, and in which row.
        ("self.times += 1", "self.times += 2"),
        ("&mut self, on: bool", "&mut self, on: u8"),
        ("LightEvent::Broken", "LightEvent::Lost"),
        ("(LightEvent::Broken)", "(LightEvent::Broken, delete)"),
        ("key(lamp)", "key(bulb)"),
        (", key(lamp)", ""),
        // A table of another name is another table.
        ("\"lights\",", "\"lights\", table = \"lamps\","),
        // What the declaration doesn't show.
        ("\"lights\",", "\"lights\", revision = 2,"),
        ("\"lights\",", "\"lights\", revision = 3,"),
    ] {
        assert!(DECLARED.contains(from), "{from}");
        let changed = fingerprint(&DECLARED.replacen(from, to, 1));
        assert!(!all.contains(&changed), "{from} -> {to}");
        all.push(changed);
    }
    for (from, to) in [
        ("on: bool,\n", "/// Whether it shines.\n on: bool,\n"),
        ("self.on = on;\n        ", "self.on = on; // at once\n"),
        ("struct Light", "#[derive(Debug)] pub struct Light"),
        ("fn broken", "fn breaks"),
    ] {
        assert!(DECLARED.contains(from), "{from}");
        let same = fingerprint(&DECLARED.replacen(from, to, 1));
        assert_eq!(same, declared, "{from} -> {to}");
    }
}

const AGGREGATE: &str = "
    #[aggregate(category = \"lamp\", snapshot_every = 10)]
    #[serde(default)]
    struct Lamp {
        on: bool,
        #[serde(skip, default)]
        times: i64,
    }
    #[event(version = 2, upcast(switched_v1))]
    fn switched(&mut self, on: bool) {
        self.on = on;
        self.times += 1;
    }
    #[event]
    fn removed(&mut self) {}
    #[command]
    fn remove(&self) -> LampEvent {
        LampEvent::Removed
    }
";

fn snapshot_version(source: &str) -> String {
    let expansion = mire_codegen::aggregate(source.parse().unwrap()).to_string();
    number(&expansion, "const SNAPSHOT_VERSION : i32 = ")
}

#[test]
fn what_changes_a_state_leaves_its_snapshots_aside_and_nothing_else_does() {
    let mut all = vec![snapshot_version(AGGREGATE)];
    for (from, to) in [
        // How the state is stored.
        ("on: bool,\n", "on: Option<bool>,\n"),
        ("times: i64,", "times: i64, more: i64,"),
        ("#[serde(skip, default)]", ""),
        ("#[serde(default)]", ""),
        ("(default)", "(default, rename_all = \"camelCase\")"),
        // How it is folded.
        ("self.times += 1", "self.times += 2"),
        ("&mut self, on: bool", "&mut self, on: u8"),
        ("#[event]", "#[event(name = \"gone\")]"),
        ("\"lamp\"", "\"light\""),
        ("(switched_v1)", "(crate::switched_v1)"),
        (
            "version = 2, upcast(switched_v1)",
            "version = 3, upcast(switched_v1, switched_v2)",
        ),
        // What the declaration doesn't show.
        ("\"lamp\",", "\"lamp\", revision = 2,"),
        ("\"lamp\",", "\"lamp\", revision = 3,"),
    ] {
        assert!(AGGREGATE.contains(from), "{from}");
        let changed = snapshot_version(&AGGREGATE.replacen(from, to, 1));
        assert!(!all.contains(&changed), "{from} -> {to}");
        all.push(changed);
    }
    for (from, to) in [
        ("on: bool,\n", "/// Whether it shines.\n on: bool,\n"),
        ("self.on = on;\n        ", "self.on = on; // at once\n"),
        ("struct Lamp", "#[derive(Debug)] struct Lamp"),
        ("LampEvent::Removed", "{ LampEvent::Removed }"),
        ("= 10", "= 20"),
    ] {
        assert!(AGGREGATE.contains(from), "{from}");
        let changed = snapshot_version(&AGGREGATE.replacen(from, to, 1));
        assert_eq!(changed, all[0], "{from} -> {to}");
    }
}
