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
    #[projection(subscription = "balances", reads(AccountEvent))]
    #[ignores(AccountEvent::Opened, AccountEvent::Closed)]
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
    #[projection(subscription = "balances", reads(AccountEvent))]
    #[ignores(AccountEvent::Deposited, AccountEvent::Closed)]
    struct Mail {
        sender: &'static str,
    }

    #[on(AccountEvent::Opened)]
    async fn opened(&self, owner: &str) {
        println!("{}: {owner}", self.sender);
    }
);

fn main() {
    let run = |store: &mire::EventStore| {
        let mail = Mail { sender: "bank" };
        mire::runner!(store, Balance, Mail = mail).build()
    };
    let twice = |store: &mire::EventStore| mire::runner!(store, Balance, Balance).build();
    drop((run, twice, AccountId::new()));
}
