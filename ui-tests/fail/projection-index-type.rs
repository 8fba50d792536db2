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
    #[projection(subscription = "lists", reads(AccountEvent))]
    #[ignores(AccountEvent::Opened)]
    struct Lists {
        #[key]
        account: AccountId,
        #[index]
        notes: Vec<String>,
        balance: i64,
    }

    #[on(AccountEvent::Deposited)]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }
);

mire::projection!(
    #[projection(subscription = "counts", reads(AccountEvent))]
    #[ignores(AccountEvent::Opened)]
    struct Counts {
        #[key]
        account: AccountId,
        #[index]
        count: usize,
        balance: i64,
    }

    #[on(AccountEvent::Deposited)]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }
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
