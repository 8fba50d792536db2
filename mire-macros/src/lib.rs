//! The macros of mire: a thin shell around `mire-codegen`. Use them through the crate `mire`.

use proc_macro::TokenStream;

/// Stored names for an enum of events, or for a single event struct, that is written by hand.
///
/// On an enum, `#[mire(entity = "order")]` gives the first half of the stored names; the second is
/// the variant in kebab case, or `#[mire(rename = "…")]`. The payload holds the variant's fields
/// alone. On a struct, `#[mire(event_type = "order.placed")]` gives the whole name. Serde's own
/// derives stand beside it.
///
/// ```ignore
/// #[derive(serde::Serialize, serde::Deserialize, mire::EventData)]
/// #[mire(entity = "order")]
/// enum OrderEvent {
///     Placed { amount: i64 },                 // order.placed
///     #[mire(rename = "sent")]
///     Shipped,                                // order.sent
/// }
/// ```
#[proc_macro_derive(EventData, attributes(mire))]
pub fn derive_event_data(input: TokenStream) -> TokenStream {
    mire_codegen::derive_event_data(input.into()).into()
}

/// Declares an aggregate: its state, its events with their effects, and its commands.
///
/// The content is ordinary Rust items in parentheses, formatted by rustfmt:
///
/// ```ignore
/// mire::aggregate!(
///     /// A bank account.
///     #[aggregate(category = "account", id(AccountId), snapshot_every = 100)]
///     #[derive(Debug)]
///     pub struct Account {
///         balance: i64,
///     }
///
///     /// Money came in.
///     #[event]
///     fn deposited(&mut self, amount: i64) {
///         self.balance += amount;
///     }
///
///     /// Money went out. Version 1 had no reason.
///     #[event(name = "money-withdrawn", version = 2, upcast(withdrawn_v1))]
///     fn withdrawn(&mut self, amount: i64, reason: &Option<String>) {
///         self.balance -= amount;
///     }
///
///     /// Takes money out, if the balance covers it.
///     #[command]
///     pub fn withdraw(&self, amount: i64) -> Result<AccountEvent, Overdrawn> {
///         if amount > self.balance {
///             return Err(Overdrawn);
///         }
///         Ok(AccountEvent::Withdrawn { amount, reason: None })
///     }
/// );
/// ```
///
/// # What is written
///
/// - `Account`, with `Default` and `Clone`, its `Aggregate`, and with `snapshot_every` its
///   `Snapshot`, versioned by a fingerprint of the declaration.
/// - `AccountEvent`: a variant for each `#[event]`, its parameters as fields. A parameter of type
///   `&str` is stored as a `String`, `&[T]` as a `Vec<T>`, `&T` as a `T`. A field's type is `Debug +
///   Clone + PartialEq` and serde's `Serialize` and `Deserialize`.
/// - `AccountId`, a UUID newtype, for `id(AccountId)`. A path such as `id(crate::Isbn)` names a type
///   of yours instead, which is `Display + FromStr`. Without `id`, any text is an id.
/// - Each command as it stands, for `store.execute(&id, |account: &Account| account.withdraw(30))`,
///   and in recording form on `AggregateRoot<Account>`, through the trait `AccountCommands`, for
///   those that are as visible as the struct: `root.withdraw(30)?`.
/// - `Account::stream(&id)`, the stream's name, and `Account::given([…])`, the way into tests.
///
/// # Words
///
/// | attribute | word | |
/// |---|---|---|
/// | `#[aggregate]` | `category = "account"` | the first half of its streams' names, and of its events' stored names |
/// | | `id(AccountId)` | the type of its id |
/// | | `snapshot_every = 100` | stores a snapshot each time the stream has grown by so many events |
/// | | `crate(my_mire)` | where mire is, when the dependency was renamed |
/// | `#[event]` | `name = "money-withdrawn"` | the stored name after the category; the function's in kebab case otherwise |
/// | | `version = 2` | the version of the payload's shape |
/// | | `upcast(withdrawn_v1)` | a `fn(serde_json::Value) -> Result<serde_json::Value, _>` for each older version, oldest first |
/// | `#[command]` | | |
#[proc_macro]
pub fn aggregate(input: TokenStream) -> TokenStream {
    mire_codegen::aggregate(input.into()).into()
}

/// Declares a projection: what it keeps or does, and how it follows from the events.
#[proc_macro]
pub fn projection(input: TokenStream) -> TokenStream {
    mire_codegen::projection(input.into()).into()
}
