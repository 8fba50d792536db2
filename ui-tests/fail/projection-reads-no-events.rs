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
    #[projection(subscription = "audit", reads(Account))]
    struct Audit;

    #[on(Account::Opened)]
    async fn opened(&self, owner: &str) {
        println!("{owner}");
    }
);

mire::projection!(
    #[projection(subscription = "alarm")]
    #[ignores(AccountEvent::Opened, AccountEvent::Closed)]
    struct Alarm;

    #[on(AccountEvent::Deposited)]
    async fn deposited(&self, amount: i64) {
        println!("{amount}");
    }
);

mire::projection!(
    #[projection(subscription = "ids", reads(AccountId))]
    struct Ids {
        #[key]
        account: AccountId,
        owner: String,
    }

    #[on(AccountId::Opened)]
    fn opened(&mut self, owner: &str) {
        self.owner = owner.to_owned();
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
    let row = Ids {
        account: AccountId::new(),
        owner: String::new(),
    };
    drop(row);
    drop((events, AccountId::new()));
    let run = |store: &mire::EventStore| (Audit.runner(store), Alarm.runner(store));
    drop(run);
}
