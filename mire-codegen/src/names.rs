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

/// A type as a message proposes it.
pub(crate) fn type_text(ty: &impl ToTokens) -> String {
    path_text(ty).replace(',', ", ").replace(';', "; ")
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

/// The look-ups by an indexed column: by its value, and by a range of values.
pub(crate) fn lookups(column: &str) -> [String; 2] {
    [format!("by_{column}"), format!("by_{column}_range")]
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

/// Whether a word stands in tokens, at any depth.
pub(crate) fn has_word(tokens: &TokenStream, word: &str) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == word,
        TokenTree::Group(group) => has_word(&group.stream(), word),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

/// Whether a body's tokens may use a variable: fields, methods and modules of its name don't count.
/// What stands in the text of a `format!` isn't seen.
pub(crate) fn may_use(body: &TokenStream, variable: &str) -> bool {
    let tokens: Vec<TokenTree> = body.clone().into_iter().collect();
    let is_punct = |at: Option<usize>, char: char| {
        let token = at.and_then(|at| tokens.get(at));
        matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == char)
    };
    tokens.iter().enumerate().any(|(at, token)| match token {
        TokenTree::Ident(ident) if ident == variable => {
            let before = |char| is_punct(at.checked_sub(1), char);
            let twice = |char| before(char) && is_punct(at.checked_sub(2), char);
            // `..name` is a range, `name != x` compares, and `'name` is a loop's.
            let is_member = before('.') && !twice('.');
            let is_macro = is_punct(Some(at + 1), '!') && !is_punct(Some(at + 2), '=');
            let is_module = twice(':') || is_punct(Some(at + 1), ':');
            !is_member && !is_macro && !is_module && !before('\'')
        }
        TokenTree::Group(group) => may_use(&group.stream(), variable),
        _ => false,
    })
}

/// Whether a name can be an identifier without `r#`.
pub(crate) fn is_identifier(name: &str) -> bool {
    // The compiler's lexer reports by itself what it takes for a malformed number.
    let starts_as_one = name.starts_with(|c: char| c == '_' || c.is_alphabetic());
    starts_as_one && syn::parse_str::<Ident>(name).is_ok()
}

/// What is wrong with a name that the user gave.
#[derive(Debug, PartialEq)]
pub(crate) struct Mistake {
    pub(crate) wrong: String,
    /// A name in which nothing is wrong.
    pub(crate) right: String,
    /// What to think of, when that one is a mere example.
    advice: Option<&'static str>,
}

impl Mistake {
    /// A mistake, and the name that was probably meant, unless that would be one as well.
    fn new(
        wrong: &str,
        meant: &str,
        (advice, example): (&'static str, &str),
        problem: fn(&str) -> Option<&'static str>,
    ) -> Self {
        let is_right = problem(meant).is_none();
        Self {
            wrong: wrong.to_owned(),
            right: if is_right { meant } else { example }.to_owned(),
            advice: (!is_right).then_some(advice),
        }
    }

    /// How to mend it, as the value of a word.
    pub(crate) fn mend(&self, word: &str) -> String {
        let right = &self.right;
        match self.advice {
            None => format!("write `{word} = \"{right}\"`"),
            Some(advice) => format!("{advice}, as in `{word} = \"{right}\"`"),
        }
    }
}

/// The longest category.
const MAX_CATEGORY_BYTES: usize = 64;

/// What is wrong with a category.
pub(crate) fn category_mistake(category: &str) -> Option<Mistake> {
    let wrong = category_problem(category)?;
    let meant = slug(category.trim_start_matches(RESERVED_PREFIX), "_.");
    let example = ("name the kind of aggregate", "order");
    Some(Mistake::new(wrong, &meant, example, category_problem))
}

/// A category for a type of this name.
pub(crate) fn category_of(rust: &str) -> String {
    let own = kebab(rust).replace('-', "_");
    category_mistake(&own).map_or(own, |mistake| mistake.right)
}

fn category_problem(category: &str) -> Option<&'static str> {
    let mut chars = category.chars();
    if category.is_empty() {
        Some("a category can't be empty")
    } else if category.contains('-') {
        Some("a category can't contain `-`, which parts it from the id in a stream's name")
    } else if category.starts_with(RESERVED_PREFIX) {
        Some("categories that start with `mire_` are reserved")
    } else if category.len() > MAX_CATEGORY_BYTES {
        Some("a category can't be longer than 64 bytes")
    } else if !category.starts_with(|c: char| c.is_ascii_alphabetic())
        || !chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'))
    {
        Some("a category is a letter, then letters, digits, `_` or `.`, all ASCII")
    } else {
        None
    }
}

/// What is wrong with an entity: `#[derive(EventData)]` calls a category by this name.
pub(crate) fn entity_mistake(entity: &str) -> Option<Mistake> {
    let mistake = category_mistake(entity)?;
    let wrong = mistake.wrong.replace("a category", "an entity");
    let wrong = wrong.replace("categories", "entities");
    Some(Mistake { wrong, ..mistake })
}

/// The longest stored name behind the category.
const MAX_EVENT_NAME_BYTES: usize = 128;

/// What is wrong with the part of a stored event name that stands after the category. `own` is the
/// one that the event has by itself.
pub(crate) fn event_name_mistake(name: &str, own: &str) -> Option<Mistake> {
    let wrong = event_name_problem(name)?;
    let behind_dot = name.rsplit('.').next().unwrap_or(name);
    let own = if event_name_problem(own).is_none() {
        own
    } else {
        "placed"
    };
    let example = ("name what happened", own);
    let meant = slug(behind_dot, "-_");
    Some(Mistake::new(wrong, &meant, example, event_name_problem))
}

fn event_name_problem(name: &str) -> Option<&'static str> {
    let mut chars = name.chars();
    if name.is_empty() {
        Some("a stored name can't be empty")
    } else if name.contains('.') {
        Some("the category, and the dot after it, are put in front by the macro")
    } else if name.len() > MAX_EVENT_NAME_BYTES {
        Some("a stored name can't be longer than 128 bytes")
    } else if !name.starts_with(|c: char| c.is_ascii_alphanumeric())
        || !chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    {
        Some("a stored name is a letter or digit, then letters, digits, `-` or `_`, all ASCII")
    } else {
        None
    }
}

/// What is wrong with a whole stored name, `order.placed`.
pub(crate) fn event_type_mistake(event_type: &str) -> Option<Mistake> {
    let halves = event_type.rsplit_once('.');
    let (entity, name) = halves.unwrap_or(("", event_type));
    let (of_entity, of_name) = (entity_mistake(entity), event_name_mistake(name, "placed"));
    let right = |mistake: &Option<Mistake>, written: &str| match mistake {
        Some(mistake) => mistake.right.clone(),
        None => written.to_owned(),
    };
    let right = format!("{}.{}", right(&of_entity, entity), right(&of_name, name));
    let mistakes = || of_entity.iter().chain(&of_name);
    let first = mistakes().next()?;
    let is_example = mistakes().any(|mistake| mistake.advice.is_some());
    Some(Mistake {
        wrong: match halves {
            Some(_) => first.wrong.clone(),
            None => "a stored name has two halves with a dot between".to_owned(),
        },
        right,
        advice: is_example.then_some("name the kind of thing and what happened to it"),
    })
}

/// The longest name of a table: the tables of its versions, and their indexes, are named after it,
/// and PostgreSQL cuts names at 63.
const MAX_TABLE_BYTES: usize = 48;

/// Prefixes of tables that belong to the runtime and to the databases.
const RESERVED_TABLES: [&str; 3] = [RESERVED_PREFIX, "pg_", "sqlite_"];

/// The longest name of a column.
const MAX_COLUMN_BYTES: usize = 63;

/// The longest name of a subscription.
const MAX_SUBSCRIPTION_BYTES: usize = 200;

/// What is wrong with the name of a subscription.
pub(crate) fn subscription_mistake(name: &str) -> Option<Mistake> {
    let wrong = subscription_problem(name)?;
    let meant: String = name
        .chars()
        .map(|c| match c {
            '@' => '-',
            c if c.is_control() => ' ',
            c => c,
        })
        .collect();
    let example = ("say what it keeps or does", "balances");
    let meant = meant.trim();
    Some(Mistake::new(wrong, meant, example, subscription_problem))
}

fn subscription_problem(name: &str) -> Option<&'static str> {
    if name.trim().is_empty() {
        Some("a subscription's name can't be empty")
    } else if name.len() > MAX_SUBSCRIPTION_BYTES {
        Some("a subscription's name can't be longer than 200 bytes")
    } else if name.contains('@') || name.chars().any(char::is_control) || name.trim() != name {
        Some("a subscription's name has no `@`, no control characters, and no space around it")
    } else {
        None
    }
}

/// What is wrong with the name of a table.
pub(crate) fn table_mistake(name: &str) -> Option<Mistake> {
    let wrong = table_problem(name)?;
    let slug = slug(name, "_").to_ascii_lowercase();
    let mut meant = &*slug;
    while let Some(rest) = RESERVED_TABLES.iter().find_map(|it| meant.strip_prefix(it)) {
        meant = rest.trim_start_matches('_');
    }
    let example = ("say what its rows are", "balances");
    Some(Mistake::new(wrong, meant, example, table_problem))
}

fn table_problem(name: &str) -> Option<&'static str> {
    let mut chars = name.chars();
    if name.is_empty() {
        Some("a table's name can't be empty")
    } else if RESERVED_TABLES.iter().any(|it| name.starts_with(it)) {
        Some("tables that start with `mire_`, `pg_` or `sqlite_` are reserved")
    } else if name.len() > MAX_TABLE_BYTES {
        Some("a table's name can't be longer than 48 bytes")
    } else if !name.starts_with(|c: char| c.is_ascii_lowercase())
        || !chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    {
        Some(
            "a table's name is a letter, then letters, digits and `_`, all of them ASCII and small",
        )
    } else {
        None
    }
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

/// A name of ASCII letters, digits and the characters `joints`, the first of which stands for all
/// others; empty when letters of other alphabets would get lost.
fn slug(name: &str, joints: &str) -> String {
    if name.chars().any(|c| c.is_alphanumeric() && !c.is_ascii()) {
        return String::new();
    }
    let joint = joints.chars().next().unwrap_or('_');
    let kept = |c: char| c.is_ascii_alphanumeric() || joints.contains(c);
    let slug: String = name
        .chars()
        .map(|c| if kept(c) { c } else { joint })
        .collect();
    slug.trim_matches(|c| joints.contains(c)).to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_variable_is_used_where_it_stands_for_itself() {
        let body =
            "{ self.a.b(); S { c: d, e }; f::g; 0..h; i.j; k(&l); m!(); n != 1; 'o: loop {} }";
        let body: TokenStream = body.parse().unwrap();
        let used: String = ('a'..='o')
            .filter(|name| may_use(&body, &name.to_string()))
            .collect();
        assert_eq!(used, "dehikln");
    }

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
        for (check, written, right) in [
            (
                category_mistake as fn(&str) -> Option<Mistake>,
                "order-line",
                "order_line",
            ),
            (category_mistake, "shop.order line", "shop.order_line"),
            (category_mistake, "mire_order", "order"),
            (category_mistake, "mire_", "order"),
            (category_mistake, "", "order"),
            (category_mistake, "-", "order"),
            (category_mistake, "9-lives", "order"),
            (category_mistake, "två ord", "order"),
            (entity_mistake, "order-line", "order_line"),
            (event_name, "a.b", "b"),
            (event_name, "a.", "own"),
            (event_name, "två ord", "own"),
            (event_name, "two words", "two-words"),
            (event_name, "", "own"),
            (event_type_mistake, "placed", "order.placed"),
            (
                event_type_mistake,
                "order-line.two words",
                "order_line.two-words",
            ),
            (event_type_mistake, "order.", "order.placed"),
            (event_type_mistake, ".", "order.placed"),
            (subscription_mistake, " welcome", "welcome"),
            (subscription_mistake, "welcome@1", "welcome-1"),
            (subscription_mistake, " ", "balances"),
            (table_mistake, "mire_balances", "balances"),
            (table_mistake, "mire_pg_rows", "rows"),
            (table_mistake, "My Balances!", "my_balances"),
            (table_mistake, "2024", "balances"),
            (table_mistake, "", "balances"),
        ] {
            assert_eq!(check(written).unwrap().right, right, "{written:?}");
        }
        assert_eq!(category_of("OrderLine"), "order_line");
        assert_eq!(category_of("MireOrder"), "order");
        assert_eq!(category_of("Öl"), "order");
        assert_eq!(category_mistake("order_line"), None);
        assert_eq!(event_name("money-withdrawn"), None);
        assert_eq!(event_type_mistake("order.placed"), None);
        assert_eq!(subscription_mistake("welcome-mail"), None);
        assert_eq!(table_mistake("balances"), None);
        assert_eq!(table_mistake(&"b".repeat(48)), None);
        assert!(table_mistake(&"b".repeat(49)).is_some());
        assert_eq!(column_mistake("order"), None);
        assert!(column_mistake("CTID").is_some());
    }

    fn event_name(name: &str) -> Option<Mistake> {
        event_name_mistake(name, "own")
    }

    /// Names of all kinds, most of them nearly right.
    fn names() -> impl Strategy<Value = String> {
        prop_oneof![
            "(mire_|pg_|sqlite_|MIRE_){0,3}[-_. @a-zA-Z0-9]{0,12}",
            "[a-z_.-]{60,210}",
            ".{0,8}",
            any::<String>(),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 5000,
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn a_mend_needs_no_mend(name in names(), own in names()) {
            prop_assert_eq!(category_mistake(&category_of(&name)), None);
            let event_name = |name: &str| event_name_mistake(name, &own);
            for check in [
                &category_mistake as &dyn Fn(&str) -> Option<Mistake>,
                &entity_mistake,
                &event_name,
                &event_type_mistake,
                &subscription_mistake,
                &table_mistake,
            ] {
                if let Some(mistake) = check(&name) {
                    prop_assert_eq!(check(&mistake.right), None, "{:?}", mistake);
                }
            }
        }
    }
}
