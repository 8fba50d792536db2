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
);

mire::projection!(
    #[projection(subscription = "balance", reads(AccountEvent))]
    #[ignores(AccountEvent::Opened)]
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

mire::projection!(
    #[projection(subscription = "other", reads(AccountEvent), table = "balance")]
    #[ignores(AccountEvent::Opened)]
    struct Other {
        #[key]
        account: AccountId,
        balance: i64,
    }

    #[on(AccountEvent::Deposited)]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }
);

fn main() {
    drop(AccountEvent::Opened {
        owner: String::new(),
    });
    drop((AccountEvent::Deposited { amount: 5 }, AccountId::new()));
    let run = |store: &mire::EventStore| mire::runner!(store, Balance, Other);
    let _ = run;
}
