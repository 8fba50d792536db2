mire::aggregate!(
    #[aggregate(
        categori = "account",
        category = "account",
        category = "bank",
        colour = "red",
        revision = 2
    )]
    #[command]
    struct Account {
        balance: i64,
    }

    #[event(version = "two", nam = "paid-in")]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }

    #[event(name)]
    fn renamed(&mut self) {}

    #[event(version = 0)]
    #[event]
    fn closed(&mut self) {}

    #[event = "opened"]
    fn opened(&mut self) {}

    #[command]
    #[event]
    fn open(&self) -> AccountEvent {
        AccountEvent::Opened
    }

    #[command(retry)]
    fn close(&self) -> AccountEvent {
        AccountEvent::Closed
    }
);

fn main() {
    let mut account = mire::AggregateRoot::<Account>::new("1");
    account.record(AccountEvent::Deposited { amount: 5 });
    account.open();
    account.close();
}
