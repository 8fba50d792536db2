mire::aggregate!(
    #[aggregate(category = "account", id(AccountId))]
    struct Account {
        balance: i64,
    }

    #[event]
    fn opened(&mut self, owner: &str) {}

    #[event]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }

    #[event]
    fn closed(&mut self) {}
);

mire::projection!(
    #[projection(subscription = "weights", reads(AccountEvent))]
    #[ignores(AccountEvent::Opened, AccountEvent::Closed)]
    struct Weight {
        #[key]
        weight: Option<i64>,
        count: i64,
    }

    #[on(AccountEvent::Deposited, key(amount))]
    fn deposited(&mut self) {
        self.count += 1;
    }
);

fn main() {
    let events = (
        AccountEvent::Opened {
            owner: String::new(),
        },
        AccountEvent::Deposited { amount: 5 },
        AccountEvent::Closed,
    );
    drop((events, AccountId::new()));
    let run = |store: &mire::EventStore| Weight::runner(store);
    drop(run);
}
