//! The text of ids: the second half of their streams' names.

use std::fmt::Display;
use std::str::FromStr;

use crate::upcast::DecodeError;

/// How ids of type `T` are written and read. What is asked of the type is asked where this is made,
/// once.
pub struct IdForm<T> {
    /// Writes an id.
    pub text: fn(&T) -> String,
    /// Reads it.
    pub read: fn(&str) -> Result<T, DecodeError>,
}

/// A type that can name aggregates.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the id of an aggregate",
    label = "lacks what an id needs",
    note = "an id is written into its stream's name and read from it: implement `std::fmt::Display` and `std::str::FromStr`",
    note = "the error of its `FromStr` is a `std::error::Error`, or a `String`"
)]
pub trait IdType: Display + Sized {
    /// Reads an id.
    fn of_text(text: &str) -> Result<Self, DecodeError>;
}

#[diagnostic::do_not_recommend]
impl<T: Display + FromStr<Err: Into<DecodeError>>> IdType for T {
    fn of_text(text: &str) -> Result<Self, DecodeError> {
        text.parse().map_err(Into::into)
    }
}

/// How ids of this type are written and read.
pub const fn id_form<T: IdType>() -> IdForm<T> {
    IdForm {
        text: |id| id.to_string(),
        read: T::of_text,
    }
}
