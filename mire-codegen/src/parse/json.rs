//! What is stored as JSON, and would be read as something else or not at all: in the fields of events,
//! of states that have snapshots, and in columns with `#[json]`. It is refused as far as it shows in
//! types and in serde's attributes. An alias, or a type of the user's, may hide all of it.

mod arrays;
mod field_names;
mod left_out;
mod map_keys;
mod options;
mod serde_words;
mod std_type;

use syn::{Attribute, Type};

use self::left_out::Holder;
use self::serde_words::SerdeWords;
use super::functions::Declared;
use super::items::Data;
use crate::errors::Errors;
use crate::names;

/// Refuses what a field of an event can't be read as again. An array that serde doesn't know becomes a
/// list, and words that are wrong go, so that rustc has nothing to add. Answers whether the type has
/// become another one.
pub(super) fn refuse_in_event(
    ty: &mut Type,
    attrs: &mut Vec<Attribute>,
    errors: &mut Errors,
) -> bool {
    let words = SerdeWords::of(attrs);
    let before = errors.count();
    left_out::refuse(&words, ty, Holder::Event, errors);
    if errors.count() > before {
        left_out::take(attrs);
    }
    !words.say_how() && refuse_type(ty, errors)
}

/// Refuses fields of an event that have each other's names in JSON. These go, so that rustc has nothing
/// to add.
pub(super) fn refuse_names_in_event(fields: &mut [Declared], errors: &mut Errors) {
    let certain = fields.iter().filter(|field| !may_be_absent(&field.attrs));
    let named = certain.map(|field| field_names::Field {
        ident: names::text(&field.parameter.ident),
        keeps_name: true,
        words: SerdeWords::of(&field.attrs),
    });
    let named: Vec<_> = named.collect();
    if !field_names::refuse(&named, errors) {
        for field in fields {
            field_names::take(&mut field.attrs);
        }
    }
}

/// Refuses what a state can't be read as again from a snapshot. Answers whether all its fields are of
/// the types that were written.
pub(super) fn refuse_in_state(data: &mut Data, attrs: &[Attribute], errors: &mut Errors) -> bool {
    let whole = SerdeWords::of(attrs);
    if whole.convert() {
        return true;
    }
    match data {
        Data::Struct(item) => fields(&mut item.fields, &whole, &whole, errors),
        Data::Enum(item) => {
            let mut sound = true;
            for variant in &mut item.variants {
                let words = SerdeWords::of(&variant.attrs);
                left_out::refuse_variant(&words, &variant.ident, errors);
                if words.say_how() {
                    continue;
                }
                sound &= fields(&mut variant.fields, &whole, &words, errors);
            }
            sound
        }
    }
}

/// Refuses what fields of a state can't be read as again; `around` are the words of the struct or the
/// variant.
fn fields(
    fields: &mut syn::Fields,
    whole: &SerdeWords,
    around: &SerdeWords,
    errors: &mut Errors,
) -> bool {
    let mut sound = true;
    let mut named = Vec::new();
    let renamed = around.has("rename_all") || whole.has("rename_all_fields");
    for field in fields.iter_mut() {
        let words = SerdeWords::of(&field.attrs);
        left_out::refuse(&words, &field.ty, Holder::State(around), errors);
        if !words.say_how() && !words.skip() {
            sound &= !refuse_type(&mut field.ty, errors);
        }
        if let Some(ident) = &field.ident
            && !may_be_absent(&field.attrs)
        {
            named.push(field_names::Field {
                ident: names::text(ident),
                keeps_name: !renamed,
                words,
            });
        }
    }
    if !field_names::refuse(&named, errors) {
        for field in fields {
            field_names::take(&mut field.attrs);
        }
    }
    sound
}

/// Whether a field, or words on it, may not be there.
fn may_be_absent(attrs: &[Attribute]) -> bool {
    attrs
        .iter()
        .any(|attr| attr.path().is_ident("cfg") || attr.path().is_ident("cfg_attr"))
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
