//! What is stored as JSON, and would be read as something else or not at all: in the fields of events,
//! of states that have snapshots, and in columns with `#[json]`. It is refused as far as it shows in
//! types. An alias, or a type of the user's, may hide all of it.

mod arrays;
mod map_keys;
mod options;
mod serde_words;

use syn::{Attribute, Type};

use self::serde_words::SerdeWords;
use super::items::Data;
use crate::errors::Errors;

/// Refuses what a field of an event can't be read as again. An array that serde doesn't know becomes a
/// list, so that rustc has nothing to add. Answers whether the type has
/// become another one.
pub(super) fn refuse_in_event(ty: &mut Type, attrs: &[Attribute], errors: &mut Errors) -> bool {
    let words = SerdeWords::of(attrs);
    !words.say_how() && refuse_type(ty, errors)
}

/// Refuses what a state can't be read as again from a snapshot. Answers whether all its fields are of
/// the types that were written.
pub(super) fn refuse_in_state(data: &mut Data, attrs: &[Attribute], errors: &mut Errors) -> bool {
    let whole = SerdeWords::of(attrs);
    if whole.convert() {
        return true;
    }
    match data {
        Data::Struct(item) => fields(&mut item.fields, errors),
        Data::Enum(item) => {
            let mut sound = true;
            for variant in &mut item.variants {
                let words = SerdeWords::of(&variant.attrs);
                if words.say_how() {
                    continue;
                }
                sound &= fields(&mut variant.fields, errors);
            }
            sound
        }
    }
}

/// Refuses what fields of a state can't be read as again.
fn fields(fields: &mut syn::Fields, errors: &mut Errors) -> bool {
    let mut sound = true;
    for field in fields {
        let words = SerdeWords::of(&field.attrs);
        if !words.say_how() && !words.skip() {
            sound &= !refuse_type(&mut field.ty, errors);
        }
    }
    sound
}

/// Refuses what a column with `#[json]` can't be read as again. Answers whether all columns are of the
/// types that were written.
pub(super) fn refuse_in_row(data: &mut Data, errors: &mut Errors) -> bool {
    let Data::Struct(item) = data else {
        return true;
    };
    let mut sound = true;
    for field in &mut item.fields {
        if field.attrs.iter().any(|attr| attr.path().is_ident("json")) {
            sound &= !refuse_type(&mut field.ty, errors);
        }
    }
    sound
}

/// Refuses what shows in a type; answers whether it has become another one.
fn refuse_type(ty: &mut Type, errors: &mut Errors) -> bool {
    map_keys::refuse(ty, errors);
    options::refuse(ty, errors);
    arrays::shorten(ty, errors)
}
