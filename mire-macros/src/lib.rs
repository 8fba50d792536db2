//! The macros of mire: a thin shell around `mire-codegen`. Use them through the crate `mire`.

use proc_macro::TokenStream;

/// Stored names for an enum of events, or for a single event struct, that is written by hand.
///
/// On an enum, `#[mire(entity = "order")]` gives the first half of the stored names; the second is
/// the variant in kebab case, or `#[mire(rename = "…")]`. The payload holds the variant's fields
/// alone. On a struct, `#[mire(event_type = "order.placed")]` gives the whole name. Serde's own
/// derives stand beside it.
///
/// ```
/// #[derive(serde::Serialize, serde::Deserialize, mire::EventData)]
/// #[mire(entity = "order")]
/// enum OrderEvent {
///     Placed { amount: i64 },                 // order.placed
///     #[mire(rename = "sent")]
///     Shipped,                                // order.sent
/// }
///
/// use mire::EventData;
/// assert_eq!(OrderEvent::Shipped.event_type(), "order.sent");
/// assert_eq!(OrderEvent::event_types(), ["order.placed", "order.sent"]);
/// ```
///
/// # Words
///
/// | `#[mire(…)]` on | word | |
/// |---|---|---|
/// | an enum | `entity = "order"` | the first half of the stored names, and the category of the streams whose events a projection reads as this enum |
/// | | `crate(my_mire)` | where mire is, when the dependency was renamed |
/// | a variant | `rename = "placed"` | the stored name after the entity; keeps it when the variant is renamed |
/// | a struct | `event_type = "order.placed"` | the stored name |
/// | | `crate(my_mire)` | where mire is, when the dependency was renamed |
#[proc_macro_derive(EventData, attributes(mire))]
pub fn derive_event_data(input: TokenStream) -> TokenStream {
    mire_codegen::derive_event_data(input.into()).into()
}

/// Declares an aggregate: its state, its events with their effects, and its commands.
///
/// The content is ordinary Rust items in parentheses, formatted by rustfmt:
///
/// ```
/// # #[derive(Debug, PartialEq)]
/// # pub struct Overdrawn;
/// # fn withdrawn_v1(mut old: serde_json::Value) -> Result<serde_json::Value, std::convert::Infallible> {
/// #     old["reason"] = serde_json::Value::Null;
/// #     Ok(old)
/// # }
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
///
/// Account::given([AccountEvent::Deposited { amount: 20 }])
///     .when(|account| account.withdraw(30))
///     .then_error(Overdrawn);
/// ```
///
/// # What is written
///
/// - `Account`, with `Default` and `Clone`, its `Aggregate`, and with `snapshot_every` its
///   `Snapshot`, versioned by a fingerprint of the declaration: the state, the events and their bodies.
///   A change of what they only name (a type within the state, a function that a body calls, an
///   upcast) is not seen: count `revision` up, or commands decide on states of the old code.
/// - `AccountEvent`: a variant for each `#[event]`, its parameters as fields. A parameter of type
///   `&str` is stored as a `String`, `&[T]` as a `Vec<T>`, `&T` as a `T`. A field's type is `Debug +
///   Clone + PartialEq` and serde's `Serialize` and `Deserialize`. [It is stored as JSON](#what-is-stored-as-json).
/// - `AccountId`, a UUID newtype, for `id(AccountId)`. A path such as `id(crate::Isbn)` names a type
///   of yours instead, which is `Display + FromStr`. Without `id`, any text is an id.
/// - Each command as it stands, for `store.execute(id, |account: &Account| account.withdraw(30))`,
///   and in recording form on `AggregateRoot<Account>`, through the trait `AccountCommands`:
///   `root.withdraw(30)?`. Another module imports the trait. Commands that are less visible than the
///   struct are in traits of their own, `AccountPrivateCommands` and `AccountCrateCommands`.
///   `#[cfg(…)]` and `#[deprecated]` on it go for both; what is stored can't depend on `#[cfg(…)]`.
/// - `Account::stream(&id)`, the stream's name, and `Account::given([…])`, the way into tests.
///
/// # What is stored as JSON
///
/// Events are, and with `snapshot_every` states. What JSON can't give back is refused, as far as it
/// shows in the declaration:
///
/// - The key of a map is text or a number, or a newtype or an enum without fields that serde stores as
///   such.
/// - JSON doesn't tell `Some(None)` from `None`. So there is no `Option` of an `Option`, of `()`, or of
///   a `serde_json::Value`: an enum of yours says the same. Behind an alias, or in a type of yours, it
///   isn't seen, nor is a `Value` that was imported.
/// - serde knows arrays of up to 32 elements. A longer one is a `Vec`.
///
/// `#[serde(…)]` may stand on a parameter of an event and on a field of a state, and with `with` it
/// says how any type is stored. A field of an event can't be skipped. One of a state can, with
/// `#[serde(skip, default)]`: it begins anew when the state is read from a snapshot, so commands and
/// events can't rely on it, and it is for what is filled where it is needed, such as a cache. What
/// `skip_serializing_if` leaves out needs a `default` to be read, unless it is an `Option`.
///
/// # Words
///
/// | attribute | word | |
/// |---|---|---|
/// | `#[aggregate]` | `category = "account"` | the first half of its streams' names, and of its events' stored names |
/// | | `id(AccountId)` | the type of its id: a bare name is generated, a UUID; a path such as `id(crate::Isbn)` names a type of yours |
/// | | `snapshot_every = 100` | stores a snapshot each time the stream has grown by so many events |
/// | | `revision = 2` | to be counted up when the declaration doesn't show that states are other ones: sets the stored snapshots aside |
/// | | `crate(my_mire)` | where mire is, when the dependency was renamed |
/// | `#[event]` | `name = "money-withdrawn"` | the stored name after the category; the function's in kebab case otherwise; keeps it when the function is renamed |
/// | | `version = 2` | the version of the payload's shape, 1 if not given |
/// | | `upcast(withdrawn_v1)` | a `fn(serde_json::Value) -> Result<serde_json::Value, _>` for each older version, oldest first |
/// | `#[command]` | | answers an event, an `Option`, a `Vec` or an array of events, or a `Result` of these and of the reason for refusing |
#[proc_macro]
pub fn aggregate(input: TokenStream) -> TokenStream {
    mire_codegen::aggregate(input.into()).into()
}

/// Declares a projection: a table that is folded from events, or what is to be done for each.
///
/// The content is ordinary Rust items in parentheses, formatted by rustfmt: one struct, and a
/// function for each event. A field that is marked with `#[key]` or `#[index]` makes it a table;
/// without one, `async fn`s make it a projection that acts.
///
/// # A projection that keeps a table
///
/// ```
/// # mire::aggregate!(
/// #     #[aggregate(category = "account", id(AccountId))]
/// #     pub struct Account;
/// #     #[event]
/// #     fn opened(&mut self, owner: &str) {}
/// #     #[event]
/// #     fn renamed(&mut self, owner: &str) {}
/// #     #[event]
/// #     fn deposited(&mut self, amount: i64) {}
/// #     #[event]
/// #     fn closed(&mut self) {}
/// # );
/// mire::projection!(
///     /// What every account holds now.
///     #[projection(subscription = "balances", reads(AccountEvent))]
///     #[ignores(AccountEvent::Renamed)]
///     #[derive(Debug)]
///     pub struct Balance {
///         #[key]
///         account: AccountId,
///         owner: String,
///         #[index]
///         balance: i64,
///     }
///
///     #[on(AccountEvent::Opened)]
///     fn opened(&mut self, owner: &str) {
///         self.owner = owner.to_owned();
///     }
///
///     #[on(AccountEvent::Deposited)]
///     fn deposited(&mut self, amount: i64) {
///         self.balance += amount;
///     }
///
///     #[on(AccountEvent::Closed, delete)]
///     fn closed(&mut self) {}
/// );
///
/// # async fn run(
/// #     store: mire::EventStore<mire::Sqlite>,
/// #     id: AccountId,
/// #     cancel: tokio_util::sync::CancellationToken,
/// # ) -> anyhow::Result<()> {
/// Balance::runner(&store).worker_id("a").run(cancel).await?;
/// let row = Balance::get(&store, &id).await?;
/// # Ok(())
/// # }
/// ```
///
/// The struct is a row. A function changes the row of its event; it is `fn(&mut self, …)`, in
/// memory, and the runner reads and writes the rows of a whole page at once, in the transaction of
/// its checkpoint: exactly once. A row that isn't there yet is made of its key and of `Default` for
/// the other fields.
///
/// - **Which row?** The one that the stream's id names, if the key has the aggregate's id type, or is
///   a `String`. Else `#[on(OrderEvent::Placed, key(customer))]` names the event's
///   field, which is of the key's type.
/// - **Removing it.** `#[on(AccountEvent::Closed, delete)]`, with an empty body.
/// - **A change of the declaration** (columns, marks, the events, the functions with their bodies; not
///   layout, documentation, derives and `#[ignores]`) is another version of the table. It is built
///   beside the one that serves, from the start of the log, and swapped in when it has caught up; see
///   `mire::table`. A change of what the declaration only names (a function that a body calls, a type
///   of a column, an upcast) is not seen: count `revision` up.
///
/// Written for it are, on the struct:
///
/// | | |
/// |---|---|
/// | `SUBSCRIPTION` | the subscription's name |
/// | `get(&store, &key)`, `get_many(&store, &[key])` | rows by key |
/// | `list(&store, page)` | rows in the order of their keys |
/// | `by_balance(&store, &value, page)`, `by_balance_range(&store, range, page)` | rows by a column with `#[index]` |
/// | `wait_for(&store, position, timeout)` | waits until the rows show what is in the log up to there |
/// | `status(&store)` | the versions of the table: which serves, how far each is, how long it will take |
/// | `runner(&store)` | a builder of a runner; `subscribe_table::<Balance>()` adds it to any other |
///
/// `get` and `by_…` take a `String` as a `&str`, and anything else by reference; a range is one of
/// `String`s, and leaves rows without a value out, which `by_…(&store, &None, page)` finds. A page is a
/// number of rows from the start, or a `mire::table::Page`, which goes on behind a row:
/// `Page::of(50).descending().after(&last.account)`, and in a range
/// `.after((&last.balance, &last.account))`.
///
/// Beside them stand `TableProjection` and `sqlx::FromRow`, for queries of your own over the table's name.
///
/// ## Columns
///
/// A field's type is one of `bool`, the integers up to 64 bits, `f32`, `f64`, `String`, `Uuid`,
/// chrono's `DateTime<Utc>`, `NaiveDate`, `NaiveTime` and `NaiveDateTime`, `Vec<u8>`, a generated id,
/// an `Option` of these, or a type of yours with `impl mire::ColumnType`. Anything else that serde
/// knows is stored with `#[json]`, unless [JSON can't give it back](aggregate!#what-is-stored-as-json).
/// The column is called as the field is.
///
/// # A projection that acts
///
/// ```
/// # mire::aggregate!(
/// #     #[aggregate(category = "account", id(AccountId))]
/// #     pub struct Account;
/// #     #[event]
/// #     fn opened(&mut self, owner: &str) {}
/// #     #[event]
/// #     fn deposited(&mut self, amount: i64) {}
/// #     #[event]
/// #     fn closed(&mut self) {}
/// # );
/// # pub struct Mailer;
/// # impl Mailer {
/// #     async fn send(&self, to: &str, at: i64) -> anyhow::Result<()> {
/// #         Ok(())
/// #     }
/// # }
/// use mire::EventInfo;
///
/// mire::projection!(
///     #[projection(subscription = "welcome-mail", reads(AccountEvent))]
///     #[ignores(AccountEvent::Deposited, AccountEvent::Closed)]
///     pub struct WelcomeMail {
///         mailer: Mailer,
///     }
///
///     #[on(AccountEvent::Opened)]
///     async fn welcome(&self, owner: &str, event: &EventInfo) -> anyhow::Result<()> {
///         self.mailer.send(owner, event.global_position()).await
///     }
/// );
///
/// # async fn run(
/// #     store: mire::EventStore<mire::Sqlite>,
/// #     mailer: Mailer,
/// #     cancel: tokio_util::sync::CancellationToken,
/// # ) -> anyhow::Result<()> {
/// WelcomeMail { mailer }.runner(&store).run(cancel).await?;
/// # Ok(())
/// # }
/// ```
///
/// The struct is what the functions need. They are `async fn(&self, …)` and return nothing or a
/// `Result<(), E>` of any error that `anyhow` takes: one with `std::error::Error`, or `anyhow::Error`
/// itself. An event is handled before the checkpoint moves: at least once, so what is done has to
/// bear being done again. A parameter `tx: &mut PgConnection` or `tx: &mut SqliteConnection` makes
/// the projection transactional: what is written through `tx` is committed with the checkpoint,
/// exactly once. It then runs on stores of that database. With a generic `struct Transfers<DB:
/// mire::Backend>(PhantomData<fn() -> DB>)` and `tx: &mut DB::Connection`, on any; `ActingProjection`
/// shows one, with the bounds that its SQL needs.
///
/// Its checkpoint is one place in the log, whatever is read. Events of an enum that `reads` names from
/// now on are handled from there on, and one that old code still leads goes past them: stop the old
/// replicas first, or begin a new subscription. The same holds when an aggregate's category changes.
///
/// Written for it are `SUBSCRIPTION`, `runner(&store)`, `wait_for`, `ActingProjection`, which
/// `subscribe_projection(WelcomeMail { … })` takes on any runner, and `PageHandler` or
/// `TransactionalPageHandler`, for subscriptions with settings of their own.
///
/// # Parameters
///
/// A parameter is a field of the event, of the same name: by value, which copies it, or by
/// reference, where `&str` stands for a `String` and `&[T]` for a `Vec<T>`. Those that aren't needed
/// are left out. `event: &EventInfo`, under any name, has the event's stream, version, position,
/// time and metadata.
///
/// # Words
///
/// | attribute | word | |
/// |---|---|---|
/// | `#[projection]` | `subscription = "balances"` | the name under which it reads the log: of its lease, its checkpoint, and its table, where `-` becomes `_` |
/// | | `reads(AccountEvent)` | the enums of events that it reads, one for each aggregate |
/// | | `table = "account_balances"` | the name of its table, when it is not the subscription's |
/// | | `revision = 2` | to be counted up when the declaration doesn't show that rows are other ones: the table is built anew |
/// | | `crate(my_mire)` | where mire is, when the dependency was renamed |
/// | `#[on(AccountEvent::Opened)]` | `key(customer)` | the event's field that names the row, when the stream's id doesn't |
/// | | `delete` | the event removes the row; the function's body is empty |
/// | `#[ignores(AccountEvent::Closed)]` | | events for which nothing is to be done; every event of `reads` is handled or ignored |
/// | a field | `#[key]` | names the row: the table's primary key |
/// | | `#[index]` | rows are looked up by it |
/// | | `#[json]` | stored as JSON, for any type that serde knows |
///
/// Several projections on one runner: `mire::runner!(&store, Balance, WelcomeMail = mail)`.
#[proc_macro]
pub fn projection(input: TokenStream) -> TokenStream {
    mire_codegen::projection(input.into()).into()
}

/// What `mire::runner!` stands on; it adds where mire is.
#[doc(hidden)]
#[proc_macro]
pub fn runner(input: TokenStream) -> TokenStream {
    mire_codegen::runner(input.into()).into()
}
