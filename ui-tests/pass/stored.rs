//! What serde's words and types may say of what is stored, and that it is read as it was.

#![deny(missing_docs, warnings, clippy::pedantic)]
#![allow(clippy::option_option, clippy::ref_option)]

use std::collections::BTreeMap;
use std::sync::OnceLock;

use mire::EventData;
use serde::{Deserialize, Serialize};

/// Any value of a sheet, which is no `Value` of `serde_json`'s.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Value(String);

/// Another value for a cell, if any.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
enum Change {
    #[default]
    Keep,
    Clear,
    Set(i64),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Place {
    row: u32,
    column: u32,
}

/// An `Option` in an `Option`, as a list of at most one.
mod twice {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(it: &Option<Option<i64>>, to: S) -> Result<S::Ok, S::Error> {
        it.as_slice().serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Option<i64>>, D::Error> {
        Vec::deserialize(from).map(|it| it.into_iter().next())
    }
}

/// An array of any length, as a list.
mod list {
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub fn serialize<S: Serializer>(it: &[u8; 40], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(it)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 40], D::Error> {
        let list = Vec::deserialize(from)?;
        list.try_into()
            .map_err(|_| de::Error::custom("not 40 bytes"))
    }
}

mire::aggregate!(
    #[aggregate(category = "sheet", id(SheetId), snapshot_every = 100)]
    #[derive(Debug)]
    struct Sheet {
        value: Option<Value>,
        change: Option<Change>,
        last: Option<Vec<Option<i64>>>,
        #[serde(with = "twice")]
        twice: Option<Option<i64>>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tags: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<String>,
        /// Filled where it is needed.
        #[serde(skip, default)]
        length: OnceLock<usize>,
        #[serde(rename = "right")]
        left: i64,
        #[serde(rename = "left")]
        right: i64,
    }

    #[event]
    fn filled(&mut self, value: Option<Value>, change: &Change, last: Option<Vec<Option<i64>>>) {
        self.value = value;
        self.change = Some(change.clone());
        self.last = last;
    }

    #[event]
    fn tagged(
        &mut self,
        #[serde(default, skip_serializing_if = "Vec::is_empty")] tags: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")] note: Option<String>,
        #[serde(rename = "right")] left: i64,
        #[serde(rename = "left", alias = "east")] right: i64,
    ) {
        self.length = OnceLock::new();
        (self.tags, self.note) = (tags, note);
        (self.left, self.right) = (left, right);
    }

    #[event]
    fn marked(
        &mut self,
        #[serde(with = "twice")] twice: Option<Option<i64>>,
        #[serde(with = "list")] checksum: &[u8; 40],
        #[serde(flatten)] place: &Place,
        #[serde(flatten)] others: &BTreeMap<String, i64>,
    ) {
        self.twice = twice;
    }
);

/// What holds another type, and stores it in a way of its own: as text.
#[derive(Debug, Clone, PartialEq)]
struct Own<T>(T);

impl<T: std::fmt::Debug> Serialize for Own<T> {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{:?}", self.0))
    }
}

impl<'de, T: Default> Deserialize<'de> for Own<T> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(|_| Self(T::default()))
    }
}

/// What is read as an option is, under any name.
type Remark = Option<String>;

mire::aggregate!(
    /// What is stored in the type's own way, or may be.
    #[aggregate(category = "leaf", snapshot_every = 10)]
    #[derive(Debug)]
    struct Leaf {
        #[serde(skip)]
        kind: std::marker::PhantomData<fn() -> i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        remark: Remark,
        #[cfg_attr(all(), serde(default))]
        #[serde(skip_serializing_if = "Vec::is_empty")]
        seen: Vec<i64>,
        #[cfg(all())]
        #[serde(rename = "at")]
        here: i64,
        #[cfg(any())]
        #[serde(rename = "at")]
        there: i64,
    }

    #[event]
    fn printed(
        &mut self,
        #[serde(skip_serializing_if = "Option::is_none")] remark: &Option<String>,
        pairs: &Own<BTreeMap<(i64, i64), i64>>,
        nested: Own<Option<Option<i64>>>,
    ) {
        self.remark.clone_from(remark);
        self.kind = std::marker::PhantomData;
        (self.seen, self.here) = (vec![1], 2);
    }

    /// Refuses with the state, which stands in the error alone.
    #[command]
    fn print(&self) -> Result<LeafEvent, Box<Self>> {
        Err(Box::new(self.clone()))
    }
);

mire::aggregate!(
    /// A state without snapshots isn't stored.
    #[aggregate(category = "draft")]
    #[derive(Debug)]
    struct Draft {
        sent: Option<Option<i64>>,
        told: Option<()>,
    }

    #[event]
    fn sent(&mut self, at: i64) {
        self.sent = Some(Some(at));
        self.told = Some(());
    }

    #[command]
    fn send(&self, at: i64) -> Option<DraftEvent> {
        (self.sent.is_none() && self.told.is_none()).then_some(DraftEvent::Sent { at })
    }
);

fn event_is_read_again(event: &SheetEvent) {
    let stored = event.encode().unwrap();
    let stored = mire::StoredEvent {
        event_type: event.event_type(),
        schema_version: event.schema_version(),
        data: stored.as_bytes(),
    };
    assert_eq!(SheetEvent::decode(&stored).unwrap(), *event);
}

fn main() {
    let mut sheet = Sheet::default();
    let place = Place { row: 3, column: 4 };
    for tag in [None, Some("a".to_owned())] {
        let events = [
            SheetEvent::Filled {
                value: Some(Value(String::new())),
                change: Change::Set(3),
                last: Some(vec![None]),
            },
            SheetEvent::Tagged {
                tags: tag.clone().into_iter().collect(),
                note: tag.clone(),
                left: 1,
                right: 2,
            },
            SheetEvent::Marked {
                twice: tag.map(|_| None),
                checksum: [7; 40],
                place: place.clone(),
                others: BTreeMap::from([("depth".to_owned(), 5)]),
            },
        ];
        for event in events {
            event_is_read_again(&event);
            mire::Aggregate::apply(&mut sheet, &event);
        }
        sheet.length.get_or_init(|| 5);
        let snapshot = serde_json::to_string(&sheet).unwrap();
        let read: Sheet = serde_json::from_str(&snapshot).unwrap();
        assert!(read.length.get().is_none());
        sheet.length = OnceLock::new();
        assert_eq!(format!("{read:?}"), format!("{sheet:?}"));
    }
    for change in [Change::Keep, Change::Clear] {
        event_is_read_again(&SheetEvent::Filled {
            value: None,
            change,
            last: None,
        });
    }
    for remark in [None, Some("b".to_owned())] {
        let printed = LeafEvent::Printed {
            remark,
            pairs: Own(BTreeMap::new()),
            nested: Own(None),
        };
        let stored = printed.encode().unwrap();
        assert_eq!(stored.contains("remark"), stored.contains("\"b\""));
        let stored = mire::StoredEvent {
            event_type: printed.event_type(),
            schema_version: printed.schema_version(),
            data: stored.as_bytes(),
        };
        assert_eq!(LeafEvent::decode(&stored).unwrap(), printed);
    }
    let mut leaf = mire::AggregateRoot::<Leaf>::new("1");
    assert!(leaf.print().unwrap_err().seen.is_empty());
    Draft::given([DraftEvent::Sent { at: 3 }])
        .when(|draft: &Draft| draft.send(4))
        .then([]);
}
