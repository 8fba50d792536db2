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
    #[projection(subscription = "audit", reads(AccountEvent))]
    struct Audit;

    #[on(AccountEvent::Opened)]
    async fn opened(&self, ownr: &str) {
        println!("{ownr}");
    }

    #[on(AccountEvent::Deposited)]
    async fn deposited(&self, amount: i32) {
        println!("{amount}");
    }

    #[on(AccountEvent::Closed)]
    async fn closed(&self, reason: &str) {
        println!("{reason}");
    }
);

mire::projection!(
    #[projection(subscription = "alarm", reads(AccountEvent))]
    struct Alarm;

    #[on(AccountEvent::Opened)]
    async fn opened(&self, owner: &mut String, event: mire::EventInfo) {
        owner.clear();
        drop(event);
    }

    #[on(AccountEvent::Deposited)]
    async fn deposited<T>(&self, amount: T) {
        drop(amount);
    }

    #[on(AccountEvent::Closed)]
    async fn closed(&self, (a, b): (i64, i64)) {
        drop((a, b));
    }
);

mire::projection!(
    #[projection(subscription = "bell", reads(AccountEvent))]
    struct Bell;

    #[on(AccountEvent::Opened)]
    async fn opened(&self, owner: &i64) {
        println!("{owner}");
    }

    #[on(AccountEvent::Deposited)]
    async fn deposited(&self, amount: &str) {
        println!("{amount}");
    }

    #[on(AccountEvent::Closed)]
    async fn closed(&self) {}
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
    let run = |store: &mire::EventStore| (Audit.runner(store), Alarm.runner(store));
    drop(run);
}
