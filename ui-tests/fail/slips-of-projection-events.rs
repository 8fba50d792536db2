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
    #[projection(subscription = "named", reads(AccountEvent))]
    #[ignores(AccountEvent::Opened)]
    struct Named {
        #[key]
        account: AccountId,
        balance: i64,
    }

    #[on(Account::Deposited)]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }
);

mire::projection!(
    #[projection(subscription = "both", reads(AccountEvent, Account))]
    #[ignores(AccountEvent::Opened)]
    struct Both {
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
    #[projection(subscription = "equals", reads(AccountEvent))]
    #[ignores(AccountEvent::Opened)]
    struct Equals {
        #[key]
        account: AccountId,
        balance: i64,
    }

    #[on = AccountEvent::Deposited]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }
);

mire::projection!(
    #[projection(
        subscription = "inside",
        reads(AccountEvent),
        ignores(AccountEvent::Opened)
    )]
    struct Inside {
        #[key]
        account: AccountId,
        balance: i64,
    }

    #[on(AccountEvent::Deposited)]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }
);

// The function of an event is still to be written.
mire::projection!(
    #[projection(subscription = "begun", reads(AccountEvent))]
    struct Begun {
        #[key]
        account: AccountId,
        owner: String,
    }

    #[on(AccountEvent::Opened)]
    fn opened(&mut self, owner: &str) {
        self.owner = owner.to_owned();
    }

    #[on(AccountEvent::Deposited)]
);

mire::projection!(
    #[projection(subscription = "first", reads(AccountEvent))]
    #[ignores(AccountEvent::Opened)]
    struct First;

    #[on(AccountEvent::Deposited)]
);

mire::projection!(
    #[projection(subscription = "word", reads(AccountEvent))]
    #[ignores(AccountEvent::Opened)]
    struct Word {
        #[key]
        account: AccountId,
    }

    #[on]
);

fn main() {
    let events = (
        AccountEvent::Opened {
            owner: String::new(),
        },
        AccountEvent::Deposited { amount: 5 },
    );
    drop((events, AccountId::new()));
}
