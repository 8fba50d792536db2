//! The struct of a projection as the row of a table.

use proc_macro2::{Ident, Span};
use quote::ToTokens;
use strsim::damerau_levenshtein;
use syn::spanned::Spanned;
use syn::{Attribute, Fields, Meta, Type};

use super::foreign::Foreign;
use crate::errors::Errors;
use crate::fingerprint::Fingerprint;
use crate::keywords::{Place, words_of};
use crate::model::Column;
use crate::names;
use crate::parse::attributes::{NoCfg, Sorted, misspells};
use crate::parse::items::Data;

/// A field, and what marks it.
pub(super) struct Declared {
    ident: Ident,
    ty: Type,
    key: Option<Span>,
    index: Option<Span>,
    json: Option<Span>,
}

impl Declared {
    /// What marks it as the key.
    pub(super) fn key(&self) -> Option<Span> {
        self.key
    }

    /// What marks it, besides `#[key]`.
    pub(super) fn mark(&self) -> Option<(&'static str, Span)> {
        let index = self.index.map(|at| ("index", at));
        index.or_else(|| self.json.map(|at| ("json", at)))
    }
}

/// Whether a field is marked as a column.
pub(super) fn has_marks(data: &Data) -> bool {
    let Data::Struct(item) = data else {
        return false;
    };
    let mut attrs = item.fields.iter().flat_map(|field| &field.attrs);
    attrs.any(|attr| words_of(Place::Column).any(|word| attr.path().is_ident(word.name)))
}

/// The named fields of the struct. The macro's marks are taken off.
pub(super) fn columns(data: &mut Data, attrs: &Sorted, errors: &mut Errors) -> Vec<Declared> {
    let foreign = Foreign::beside(attrs, has_marks(data));
    let item = match data {
        Data::Struct(item) => item,
        Data::Enum(item) => {
            // It is no row, which is said there.
            let marks =
                |attr: &Attribute| !words_of(Place::Column).any(|it| attr.path().is_ident(it.name));
            for field in item.variants.iter_mut().flat_map(|it| &mut it.fields) {
                field.attrs.retain(marks);
            }
            return Vec::new();
        }
    };
    let keyed = item.fields.iter().any(|field| {
        let mut attrs = field.attrs.iter();
        attrs.any(|attr| attr.path().is_ident("key"))
    });
    let mut columns = Vec::new();
    for (at, field) in item.fields.iter_mut().enumerate() {
        let mut column = Declared {
            // The fields of a tuple have no names, and can't be columns.
            ident: field
                .ident
                .clone()
                .unwrap_or_else(|| names::local(&format!("field_{at}"))),
            ty: field.ty.clone(),
            key: None,
            index: None,
            json: None,
        };
        for attr in std::mem::take(&mut field.attrs) {
            if foreign.refuse(&attr, errors) {
                continue;
            }
            match mark(&attr, keyed, errors) {
                Some("key") => mark_once(&mut column.key, &attr, errors),
                Some("index") => mark_once(&mut column.index, &attr, errors),
                Some("json") => mark_once(&mut column.json, &attr, errors),
                _ => field.attrs.push(attr),
            }
        }
        columns.push(column);
    }
    columns
}

const NO_CFG_ON_COLUMN: NoCfg = NoCfg {
    on: "a column",
    why: "the table has it, whatever is compiled",
    mend: "remove it; a value that isn't always there is an `Option`",
};

/// A column that only some of the programs on a database have is a mistake.
pub(super) fn refuse_cfg(data: &mut Data, errors: &mut Errors) {
    if let Data::Struct(item) = data {
        for field in &mut item.fields {
            NO_CFG_ON_COLUMN.refuse(&["cfg"], &mut field.attrs, errors);
        }
    }
}

/// What elsewhere is called a key.
const OTHER_WORDS_FOR_KEY: [&str; 4] = ["id", "pk", "primary", "primary_key"];

/// The mark that an attribute is, or was probably meant to be.
fn mark(attr: &Attribute, keyed: bool, errors: &mut Errors) -> Option<&'static str> {
    let written = attr.path().get_ident()?.to_string();
    let marks = || words_of(Place::Column).map(|word| word.name);
    if let Some(mark) = marks().find(|mark| written == *mark) {
        return Some(mark);
    }
    let key =
        || OTHER_WORDS_FOR_KEY.contains(&&*written) || damerau_levenshtein(&written, "key") == 1;
    let meant = if !keyed && key() {
        "key"
    } else {
        marks().find(|mark| misspells(&written, mark))?
    };
    errors.at(
        attr.path().span(),
        format_args!("there is no `#[{written}]`"),
        format_args!("did you mean `#[{meant}]`?"),
    );
    Some(meant)
}

fn mark_once(mark: &mut Option<Span>, attr: &Attribute, errors: &mut Errors) {
    let name = names::path_text(attr.path());
    if !matches!(attr.meta, Meta::Path(_)) {
        errors.at(
            attr.meta.span(),
            format_args!("`#[{name}]` takes no words"),
            format_args!("write `#[{name}]`"),
        );
    }
    if mark.is_some() {
        errors.at(
            attr.path().span(),
            format_args!("`#[{name}]` is given twice"),
            "remove one of them",
        );
    }
    mark.get_or_insert(attr.path().span());
}

/// Whether the struct has fields that can be columns.
pub(super) fn is_row(data: &Data) -> bool {
    matches!(data, Data::Struct(item) if matches!(item.fields, Fields::Named(_)))
}

/// Which column names a row.
pub(super) fn key(data: &Data, columns: &[Declared], errors: &mut Errors) -> Option<usize> {
    let ident = data.ident();
    if !is_row(data) {
        let row = format!("write `struct {ident} {{ #[key] id: AccountId, … }}`");
        let (wrong, mend) = match data {
            Data::Enum(_) => ("it is an enum", row),
            Data::Struct(item) if item.fields.is_empty() => (
                "it has no fields",
                format!(
                    "{row}; or, for a projection that acts, functions such as `async fn act(&self)`"
                ),
            ),
            Data::Struct(_) => ("its fields have no names", row),
        };
        errors.at(
            ident.span(),
            format_args!("`{ident}` can't be a row: {wrong}"),
            mend,
        );
        return None;
    }
    let mut keys = (0..)
        .zip(columns)
        .filter_map(|(at, column)| Some((at, column, column.key?)));
    let Some((at, first, _)) = keys.next() else {
        errors.at(
            ident.span(),
            format_args!("the table of `{ident}` has no key"),
            "mark the field that names a row with `#[key]`: the id of the aggregate, or another field of the events; or, to act, write `async fn … (&self)`",
        );
        return None;
    };
    for (_, second, mark) in keys {
        errors.at(
            mark,
            format_args!(
                "the table of `{ident}` has two keys, `{}` and `{}`",
                first.ident, second.ident
            ),
            "keep one `#[key]`; for look-ups by the other, mark it with `#[index]`",
        );
    }
    if let Some((span, wrong, mend)) = key_type_mistake(&first.ty) {
        errors.at(span, wrong, mend);
        return None;
    }
    let generic = match data {
        Data::Struct(item) => !item.generics.params.is_empty(),
        Data::Enum(_) => true,
    };
    (!generic).then_some(at)
}

/// What is wrong with the type of a key, as far as it shows in its name.
fn key_type_mistake(ty: &Type) -> Option<(Span, String, &'static str)> {
    let Type::Path(path) = ty else { return None };
    let last = &path.path.segments.last()?.ident;
    if last == "f32" || last == "f64" {
        Some((
            last.span(),
            format!(
                "a key can't be a `{last}`: it is compared for equality, and NaN equals nothing"
            ),
            "take the aggregate's id, a `String` or an integer such as `i64`",
        ))
    } else if last == "Option" {
        Some((
            last.span(),
            "the key of a table is never NULL".to_owned(),
            "take a type that is no `Option`",
        ))
    } else {
        None
    }
}

/// The columns, with names and marks that can be.
pub(super) fn checked(declared: Vec<Declared>, errors: &mut Errors) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    for Declared {
        ident,
        ty,
        key,
        index,
        json,
    } in declared
    {
        let name = names::text(&ident);
        if let Some(wrong) = names::column_mistake(&name) {
            errors.at(ident.span(), wrong, "rename the field");
        }
        let small = name.to_lowercase();
        if let Some(twin) = columns
            .iter()
            .find(|twin| twin.name().to_lowercase() == small)
        {
            errors.at(
                ident.span(),
                format_args!(
                    "the columns `{}` and `{name}` differ in case only, which SQL doesn't see",
                    twin.name()
                ),
                "rename one of the fields",
            );
        }
        if let (Some(_), Some(mark)) = (key, index) {
            errors.at(mark, "the key has an index already", "remove `#[index]`");
        }
        if let (Some(_), Some(mark)) = (key.or(index), json) {
            let what = if key.is_some() {
                "a key"
            } else {
                "an indexed column"
            };
            errors.at(
                mark,
                format_args!("{what} can't be JSON: it is compared"),
                "remove `#[json]`, and use a type that a column can hold",
            );
        }
        columns.push(Column {
            ty: ty.to_token_stream(),
            indexed: index.is_some() && key.or(json).is_none(),
            json: json.is_some() && key.is_none(),
            ident,
        });
    }
    columns
}

/// A hash of all that decides what the rows are and where they are: the table's name, columns, and
/// what the functions do.
pub(super) fn fingerprint(
    table: &str,
    columns: &[Column],
    key: Option<usize>,
    functions: Fingerprint,
) -> u32 {
    let mut fingerprint = functions;
    fingerprint.text(table);
    for (at, column) in columns.iter().enumerate() {
        let mark = match column {
            _ if key == Some(at) => "key",
            Column { indexed: true, .. } => "index",
            Column { json: true, .. } => "json",
            _ => "",
        };
        fingerprint.text(mark);
        fingerprint.text(&column.name());
        fingerprint.tokens(column.ty.clone());
    }
    fingerprint.folded()
}
