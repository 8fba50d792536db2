//! Names: from Rust's to the stored ones, and what makes a stored name a good one.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;

/// Category prefixes that belong to the runtime.
const RESERVED_PREFIX: &str = "mire_";

/// An identifier's text, without `r#`.
pub(crate) fn text(ident: &Ident) -> String {
    ident.unraw().to_string()
}

/// A path as it is written, without spaces.
pub(crate) fn path_text(path: &impl ToTokens) -> String {
    path.to_token_stream()
        .to_string()
        .split_whitespace()
        .collect()
}

/// `money_withdrawn` as `MoneyWithdrawn`.
pub(crate) fn pascal(snake: &str) -> String {
    snake
        .split('_')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let mut chars = part.chars();
            chars
                .next()
                .map(|first| first.to_uppercase().chain(chars).collect::<String>())
                .unwrap_or_default()
        })
        .collect()
}

/// `MoneyWithdrawn` and `money_withdrawn` as `money-withdrawn`; `HTTPDown` as `http-down`.
pub(crate) fn kebab(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut kebab = String::with_capacity(name.len() + 4);
    for (at, &c) in chars.iter().enumerate() {
        if c == '_' {
            if !kebab.is_empty() && !kebab.ends_with('-') {
                kebab.push('-');
            }
            continue;
        }
        let starts_word = c.is_uppercase()
            && at > 0
            && (!chars[at - 1].is_uppercase()
                || chars.get(at + 1).is_some_and(|next| next.is_lowercase()));
        if starts_word && !kebab.is_empty() && !kebab.ends_with('-') {
            kebab.push('-');
        }
        kebab.extend(c.to_lowercase());
    }
    while kebab.ends_with('-') {
        kebab.pop();
    }
    kebab
}

/// A name that generated code and the user share, such as `AccountEvent`: it resolves where the
/// macro stands, and its location is that of `at`.
pub(crate) fn derived(name: &str, at: Span) -> Ident {
    Ident::new(name, Span::mixed_site().located_at(at))
}

/// A name that only generated code uses. Locals hide nothing of the user's, by their hygiene; types,
/// constants and generic parameters have none, so that they need names that nobody else takes.
pub(crate) fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

/// [`local`], for a type that stands beside the user's and in the documentation: the name, and a number
/// if the user's tokens have it.
pub(crate) fn unused(name: &str, tokens: &TokenStream) -> Ident {
    let is_free = |name: &str| !has_word(tokens, name);
    let numbered = || (2..).map(|at: u32| format!("{name}{at}"));
    let free = std::iter::once(name.to_owned()).chain(numbered());
    let found = free.into_iter().find(|name| is_free(name));
    local(found.as_deref().unwrap_or(name))
}

fn has_word(tokens: &TokenStream, word: &str) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == word,
        TokenTree::Group(group) => has_word(&group.stream(), word),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

/// Whether a name can be an identifier without `r#`.
pub(crate) fn is_identifier(name: &str) -> bool {
    syn::parse_str::<Ident>(name).is_ok()
}

/// What is wrong with a category, and the mend.
pub(crate) fn category_mistake(category: &str) -> Option<(&'static str, String)> {
    let mistake = if category.is_empty() {
        (
            "a category can't be empty",
            "name the kind of aggregate, as in `category = \"order\"`".to_owned(),
        )
    } else if category.contains('-') {
        (
            "a category can't contain `-`, which parts it from the id in a stream's name",
            format!("write `\"{}\"`", category.replace('-', "_")),
        )
    } else if let Some(rest) = category.strip_prefix(RESERVED_PREFIX) {
        (
            "categories that start with `mire_` are reserved",
            format!("write `\"{rest}\"`"),
        )
    } else if category.len() > 64 {
        (
            "a category can't be longer than 64 bytes",
            "use a shorter one".to_owned(),
        )
    } else if !category.starts_with(|c: char| c.is_ascii_alphabetic())
        || !category
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'))
    {
        (
            "a category is a letter, then letters, digits, `_` or `.`, all ASCII",
            "use a plain word, as in `category = \"order\"`".to_owned(),
        )
    } else {
        return None;
    };
    Some(mistake)
}

/// What is wrong with an entity: `#[derive(EventData)]` calls a category by this name.
pub(crate) fn entity_mistake(entity: &str) -> Option<(String, String)> {
    let (wrong, mend) = category_mistake(entity)?;
    let renamed = |text: &str| {
        text.replace("a category", "an entity")
            .replace("categories", "entities")
            .replace("category", "entity")
    };
    Some((renamed(wrong), renamed(&mend)))
}

/// What is wrong with the part of a stored event name that stands after the category.
pub(crate) fn event_name_mistake(name: &str) -> Option<(&'static str, String)> {
    if name.is_empty() {
        Some((
            "a stored name can't be empty",
            "name what happened, as in `\"placed\"`".to_owned(),
        ))
    } else if let Some((_, after)) = name.rsplit_once('.') {
        Some((
            "the category, and the dot after it, are put in front by the macro",
            format!("write `\"{after}\"`"),
        ))
    } else if name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.len() <= 128
    {
        None
    } else {
        Some((
            "a stored name is made of ASCII letters, digits, `-` and `_`, and at most 128 long",
            format!("write something like `\"{}\"`", slug(name)),
        ))
    }
}

/// What is wrong with a whole stored name, `order.placed`.
pub(crate) fn event_type_mistake(event_type: &str) -> Option<(String, String)> {
    match event_type.rsplit_once('.') {
        None => Some((
            "a stored name has two halves with a dot between".to_owned(),
            format!("write `\"order.{}\"`", slug(event_type)),
        )),
        Some((entity, name)) => entity_mistake(entity).or_else(|| {
            let (wrong, mend) = event_name_mistake(name)?;
            Some((wrong.to_owned(), mend))
        }),
    }
}

/// The longest name of a table: the tables of its versions, and their indexes, are named after it,
/// and PostgreSQL cuts names at 63.
const MAX_TABLE_BYTES: usize = 48;

/// Prefixes of tables that belong to the runtime and to the databases.
const RESERVED_TABLES: [&str; 3] = [RESERVED_PREFIX, "pg_", "sqlite_"];

/// The longest name of a column.
const MAX_COLUMN_BYTES: usize = 63;

/// What is wrong with the name of a subscription.
pub(crate) fn subscription_mistake(name: &str) -> Option<(&'static str, &'static str)> {
    if name.trim().is_empty() {
        Some((
            "a subscription's name can't be empty",
            "say what it keeps or does, as in `subscription = \"balances\"`",
        ))
    } else if name.len() > 200 {
        Some((
            "a subscription's name can't be longer than 200 bytes",
            "use a shorter one",
        ))
    } else if name.contains('@') || name.chars().any(char::is_control) || name.trim() != name {
        Some((
            "a subscription's name has no `@`, no control characters, and no space around it",
            "use plain words, as in `subscription = \"welcome-mail\"`",
        ))
    } else {
        None
    }
}

/// What is wrong with the name of a table, and a name that is right.
pub(crate) fn table_mistake(name: &str) -> Option<(&'static str, String)> {
    let slug: String = name
        .chars()
        .map(|c| match c.to_ascii_lowercase() {
            c if c.is_ascii_alphanumeric() => c,
            _ => '_',
        })
        .take(MAX_TABLE_BYTES)
        .collect();
    let slug = slug.trim_matches(|c: char| c == '_' || c.is_ascii_digit());
    let prefix = RESERVED_TABLES
        .iter()
        .find(|prefix| slug.starts_with(**prefix));
    let slug = prefix.map_or(slug, |prefix| &slug[prefix.len()..]);
    let slug = if slug.is_empty() { "balances" } else { slug };
    let wrong = if RESERVED_TABLES
        .iter()
        .any(|prefix| name.starts_with(prefix))
    {
        "tables that start with `mire_`, `pg_` or `sqlite_` are reserved"
    } else if name.len() > MAX_TABLE_BYTES {
        "a table's name can't be longer than 48 bytes"
    } else if !name.starts_with(|c: char| c.is_ascii_lowercase())
        || !name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    {
        "a table's name is a letter, then letters, digits and `_`, all of them ASCII and small"
    } else {
        return None;
    };
    Some((wrong, slug.to_owned()))
}

/// Columns that a row has already, on either backend.
const SYSTEM_COLUMNS: [&str; 9] = [
    "tableoid", "xmin", "cmin", "xmax", "cmax", "ctid", "rowid", "oid", "_rowid_",
];

/// What is wrong with the name of a column.
pub(crate) fn column_mistake(name: &str) -> Option<&'static str> {
    let small = name.to_ascii_lowercase();
    if SYSTEM_COLUMNS.contains(&small.as_str()) {
        Some("every row of PostgreSQL or SQLite has a column of this name already")
    } else if small.starts_with(RESERVED_PREFIX) {
        Some("columns that start with `mire_` are reserved")
    } else if name.len() > MAX_COLUMN_BYTES {
        Some("a column's name can't be longer than 63 bytes")
    } else {
        None
    }
}

fn slug(name: &str) -> String {
    let slug: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let slug = slug.trim_matches('-');
    if slug.is_empty() { "placed" } else { slug }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_names_become_stored_names() {
        for (name, stored) in [
            ("Placed", "placed"),
            ("MoneyWithdrawn", "money-withdrawn"),
            ("money_withdrawn", "money-withdrawn"),
            ("HTTPDown", "http-down"),
            ("V2Ready", "v2-ready"),
            ("_odd__name_", "odd-name"),
        ] {
            assert_eq!(kebab(name), stored, "{name}");
        }
        assert_eq!(pascal("money_withdrawn"), "MoneyWithdrawn");
        assert_eq!(pascal("_x"), "X");
    }

    #[test]
    fn bad_names_come_with_a_mend() {
        assert_eq!(category_mistake("order_line"), None);
        assert!(
            category_mistake("order-line")
                .unwrap()
                .1
                .contains("order_line")
        );
        assert!(category_mistake("").is_some());
        assert!(category_mistake("mire_x").is_some());
        assert!(category_mistake("9").is_some());
        assert_eq!(event_name_mistake("money-withdrawn"), None);
        assert!(event_name_mistake("a.b").unwrap().1.contains("\"b\""));
        assert!(event_name_mistake("två ord").is_some());
        assert!(event_type_mistake("placed").is_some());
        assert_eq!(event_type_mistake("order.placed"), None);
        assert_eq!(table_mistake("balances"), None);
        assert_eq!(table_mistake("mire_balances").unwrap().1, "balances");
        assert_eq!(table_mistake("My Balances!").unwrap().1, "my_balances");
        assert_eq!(table_mistake("").unwrap().1, "balances");
        assert_eq!(table_mistake(&"b".repeat(48)), None);
        assert!(table_mistake(&"b".repeat(49)).is_some());
        assert_eq!(column_mistake("order"), None);
        assert!(column_mistake("CTID").is_some());
        assert_eq!(subscription_mistake("welcome-mail"), None);
        assert!(subscription_mistake(" welcome").is_some());
        assert!(subscription_mistake("welcome@1").is_some());
    }
}
