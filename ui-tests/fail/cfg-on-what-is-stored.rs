mire::aggregate!(
    #[aggregate(category = "account", id(AccountId))]
    #[cfg(any())]
    struct Account {
        balance: i64,
    }

    #[event]
    #[cfg(any())]
    fn opened(&mut self) {}

    #[event]
    fn deposited(&mut self, amount: i64, #[cfg(any())] by: &str) {
        self.balance += amount;
    }

    #[event]
    fn withdrawn(&mut self, #[cfg_attr(any(), serde(default))] amount: i64) {
        self.balance -= amount;
    }
);

mire::projection!(
    #[cfg(any())]
    #[projection(subscription = "balances", reads(AccountEvent))]
    #[ignores(AccountEvent::Withdrawn)]
    struct Balance {
        #[key]
        account: AccountId,
        #[cfg(any())]
        balance: i64,
    }

    #[on(AccountEvent::Opened)]
    fn opened(&mut self) {}

    #[cfg(any())]
    #[on(AccountEvent::Deposited)]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }
);

mire::projection!(
    #[projection(subscription = "mail", reads(AccountEvent))]
    #[ignores(AccountEvent::Deposited, AccountEvent::Withdrawn)]
    struct Mail;

    #[on(AccountEvent::Opened)]
    #[cfg(any())]
    async fn opened(&self) {}
);

fn main() {
    let mut account = mire::AggregateRoot::<Account>::new(&AccountId::new());
    account.record(AccountEvent::Opened);
    account.record(AccountEvent::Deposited {
        amount: 5,
        by: String::new(),
    });
    account.record(AccountEvent::Withdrawn { amount: 5 });
    let run = |store: &mire::EventStore| mire::runner!(store, Balance, Mail = Mail);
    let balance = |row: &Balance| row.balance;
    drop((run, balance));
}
