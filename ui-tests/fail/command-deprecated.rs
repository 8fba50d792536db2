#![deny(deprecated)]

mire::aggregate!(
    #[aggregate(category = "account")]
    struct Account {
        balance: i64,
    }

    #[event]
    fn withdrawn(&mut self, amount: i64) {
        self.balance -= amount;
    }

    #[command]
    #[deprecated = "say how much with `withdraw`"]
    fn empty(&self) -> AccountEvent {
        let amount = self.balance;
        AccountEvent::Withdrawn { amount }
    }

    #[command]
    #[cfg(any())]
    fn absent(&self) -> AccountEvent {
        self.empty()
    }
);

// Both forms advise against it, where the user calls them and nowhere else; one that isn't compiled
// isn't there in either form.
fn main() {
    let mut account = mire::AggregateRoot::<Account>::new("1");
    account.empty();
    account.state.empty();
    account.absent();
    account.state.absent();
}
