//! A body goes out as it came in, also one that is being typed: an editor completes in it only then.
//! And whatever is wrong, the declared types stay, so that the rest of a crate doesn't lose them.

use proc_macro2::TokenStream;

/// Bodies as they stand there while somebody types. Braces are balanced by then: editors see to that
/// before a macro is asked.
const HALF_TYPED: [&str; 5] = [
    "{ self. }",
    "{ let x = ; }",
    "{ if }",
    "{ self.balance += }",
    "{ match self.owner { Some( ) => } }",
];

fn tokens(source: &str) -> TokenStream {
    source
        .parse()
        .unwrap_or_else(|error| panic!("{error}: {source}"))
}

/// The answer of a macro as text.
fn answer(of: fn(TokenStream) -> TokenStream, source: &str) -> String {
    of(tokens(source)).to_string()
}

/// Asserts that an answer has these pieces, token by token.
fn has(answer: &str, pieces: &[&str]) {
    for piece in pieces {
        let piece = tokens(piece).to_string();
        assert!(answer.contains(&piece), "no `{piece}` in: {answer}");
    }
}

#[test]
fn half_typed_bodies_of_an_aggregate_go_out_verbatim() {
    for body in HALF_TYPED {
        let event = format!(
            "#[aggregate(category = \"account\")] pub struct Account {{ balance: i64 }}
            #[event] fn deposited(&mut self, amount: i64) {body}"
        );
        let written = answer(mire_codegen::aggregate, &event);
        has(
            &written,
            &["struct Account", "enum AccountEvent", "Deposited", body],
        );
        assert!(!written.contains("compile_error"), "{written}");

        let command = format!(
            "#[aggregate(category = \"account\")] pub struct Account {{ balance: i64 }}
            #[event] fn deposited(&mut self, amount: i64) {{}}
            #[command] pub fn deposit(&self, amount: i64) -> AccountEvent {body}"
        );
        let written = answer(mire_codegen::aggregate, &command);
        has(
            &written,
            &["struct Account", "enum AccountEvent", "Deposited", body],
        );
        assert!(!written.contains("compile_error"), "{written}");
    }
}

#[test]
fn half_typed_bodies_of_a_projection_go_out_verbatim() {
    for body in HALF_TYPED {
        let fold = format!(
            "#[projection(subscription = \"balances\", reads(AccountEvent))]
            pub struct Balance {{ #[key] account: AccountId, balance: i64 }}
            #[on(AccountEvent::Deposited)] fn deposited(&mut self, amount: i64) {body}"
        );
        let written = answer(mire_codegen::projection, &fold);
        has(
            &written,
            &["struct Balance", "AccountEvent::Deposited", body],
        );
        assert!(!written.contains("compile_error"), "{written}");

        let action = format!(
            "#[projection(subscription = \"mail\", reads(AccountEvent))]
            pub struct Mail {{ mailer: Mailer }}
            #[on(AccountEvent::Opened)]
            async fn welcome(&self, owner: &str) -> anyhow::Result<()> {body}"
        );
        let written = answer(mire_codegen::projection, &action);
        has(&written, &["struct Mail", "AccountEvent::Opened", body]);
        assert!(!written.contains("compile_error"), "{written}");
    }
}

#[test]
fn a_mistake_leaves_the_types_of_an_aggregate() {
    const STATE: &str = "#[aggregate(category = \"account\")] pub struct Account { balance: i64 }";
    const EVENT: &str = "#[event] fn deposited(&mut self, amount: i64) { self.balance += amount; }";
    for mistaken in [
        // On the state.
        format!("#[aggregate] pub struct Account {{ balance: i64 }} {EVENT}"),
        format!("#[aggregate(category = )] pub struct Account {{ balance: i64 }} {EVENT}"),
        format!(
            "#[aggregate(category = \"\", id())] pub struct Account {{ balance: i64 }} {EVENT}"
        ),
        format!(
            "#[aggregate(category = \"account\")] pub struct Account {{ owner: balance: i64 }} {EVENT}"
        ),
        format!("#[aggregate(category = \"account\")] pub struct Account {{ balance: }} {EVENT}"),
        format!(
            "#[aggregate(category = \"account\")] pub struct Account<'a> {{ owner: &'a str }} {EVENT}"
        ),
        format!(
            "#[aggregate(category = \"account\")] pub struct Account<T> {{ owner: T }} {EVENT}"
        ),
        // On an event or a command.
        format!("{STATE} #[event(version = )] fn deposited(&mut self, amount: i64) {{}}"),
        format!("{STATE} #[event] async fn deposited(&self, amount: &mut impl Copy) -> bool;"),
        format!("{STATE} {EVENT} #[event] fn (&mut self) {{}}"),
        format!("{STATE} {EVENT} #[event] fn closed(&mut self, x: ) {{}}"),
        format!("{STATE} {EVENT} #[command] fn deposit(&mut self) {{}}"),
        format!("{STATE} {EVENT} #[command] fn deposit(&self, )"),
        format!("{STATE} {EVENT} fn deposit(&self)"),
        // Between them.
        format!("{STATE} {EVENT} impl Account {{ }}"),
        format!("{STATE} {EVENT} 5 , #"),
        format!("{STATE} {EVENT} {EVENT}"),
    ] {
        let written = answer(mire_codegen::aggregate, &mistaken);
        assert!(written.contains("compile_error"), "{mistaken}");
        has(
            &written,
            &["struct Account", "enum AccountEvent", "Deposited"],
        );
    }
}

#[test]
fn a_mistake_leaves_the_types_of_a_projection() {
    const ROW: &str = "#[projection(subscription = \"balances\", reads(AccountEvent))]
        pub struct Balance { #[key] account: AccountId, balance: i64 }";
    const ON: &str = "#[on(AccountEvent::Deposited)] fn deposited(&mut self, amount: i64) {}";
    for mistaken in [
        format!("#[projection] pub struct Balance {{ #[key] account: AccountId }} {ON}"),
        format!("#[projection(reads = )] pub struct Balance {{ #[key] account: AccountId }} {ON}"),
        format!(
            "#[projection(subscription = \"b\", reads(E))] pub struct Balance {{ #[key] a: A, b: }} {ON}"
        ),
        format!(
            "#[projection(subscription = \"b\", reads(E))] pub struct Balance {{ account: A }} {ON}"
        ),
        format!("#[projection(subscription = \"b\", reads(E))] pub struct Balance(#[key] A); {ON}"),
        format!("{ROW} #[on(AccountEvent::)] fn deposited(&mut self) {{}}"),
        format!("{ROW} #[on(AccountEvent::Deposited)] async fn deposited(&self) {{}}"),
        format!("{ROW} {ON} #[on] fn closed(&mut self, x: ) {{}}"),
        format!("{ROW} {ON} fn closed()"),
        format!("{ROW} {ON} mod m {{ }}"),
        format!("{ROW} {ON} {ON}"),
    ] {
        let written = answer(mire_codegen::projection, &mistaken);
        assert!(written.contains("compile_error"), "{mistaken}");
        has(&written, &["struct Balance", "fn get", "fn runner"]);
    }
}
