//! Whatever is typed into the macros, they answer: with items, with errors, or with both. They
//! never panic, and what they answer is Rust.

use proc_macro2::TokenStream;
use proptest::prelude::*;
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

fn soup() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(PIECES), 0..12).prop_filter_map(
        "only what the lexer lets through reaches a macro",
        |pieces| {
            let source = pieces.join(" ");
            source.parse::<TokenStream>().is_ok().then_some(source)
        },
    )
}

fn is_items_or_errors(answer: &TokenStream, input: &TokenStream) -> Result<(), TestCaseError> {
    let rust = syn::parse2::<syn::File>(answer.clone());
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
    fn the_derive_answers_whatever_it_stands_on(source in soup()) {
        let input: TokenStream = source.parse().unwrap();
        let input = quote!(#[mire(entity = "x")] #input);
        is_items_or_errors(&mire_codegen::derive_event_data(input.clone()), &input)?;
    }
}
