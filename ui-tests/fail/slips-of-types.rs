use mire::{AggregateRoot, EventStore, Sqlite};

/// No derives of serde's.
#[derive(Debug, Clone, PartialEq)]
pub struct Money(i64);

/// No event at all.
struct Receipt;

mire::aggregate!(
    #[aggregate(category = "account", id(AccountId))]
    struct Account {
        balance: i64,
        // An id has no default.
        parent: AccountId,
    }

    #[event]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }

    #[event]
    fn exchanged(&mut self, from: &Money, to: Money, at: &Option<std::time::Instant>) {
        self.balance += to.0 - from.0;
    }

    #[command]
    fn deposit(&self, amount: i64) -> Receipt {
        let _ = amount;
        Receipt
    }

    #[command]
    fn try_deposit(&self, amount: i64) -> Result<Receipt, String> {
        let _ = amount;
        Ok(Receipt)
    }

    #[command]
    fn count(&self) -> i64 {
        1
    }
);

// A key that is an id has no default either.
mire::projection!(
    #[projection(subscription = "balances", reads(AccountEvent))]
    #[ignores(AccountEvent::Exchanged)]
    #[derive(Debug, Default)]
    struct Balance {
        #[key]
        account: AccountId,
        balance: i64,
    }

    #[on(AccountEvent::Deposited)]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }
);

// Neither has another column.
mire::projection!(
    #[projection(subscription = "parents", reads(AccountEvent))]
    #[ignores(AccountEvent::Exchanged)]
    struct Parent {
        #[key]
        account: AccountId,
        parent: AccountId,
    }

    #[on(AccountEvent::Deposited)]
    fn deposited(&mut self) {}
);

// The parameter is told before what the body does with it.
mire::projection!(
    #[projection(subscription = "sums", reads(AccountEvent))]
    #[ignores(AccountEvent::Exchanged)]
    struct Sum {
        #[key]
        account: AccountId,
        sum: i64,
    }

    #[on(AccountEvent::Deposited)]
    fn deposited(&mut self, amount: i32) {
        self.sum += amount;
    }
);

// What is declared is there, and no error follows from these.
fn uses(account: &mut AggregateRoot<Account>, store: &EventStore<Sqlite>) -> Result<(), String> {
    account.count();
    account.try_deposit(1)?;
    let rows = mire::runner!(store, Balance, Parent, Sum);
    drop((
        rows,
        Balance::default(),
        AccountEvent::Deposited { amount: 1 },
    ));
    Ok(())
}

fn main() {}
