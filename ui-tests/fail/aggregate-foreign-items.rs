mire::aggregate!(
    use std::fmt::Debug;

    #[aggregate(category = "account")]
    #[derive(Debug)]
    struct Account {
        balance: i64,
    }

    struct Helper;

    #[event]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }

    fn forgotten(&self) {}

    impl Account {
        fn balance(&self) -> i64 {
            self.balance
        }
    }

    mod inner {
        pub const LIMIT: i64 = 5;
    }
);

// Not even items: rustfmt leaves these alone, too.
mire::aggregate!(
    #[aggregate(category = "typed")]
    struct Typed {
        amount: i64,
    }

    5;

    func opened(&mut self) {}

    #[event]
    fn raised(&mut self, amount: i64) {
        self.amount += amount;
    }

    #[command]
    fn half(&self) = self.amount / 2;
);

fn show(it: &impl Debug) -> String {
    format!("{it:?}")
}

fn main() {
    let account = Account::default();
    let _ = (account.balance(), inner::LIMIT, Helper, show(&account));
    drop(AccountEvent::Deposited { amount: 5 });
    drop(TypedEvent::Raised { amount: 5 });
}
