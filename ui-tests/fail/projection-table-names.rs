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
    #[projection(subscription = "", reads(AccountEvent))]
    #[ignores(AccountEvent::Deposited, AccountEvent::Closed)]
    struct Empty {
        #[key]
        account: AccountId,
        owner: String,
    }

    #[on(AccountEvent::Opened)]
    fn opened(&mut self, owner: &str) {
        self.owner = owner.to_owned();
    }
);

mire::projection!(
    #[projection(subscription = "mire_balances", reads(AccountEvent))]
    #[ignores(AccountEvent::Deposited, AccountEvent::Closed)]
    struct Reserved {
        #[key]
        account: AccountId,
        owner: String,
    }

    #[on(AccountEvent::Opened)]
    fn opened(&mut self, owner: &str) {
        self.owner = owner.to_owned();
    }
);

mire::projection!(
    #[projection(subscription = "All Balances", reads(AccountEvent))]
    #[ignores(AccountEvent::Deposited, AccountEvent::Closed)]
    struct Spaced {
        #[key]
        account: AccountId,
        owner: String,
    }

    #[on(AccountEvent::Opened)]
    fn opened(&mut self, owner: &str) {
        self.owner = owner.to_owned();
    }
);

mire::projection!(
    #[projection(
        subscription = "balances@2",
        table = "the_balances_of_all_the_accounts_of_all_the_customers",
        reads(AccountEvent)
    )]
    #[ignores(AccountEvent::Deposited, AccountEvent::Closed)]
    struct Long {
        #[key]
        account: AccountId,
        owner: String,
    }

    #[on(AccountEvent::Opened)]
    fn get(&mut self, owner: &str) {
        self.owner = owner.to_owned();
    }
);

mire::projection!(
    #[projection(
        subscription = "the-very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-long-name",
        table = "",
        reads(AccountEvent)
    )]
    #[ignores(AccountEvent::Deposited, AccountEvent::Closed)]
    struct Longer {
        #[key]
        account: AccountId,
        the_very_very_very_very_very_very_very_very_very_very_very_long_name: String,
    }

    #[on(AccountEvent::Opened)]
    fn opened(&mut self) {}
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
    let run = |store: &mire::EventStore| {
        mire::ProjectionRunner::builder(store.clone())
            .subscribe_table::<Empty>()
            .subscribe_table::<Reserved>()
            .subscribe_table::<Spaced>()
            .subscribe_table::<Long>()
            .subscribe_table::<Longer>()
    };
    drop(run);
}
