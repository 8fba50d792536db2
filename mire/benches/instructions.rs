//! The hot paths without a database, for `cargo xtask instructions` to count instructions of: one
//! path, run so many times on the same thousand events.
//!
//! ```text
//! instructions PATH TIMES
//! ```
//!
//! With 0 times, all is prepared and nothing is run; the difference to some times is the path's.

use std::hint::black_box;

use anyhow::{Context, bail};
use mire::__private::counted::{RawEvent, batch_of, fold_batch};
use mire::{
    Aggregate, Append, Event, EventData, EventStore, EventStoreError, ExpectedVersion, PageHandler,
    StoredEvent,
};

const EVENTS: usize = 1_000;

/// How many times a path can be run: what it uses up is made before, whether it is run or not.
const MOST: usize = 20;

/// Their streams, in turn.
const ACCOUNTS: usize = 10;

mire::aggregate!(
    /// A bank account.
    #[aggregate(category = "account", id(AccountId))]
    pub struct Account {
        owner: String,
        balance: i64,
    }

    /// It was opened.
    #[event]
    fn opened(&mut self, owner: &str) {
        owner.clone_into(&mut self.owner);
    }

    /// Money came in.
    #[event]
    fn deposited(&mut self, amount: i64, reference: &str) {
        let _ = reference;
        self.balance += amount;
    }

    /// Money went out.
    #[event]
    fn withdrawn(&mut self, amount: i64, reference: &str) {
        let _ = reference;
        self.balance -= amount;
    }
);

mire::projection!(
    /// What every account holds.
    #[projection(subscription = "balances", reads(AccountEvent))]
    pub struct Balance {
        #[key]
        account: AccountId,
        owner: String,
        balance: i64,
    }

    #[on(AccountEvent::Opened)]
    fn opened(&mut self, owner: &str) {
        owner.clone_into(&mut self.owner);
    }

    #[on(AccountEvent::Deposited)]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }

    #[on(AccountEvent::Withdrawn)]
    fn withdrawn(&mut self, amount: i64) {
        self.balance -= amount;
    }
);

mire::projection!(
    /// Looks at each movement.
    #[projection(subscription = "movements", reads(AccountEvent))]
    #[ignores(AccountEvent::Opened)]
    pub struct Movements {}

    #[on(AccountEvent::Deposited)]
    async fn deposited(&self, amount: i64, reference: &str) -> anyhow::Result<()> {
        black_box((amount, reference));
        Ok(())
    }

    #[on(AccountEvent::Withdrawn)]
    async fn withdrawn(&self, amount: i64, reference: &str) -> anyhow::Result<()> {
        black_box((amount, reference));
        Ok(())
    }
);

fn event(n: usize) -> AccountEvent {
    let amount = i64::try_from(n).unwrap_or(0) * 7;
    let reference = format!("invoice {n} of the \"northern\" branch");
    match n {
        0..ACCOUNTS => AccountEvent::Opened {
            owner: format!("Owner {n}"),
        },
        n if n % 3 == 0 => AccountEvent::Withdrawn { amount, reference },
        _ => AccountEvent::Deposited { amount, reference },
    }
}

/// An event as it stands in the log.
struct Row {
    stream: String,
    version: i64,
    position: i64,
    name: &'static str,
    data: String,
}

impl Row {
    fn all() -> anyhow::Result<Vec<Self>> {
        let row = |n: usize| {
            let event = event(n);
            Ok(Self {
                stream: format!("account-018f8d2a-0000-7000-8000-{:012}", n % ACCOUNTS),
                version: i64::try_from(n / ACCOUNTS)? + 1,
                position: i64::try_from(n)? + 1,
                name: event.event_type(),
                data: event.encode()?,
            })
        };
        (0..EVENTS).map(row).collect()
    }

    fn raw(&self) -> RawEvent<'_> {
        RawEvent {
            global_position: self.position,
            stream_id: &self.stream,
            stream_version: self.version,
            event_type: self.name,
            schema_version: 1,
            data: self.data.as_bytes(),
            metadata: None,
            created_at: None,
        }
    }
}

/// Decoding stored events and applying them: what a fold does with each row.
fn fold(rows: &[RawEvent<'_>]) -> anyhow::Result<Account> {
    let mut account = Account::default();
    for row in rows {
        let stored = StoredEvent {
            event_type: row.event_type,
            schema_version: row.schema_version,
            data: row.data,
        };
        let event = AccountEvent::decode(&stored).map_err(anyhow::Error::from_boxed)?;
        account.apply(&event);
    }
    Ok(account)
}

/// Encoding events: what an append does before it is checked.
fn encode(events: &[Event<AccountEvent>]) -> Result<Append, EventStoreError> {
    let append = Append::new("account-1", ExpectedVersion::Any)?;
    events.iter().try_fold(append, Append::event)
}

fn main() -> anyhow::Result<()> {
    // Cargo adds `--bench`.
    let args: Vec<String> = std::env::args().filter(|arg| arg != "--bench").collect();
    let [_, path, times] = &args[..] else {
        println!("usage: instructions PATH TIMES; see `cargo xtask instructions`");
        return Ok(());
    };
    let times: usize = times.parse().context("TIMES is no number")?;
    anyhow::ensure!(times <= MOST, "{times} times are more than {MOST}");

    let rows = Row::all()?;
    let raw: Vec<RawEvent<'_>> = rows.iter().map(Row::raw).collect();
    let events: Vec<Event<AccountEvent>> = (0..EVENTS).map(|n| Event::new(event(n))).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    match path.as_str() {
        "fold" => {
            for _ in 0..times {
                black_box(fold(black_box(&raw))?);
            }
        }
        "encode" => {
            for _ in 0..times {
                black_box(encode(black_box(&events))?);
            }
        }
        "check" => {
            let _context = runtime.enter();
            let store = EventStore::new(sqlx::PgPool::connect_lazy("postgres://nobody@localhost")?);
            let encoded = encode(&events)?;
            // What can be sent is checked before anything is, and the same stream twice can't.
            let all = [(); MOST].map(|()| [encoded.clone(), encoded.clone()]);
            for twice in all.into_iter().take(times) {
                let refused = runtime.block_on(store.append_all(twice));
                anyhow::ensure!(
                    matches!(refused, Err(EventStoreError::InvalidArgument { .. })),
                    "{refused:?}"
                );
            }
        }
        "page" => {
            for _ in 0..times {
                black_box(batch_of(black_box(&raw)));
            }
        }
        "dispatch" => {
            let batches = [(); MOST].map(|()| batch_of(&raw));
            for batch in batches.iter().take(times) {
                let handled = runtime.block_on(Movements {}.handle(batch));
                handled.map_err(|failure| anyhow::anyhow!("{failure:?}"))?;
            }
        }
        "table" => {
            let batch = batch_of(&raw);
            for _ in 0..times {
                let touched = fold_batch::<Balance>(black_box(&batch));
                let touched = touched.map_err(|failure| anyhow::anyhow!("{failure:?}"))?;
                anyhow::ensure!(touched == ACCOUNTS, "{touched} rows");
            }
        }
        _ => bail!("there is no path `{path}`"),
    }
    Ok(())
}
