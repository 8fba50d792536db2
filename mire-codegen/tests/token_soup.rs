//! Whatever is typed into the macros, and wherever the hand slips in what was right, they answer:
//! with items, with errors, or with both. They never panic, and what they answer is Rust.

use std::fs;
use std::path::Path;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use proptest::prelude::*;
use proptest::sample::Index;
use quote::quote;

/// Pieces that programs in the DSL are made of, whole and broken.
const PIECES: &[&str] = &[
    "#[aggregate(category = \"account\", id(AccountId))]",
    "#[aggregate(category = \"a-b\", snapshot_every = 0, crate(x::y))]",
    "#[aggregate]",
    "#[aggregate(category)]",
    "#[event]",
    "#[event(version = 2, upcast(a, b::c))]",
    "#[event(name = \"\", version = 99999999999)]",
    "#[event(name(3))]",
    "#[command]",
    "#[command = 5]",
    "#[projection(subscription = \"balances\", reads(AccountEvent))]",
    "#[projection(subscription = \"a@b\", table = \"mire_\", reads(a::E, a::E), crate(x::y))]",
    "#[projection]",
    "#[projection(reads)]",
    "#[projection(table)]",
    "#[ignores(AccountEvent::Closed)]",
    "#[ignores(Closed, a::b::E::V,)]",
    "#[ignores]",
    "#[on(AccountEvent::Opened)]",
    "#[on(AccountEvent::Opened, key(owner), delete)]",
    "#[on(a::E::V, b::E::V)]",
    "#[on(AccountEvent::Opened { owner })]",
    "#[on(key(a.b))]",
    "#[on]",
    "#[key]",
    "#[derive(Debug, serde::Serialize)]",
    "#[derive(]",
    "#[serde(default)]",
    "#[serde(skip, rename(serialize = \"a\"), alias = \"b\", skip_serializing_if = \"c\")]",
    "/// Documentation.\n",
    "#",
    "#![allow(unused)]",
    "pub",
    "pub(crate)",
    "pub(in",
    "struct Account { balance: i64 }",
    "struct Account;",
    "struct Balance { #[key] account: AccountId, #[index] r#type: i64, #[json] tags: Vec<String> }",
    "struct Balance { #[key] #[json] ctid: A, #[key(a)] #[index] Ctid: B }",
    "struct Balance(#[key] i64);",
    "struct Mail<DB: Backend> where DB: Copy { store: EventStore<DB> }",
    "struct Account(i64);",
    "struct Account<T> { balance: T }",
    "struct Account { balance: ",
    "enum State { #[default] A, B(i64) }",
    "enum {}",
    "union U { a: u32 }",
    "fn opened(&mut self, owner: &str) { self.owner = owner.into(); }",
    "fn opened(&self) {}",
    "fn self_(&mut self) {}",
    "fn given(&mut self) {}",
    "fn r#move(&mut self, r#type: &[u8]) {}",
    "fn broken(&mut self, x: ) { x. }",
    "fn broken(&mut self { }",
    "#[event] fn holds(&mut self, nothing: &[Option<>]) {}",
    "fn generic<'a, T: 'a>(&'a mut self, t: T) where T: Copy {}",
    "async fn waits(&mut self) {}",
    "async fn acts(&self, owner: &str, event: &EventInfo, tx: &mut PgConnection) -> R { Ok(()) }",
    "async fn acts_twice(&self, tx: &mut PgConnection, ux: &mut DB::Connection, v: &mut i64) {}",
    "fn get(&mut self, info: EventInfo, (a, b): (i64, i64)) {}",
    "fn by_type(&mut self, r#type: impl Copy) {}",
    "const unsafe extern \"C\" fn odd(mut self: Box<Self>, ...) -> ! { }",
    "fn withdraw(&self, amount: i64) -> Result<AccountEvent, Error> { Err(Error) }",
    "fn nothing();",
    "fn",
    "impl Account { fn f() {} }",
    "use a::{b, c};",
    "mod m { }",
    "macro_rules! m { () => {} }",
    "const X: i64 = { 5 };",
    "extern crate x;",
    "type T = u8;",
    "trait T {}",
    "{ }",
    "( )",
    ";",
    ",",
    "\"text\"",
    "'a",
    "5",
    "->",
];

/// Names that Rust allows, most of them nobody's choice.
fn identifier() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        "_{0,2}[0-9a-zA-Z]{1,4}_{0,2}[0-9a-z_]{0,4}",
        "[\\p{XID_Start}_]\\p{XID_Continue}{0,4}",
        prop::sample::select(vec![
            "r#type", "self_", "given", "stream", "_1", "_2e", "__", "É"
        ])
        .prop_map(str::to_owned),
    ];
    let is_name = |name: &String| syn::parse_str::<proc_macro2::Ident>(name).is_ok();
    name.prop_filter("what Rust calls an identifier", is_name)
}

fn soup() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(PIECES), 0..12).prop_filter_map(
        "only what the lexer lets through reaches a macro",
        |pieces| {
            let source = pieces.join(" ");
            source.parse::<TokenStream>().is_ok().then_some(source)
        },
    )
}

/// A slip of the hand.
#[derive(Debug, Clone, Copy)]
enum Slip {
    Delete,
    Double,
    /// With what stands behind it.
    Swap,
}

/// The calls of a macro in the programs that compile.
fn calls(name: &str) -> Vec<TokenStream> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ui-tests/pass");
    let mut calls = Vec::new();
    for entry in fs::read_dir(fixtures).unwrap() {
        let source = fs::read_to_string(entry.unwrap().path()).unwrap();
        find_calls(source.parse().unwrap(), name, &mut calls);
    }
    assert!(calls.len() > 3, "the programs were not found");
    calls
}

fn find_calls(source: TokenStream, name: &str, calls: &mut Vec<TokenStream>) {
    let tokens: Vec<TokenTree> = source.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        if let TokenTree::Group(group) = token {
            find_calls(group.stream(), name, calls);
        }
        if let [
            TokenTree::Ident(called),
            TokenTree::Punct(bang),
            TokenTree::Group(content),
            ..,
        ] = &tokens[at..]
            && called == name
            && bang.as_char() == '!'
        {
            calls.push(content.stream());
        }
    }
}

/// How many tokens there are, at any depth.
fn count(tokens: &TokenStream) -> usize {
    let inner = |token: TokenTree| match token {
        TokenTree::Group(group) => 1 + count(&group.stream()),
        _ => 1,
    };
    tokens.clone().into_iter().map(inner).sum()
}

/// Lets the hand slip at the token that stands `left` tokens further on, at any depth.
fn slip(tokens: TokenStream, left: &mut Option<usize>, slip_of: Slip) -> TokenStream {
    let mut slipped: Vec<TokenTree> = Vec::new();
    let mut tokens = tokens.into_iter();
    while let Some(mut token) = tokens.next() {
        match left {
            Some(0) => {
                *left = None;
                match slip_of {
                    Slip::Delete => continue,
                    Slip::Double => slipped.push(token.clone()),
                    Slip::Swap => slipped.extend(tokens.next()),
                }
            }
            Some(left) => *left -= 1,
            None => {}
        }
        if let TokenTree::Group(group) = &token {
            let inner = slip(group.stream(), left, slip_of);
            token = Group::new(group.delimiter(), inner).into();
        }
        slipped.push(token);
    }
    slipped.into_iter().collect()
}

/// Calls that were right, up to a few slips.
fn slipped(name: &str) -> impl Strategy<Value = String> + use<> {
    let slips = prop_oneof![Just(Slip::Delete), Just(Slip::Double), Just(Slip::Swap)];
    let slips = prop::collection::vec((slips, any::<Index>()), 1..4);
    (prop::sample::select(calls(name)), slips).prop_filter_map(
        "only what the lexer lets through reaches a macro",
        |(mut call, slips)| {
            for (slip_of, at) in slips {
                let mut left = Some(at.index(count(&call).max(1)));
                call = slip(call, &mut left, slip_of);
            }
            let source = call.to_string();
            source.parse::<TokenStream>().is_ok().then_some(source)
        },
    )
}

/// Bodies are what the user typed, which need not be Rust yet: they are for rustc to read.
fn without_bodies(tokens: TokenStream) -> TokenStream {
    let (mut in_function, mut angles, mut before) = (false, 0, ' ');
    let emptied = |token: TokenTree| match token {
        TokenTree::Ident(word) => {
            if word == "fn" {
                (in_function, angles) = (true, 0);
            }
            word.into()
        }
        TokenTree::Punct(punct) => {
            match punct.as_char() {
                '<' => angles += 1,
                '>' if before != '-' => angles -= 1,
                ';' => in_function = false,
                _ => {}
            }
            before = punct.as_char();
            punct.into()
        }
        TokenTree::Group(group) => {
            // Between angles they are an argument.
            let is_block = group.delimiter() == Delimiter::Brace && angles < 1;
            let inner = match is_block && in_function {
                true => TokenStream::new(),
                false => without_bodies(group.stream()),
            };
            in_function &= !is_block;
            Group::new(group.delimiter(), inner).into()
        }
        literal @ TokenTree::Literal(_) => literal,
    };
    tokens.into_iter().map(emptied).collect()
}

fn is_items_or_errors(answer: &TokenStream, input: &TokenStream) -> Result<(), TestCaseError> {
    let rust = syn::parse2::<syn::File>(without_bodies(answer.clone()));
    prop_assert!(
        rust.is_ok(),
        "{:?}\nfrom: {input}\nto: {answer}",
        rust.err()
    );
    prop_assert!(!answer.is_empty(), "no answer to: {input}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn aggregate_answers_whatever_is_typed(source in soup()) {
        let input: TokenStream = source.parse().unwrap();
        is_items_or_errors(&mire_codegen::aggregate(input.clone()), &input)?;
        let _ = mire_codegen::aggregate_outline(input);
    }

    #[test]
    fn projection_answers_whatever_is_typed(source in soup()) {
        let input: TokenStream = source.parse().unwrap();
        is_items_or_errors(&mire_codegen::projection(input.clone()), &input)?;
        let _ = mire_codegen::projection_outline(input);
    }

    #[test]
    fn aggregate_answers_whatever_slips(source in slipped("aggregate")) {
        let input: TokenStream = source.parse().unwrap();
        is_items_or_errors(&mire_codegen::aggregate(input.clone()), &input)?;
        let _ = mire_codegen::aggregate_outline(input);
    }

    #[test]
    fn projection_answers_whatever_slips(source in slipped("projection")) {
        let input: TokenStream = source.parse().unwrap();
        is_items_or_errors(&mire_codegen::projection(input.clone()), &input)?;
        let _ = mire_codegen::projection_outline(input);
    }

    #[test]
    fn no_name_is_too_odd(name in identifier(), other in identifier()) {
        let (name, other) = (name.as_str(), other.as_str());
        let source = format!(
            "#[aggregate(category = \"account\", id({other}))] struct {name} {{ {other}: i64 }} \
             #[event] fn {name}(&mut self, {other}: i64) {{}} \
             #[event] fn {other}(&mut self, {name}: &str) {{}} \
             #[command] fn {name}(&self, {other}: i64) -> {other} {{}}"
        );
        let input: TokenStream = source.parse().unwrap();
        is_items_or_errors(&mire_codegen::aggregate(input.clone()), &input)?;
        let _ = mire_codegen::aggregate_outline(input);
        let source = format!(
            "#[projection(subscription = \"balances\", reads({other}))] \
             struct {name} {{ #[key] {other}: i64, #[index] {name}: i64 }} \
             #[on({other}::{name}, key({other}))] fn {name}(&mut self, {other}: i64) {{}}"
        );
        let input: TokenStream = source.parse().unwrap();
        is_items_or_errors(&mire_codegen::projection(input.clone()), &input)?;
        let _ = mire_codegen::projection_outline(input);
    }

    #[test]
    fn the_derive_answers_whatever_it_stands_on(source in soup()) {
        let input: TokenStream = source.parse().unwrap();
        let input = quote!(#[mire(entity = "x")] #input);
        is_items_or_errors(&mire_codegen::derive_event_data(input.clone()), &input)?;
    }
}
