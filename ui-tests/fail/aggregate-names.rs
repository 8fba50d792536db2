mire::aggregate!(
    #[aggregate(category = "account", id(String))]
    struct Account {
        owner: String,
        balance: i64,
    }

    #[events]
    fn opened(&mut self, owner: &str) {
        self.owner = owner.to_owned();
    }

    #[Event(name = "paid-in")]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }

    fn closed(&mut self) {
        self.balance = 0;
    }

    #[event]
    fn given(&mut self, amount: i64) {
        self.balance -= amount;
    }

    #[comand]
    fn close(&self) -> AccountEvent {
        AccountEvent::Closed
    }

    #[command]
    fn stream(&self) -> AccountEvent {
        AccountEvent::Given {
            amount: self.half(),
        }
    }

    fn half(&self) -> i64 {
        self.balance / 2
    }
);

fn main() {
    let mut account = mire::AggregateRoot::<Account>::new("1");
    account.record(AccountEvent::Opened {
        owner: String::new(),
    });
    account.record(AccountEvent::Deposited { amount: 5 });
    account.close();
    account.stream();
}
