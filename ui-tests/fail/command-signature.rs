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
    fn withdraw(&mut self, amount: i64) -> AccountEvent {
        self.balance -= amount;
        AccountEvent::Withdrawn { amount }
    }

    #[command]
    async fn fetch(&self) -> AccountEvent {
        AccountEvent::Withdrawn { amount: 1 }
    }

    #[command]
    fn check(&self) {}

    #[command]
    fn charge(&self, fee: i64) -> Option<AccountEvent> {
        if fee > 0 {
            self.withdrawn(fee);
        }
        None
    }

    #[command]
    fn close(&self) -> AccountEvent;

    #[command]
    fn withdrawn(&self) -> AccountEvent {
        AccountEvent::Withdrawn { amount: 1 }
    }
);

fn main() {
    let mut account = mire::AggregateRoot::<Account>::new("1");
    account.withdraw(5);
    account.fetch();
    account.check();
    account.charge(1);
    account.close();
}
