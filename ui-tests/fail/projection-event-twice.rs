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
    #[projection(subscription = "audit", reads(AccountEvent, AccountEvent))]
    #[ignores(AccountEvent::Closed, AccountEvent::Deposited, AccountEvent::Closed)]
    struct Audit;

    #[on(AccountEvent::Opened)]
    async fn opened(&self, owner: &str) {
        println!("{owner}");
    }

    #[on(AccountEvent::Opened)]
    async fn opened_again(&self) {}

    #[on(AccountEvent::Deposited)]
    async fn deposited(&self, amount: i64) {
        println!("{amount}");
    }

    #[on(AccountEvent::Deposited)]
    async fn deposited(&self) {}
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
    let run = |store: &mire::EventStore| Audit.runner(store);
    drop(run);
}
