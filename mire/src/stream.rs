//! Streams: their names, their versions, and how a read or an append addresses them.
//!
//! A stream is named `{category}-{id}`. A category never contains `-`, so a name splits in exactly
//! one way and two categories can never meet in one stream.

use std::fmt;

use crate::error::EventStoreError;

/// The longest category, in bytes.
pub const MAX_CATEGORY_BYTES: usize = 64;

/// The longest stream name (`{category}-{id}`), in bytes. It has to fit into a B-tree page.
pub const MAX_STREAM_ID_BYTES: usize = 512;

/// Categories with this prefix belong to mire.
const RESERVED_PREFIX: &str = "mire_";

/// What an append expects the stream's version to be, before anything is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExpectedVersion {
    /// The stream must not exist.
    NoStream,
    /// The stream's last event must have exactly this version. `Exact(0)` means [`Self::NoStream`].
    Exact(i64),
    /// Any version will do: the append never conflicts.
    Any,
}

impl ExpectedVersion {
    /// The expectation of someone who has folded a stream up to `version` (`0`: no event yet).
    #[must_use]
    pub fn after(version: i64) -> Self {
        if version == 0 {
            Self::NoStream
        } else {
            Self::Exact(version)
        }
    }
}

impl fmt::Display for ExpectedVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStream | Self::Exact(0) => f.write_str("no stream"),
            Self::Exact(version) => write!(f, "version {version}"),
            Self::Any => f.write_str("any version"),
        }
    }
}

/// In which order a stream is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ReadDirection {
    /// From older to newer events.
    #[default]
    Forward,
    /// From newer to older events.
    Backward,
}

/// Which events of a stream to read. The default reads forward from the start, 1,000 events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamQuery {
    /// The order of the answer.
    pub direction: ReadDirection,
    /// The first version to answer, itself included. Forward, `0` and `1` both mean the start;
    /// backward, `0` means the newest event.
    pub from_version: i64,
    /// At most this many events. Must be positive.
    pub limit: i64,
}

impl Default for StreamQuery {
    fn default() -> Self {
        Self {
            direction: ReadDirection::Forward,
            from_version: 0,
            limit: 1000,
        }
    }
}

/// A stream's name, checked: `{category}-{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StreamName {
    full: String,
    category_len: usize,
}

impl StreamName {
    /// Puts a name together from its two halves.
    ///
    /// # Errors
    ///
    /// [`EventStoreError::InvalidStreamName`] when the category is empty, longer than
    /// [`MAX_CATEGORY_BYTES`], reserved, or made of anything but ASCII letters, digits, `_` and `.`
    /// after a letter; when the id is empty, has control characters or surrounding white space; or
    /// when the name is longer than [`MAX_STREAM_ID_BYTES`].
    pub fn new(category: &str, id: &str) -> Result<Self, EventStoreError> {
        check_category(category)?;
        Self::checked(format!("{category}-{id}"), category.len())
    }

    /// Takes a whole name apart.
    ///
    /// # Errors
    ///
    /// As [`Self::new`], and when the name has no `-`.
    pub fn parse(stream_id: &str) -> Result<Self, EventStoreError> {
        let Some((category, _)) = stream_id.split_once('-') else {
            return Err(invalid(
                stream_id,
                "a stream is named `{category}-{id}`, and this has no `-`",
            ));
        };
        check_category(category)?;
        Self::checked(stream_id.to_owned(), category.len())
    }

    fn checked(full: String, category_len: usize) -> Result<Self, EventStoreError> {
        let id = &full[category_len + 1..];
        let reason = if id.is_empty() {
            "the id is empty; give the aggregate an id"
        } else if full.len() > MAX_STREAM_ID_BYTES {
            "the name is longer than 512 bytes; use a shorter id, or a hash of it"
        } else if id.chars().any(char::is_control) {
            "the id has a control character; encode it, for example as hex"
        } else if id.trim() != id {
            "the id begins or ends with white space; trim it"
        } else {
            return Ok(Self { full, category_len });
        };
        Err(invalid(&full, reason))
    }

    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.full
    }

    /// The half before the first `-`.
    #[must_use]
    pub fn category(&self) -> &str {
        &self.full[..self.category_len]
    }

    /// The half after the first `-`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.full[self.category_len + 1..]
    }

    /// The whole name, owned.
    #[must_use]
    pub fn into_string(self) -> String {
        self.full
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full)
    }
}

/// Checks a category on its own, by the rules of [`StreamName::new`].
///
/// # Errors
///
/// [`EventStoreError::InvalidStreamName`], naming the category and the mend.
pub fn check_category(category: &str) -> Result<(), EventStoreError> {
    let reason = if category.is_empty() {
        "the category is empty; name the kind of aggregate, for example `order`"
    } else if category.contains('-') {
        "a category can't contain `-`, which parts it from the id; use `_`"
    } else if category.len() > MAX_CATEGORY_BYTES {
        "the category is longer than 64 bytes; use a shorter one"
    } else if category.starts_with(RESERVED_PREFIX) {
        "categories that start with `mire_` are reserved; choose another"
    } else if !category.starts_with(|c: char| c.is_ascii_alphabetic())
        || !category
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.')
    {
        "a category is a letter, then letters, digits, `_` or `.`, all ASCII"
    } else {
        return Ok(());
    };
    Err(invalid(category, reason))
}

fn invalid(name: &str, reason: &'static str) -> EventStoreError {
    EventStoreError::InvalidStreamName {
        name: name.to_owned(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_splits_at_the_first_dash() {
        let name = StreamName::parse("order-line-1").unwrap();
        assert_eq!((name.category(), name.id()), ("order", "line-1"));
        assert_eq!(name, StreamName::new("order", "line-1").unwrap());
    }

    #[test]
    fn bad_categories_and_ids_are_named_with_a_mend() {
        for (category, id, says) in [
            ("", "1", "category is empty"),
            ("order-line", "1", "use `_`"),
            ("mire_x", "1", "reserved"),
            ("9lives", "1", "a letter, then"),
            ("órder", "1", "all ASCII"),
            ("order", "", "id is empty"),
            ("order", "a\0b", "control character"),
            ("order", " a", "white space"),
        ] {
            let text = StreamName::new(category, id).unwrap_err().to_string();
            assert!(text.contains(says), "{category:?} {id:?}: {text}");
        }
        assert!(StreamName::new(&"c".repeat(65), "1").is_err());
        assert!(StreamName::new("c", &"1".repeat(511)).is_err());
        assert!(StreamName::new("c", &"1".repeat(510)).is_ok());
        assert!(StreamName::parse("order").is_err());
    }
}
