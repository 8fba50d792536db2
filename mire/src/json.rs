//! JSON of values that can be read back.
//!
//! JSON has no NaN and no infinities, and `serde_json` writes `null` for them without an error. What was
//! a number would then be read as `None`, or not at all, long after it was stored: so it is refused. It
//! has no keys that are neither text nor numbers, either, which `serde_json` refuses without the field.

use std::fmt;
use std::io::{self, Write};

use serde::ser::{
    self, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use serde_json::ser::Formatter;
use serde_json::{Error, Result};

/// The text of a value.
pub(crate) fn to_string<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    written(value, |serializer| value.serialize(serializer))
}

/// What `write` makes of a value.
pub(crate) fn written<T: Serialize + ?Sized>(
    value: &T,
    write: impl FnOnce(&mut serde_json::Serializer<&mut Vec<u8>, NotesNull<'_>>) -> Result<()>,
) -> Result<String> {
    let (mut text, mut has_null) = (Vec::with_capacity(64), false);
    let formatter = NotesNull(&mut has_null);
    let done = write(&mut serde_json::Serializer::with_formatter(
        &mut text, formatter,
    ));
    // What `serde_json` says of a key doesn't say in which field it is.
    if has_null || done.is_err() {
        refuse_what_is_lost(value)?;
    }
    done?;
    String::from_utf8(text).map_err(ser::Error::custom)
}

/// Fails for a value in which a number or a key is one that JSON has not.
pub(crate) fn refuse_what_is_lost<T: Serialize + ?Sized>(value: &T) -> Result<()> {
    value.serialize(Checked { field: "" })
}

/// Writes compact text, and notes whether there is a `null`: only then a number may be lost.
pub(crate) struct NotesNull<'a>(&'a mut bool);

impl Formatter for NotesNull<'_> {
    fn write_null<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        *self.0 = true;
        writer.write_all(b"null")
    }
}

/// Writes nothing, and stops at a number or a key that JSON has not.
#[derive(Clone, Copy)]
struct Checked {
    /// The innermost field that it is in.
    field: &'static str,
}

impl Checked {
    fn check(self, number: f64) -> Result<()> {
        let lost = Lost::Number(number, self.field);
        match number.is_finite() {
            true => Ok(()),
            false => Err(ser::Error::custom(lost)),
        }
    }
}

/// What JSON has not, and the field that it is in.
enum Lost {
    Number(f64, &'static str),
    /// A key, and what `serde_json` says of it.
    Key(Error, &'static str),
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Number(_, field) | Self::Key(_, field)) = self;
        match (self, field) {
            (_, field) if !field.is_empty() => write!(f, "the field `{field}`")?,
            (Self::Number(..), _) => f.write_str("a number")?,
            (Self::Key(..), _) => f.write_str("what is stored")?,
        }
        match self {
            Self::Number(number, _) => write!(
                f,
                " is {number}, which JSON has no form for; refuse it where it comes from, or"
            )?,
            Self::Key(error, _) => write!(
                f,
                " has a map with a key that JSON has no form for ({error}); take text or a number \
                 as the key, or a list of pairs instead of the map, or"
            )?,
        }
        f.write_str(" give it a form of its own with `#[serde(with = \"…\")]`")
    }
}

macro_rules! nothing_to_check {
    ($($method:ident($($argument:ty),*);)*) => {$(
        fn $method(self $(, _: $argument)*) -> Result<()> {
            Ok(())
        }
    )*};
}

/// The parts are checked one by one.
macro_rules! of_parts {
    ($($method:ident($($argument:ty),*);)*) => {$(
        fn $method(self $(, _: $argument)*) -> Result<Self> {
            Ok(self)
        }
    )*};
}

impl Serializer for Checked {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    nothing_to_check! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_i128(i128);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_u128(u128);
        serialize_char(char);
        serialize_str(&str);
        serialize_bytes(&[u8]);
        serialize_none();
        serialize_unit();
        serialize_unit_struct(&'static str);
        serialize_unit_variant(&'static str, u32, &'static str);
    }

    of_parts! {
        serialize_seq(Option<usize>);
        serialize_tuple(usize);
        serialize_tuple_struct(&'static str, usize);
        serialize_tuple_variant(&'static str, u32, &'static str, usize);
        serialize_map(Option<usize>);
        serialize_struct(&'static str, usize);
        serialize_struct_variant(&'static str, u32, &'static str, usize);
    }

    fn serialize_f32(self, number: f32) -> Result<()> {
        self.check(number.into())
    }

    fn serialize_f64(self, number: f64) -> Result<()> {
        self.check(number)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<()> {
        value.serialize(self)
    }
}

macro_rules! elements {
    ($($compound:ident::$method:ident),*) => {$(
        impl $compound for Checked {
            type Ok = ();
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
                value.serialize(*self)
            }

            fn end(self) -> Result<()> {
                Ok(())
            }
        }
    )*};
}

elements! {
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
}

macro_rules! named_fields {
    ($($compound:ident),*) => {$(
        impl $compound for Checked {
            type Ok = ();
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                field: &'static str,
                value: &T,
            ) -> Result<()> {
                value.serialize(Self { field })
            }

            fn end(self) -> Result<()> {
                Ok(())
            }
        }
    )*};
}

named_fields! { SerializeStruct, SerializeStructVariant }

impl SerializeMap for Checked {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        let written = serde_json::Serializer::new(io::sink()).collect_map([(key, ())]);
        written.map_err(|error| ser::Error::custom(Lost::Key(error, self.field)))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        value.serialize(*self)
    }

    fn end(self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(serde::Serialize)]
    enum Level {
        Unknown,
        Known(Vec<Option<f64>>),
        Both(f32, f64),
        Named {
            low: f64,
            high: BTreeMap<&'static str, f64>,
        },
    }

    #[derive(serde::Serialize)]
    struct Tank {
        note: Option<&'static str>,
        level: Level,
    }

    fn text(level: Level) -> std::result::Result<String, String> {
        let tank = Tank { note: None, level };
        to_string(&tank).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_null_is_no_lost_number() {
        let known = text(Level::Known(vec![None, Some(1.5)])).unwrap();
        assert_eq!(known, r#"{"note":null,"level":{"Known":[null,1.5]}}"#);
        text(Level::Unknown).unwrap();
        text(Level::Both(0.1, f64::MAX)).unwrap();
        to_string("null").unwrap();
        to_string(&serde_json::json!({ "a": [null, { "b": 1.5 }] })).unwrap();
    }

    #[test]
    fn a_lost_number_is_named_wherever_it_is() {
        let high = |number| Level::Named {
            low: 0.0,
            high: BTreeMap::from([("a", 0.0), ("b", number)]),
        };
        let low = Level::Named {
            low: f64::NEG_INFINITY,
            high: BTreeMap::new(),
        };
        for (level, named) in [
            (
                Level::Known(vec![None, Some(f64::NAN)]),
                "the field `level` is NaN",
            ),
            (Level::Both(f32::INFINITY, 0.0), "the field `level` is inf"),
            (Level::Both(0.0, f64::NAN), "the field `level` is NaN"),
            (low, "the field `low` is -inf"),
            (high(f64::NAN), "the field `high` is NaN"),
        ] {
            let error = text(level).unwrap_err();
            assert!(error.starts_with(named), "{error}");
        }
        let error = to_string(&f64::NAN).unwrap_err().to_string();
        assert!(error.starts_with("a number is NaN"), "{error}");
    }

    #[test]
    fn a_key_that_is_no_text_is_named_with_its_field() {
        #[derive(serde::Serialize)]
        struct Board {
            name: &'static str,
            scores: Vec<BTreeMap<(i64, i64), i64>>,
        }
        let scores = BTreeMap::from([((1, 2), 3)]);
        let board = Board {
            name: "a",
            scores: vec![BTreeMap::new(), scores.clone()],
        };
        let named = |error: Error| error.to_string();
        let error = to_string(&board).map_err(named).unwrap_err();
        assert!(
            error.starts_with("the field `scores` has a map with a key that JSON has no form for"),
            "{error}"
        );
        let error = to_string(&scores).map_err(named).unwrap_err();
        assert!(
            error.starts_with("what is stored has a map with"),
            "{error}"
        );
        to_string(&BTreeMap::from([('a', 1), ('b', 2)])).unwrap();
    }
}
