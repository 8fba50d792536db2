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

fn show(it: &impl Debug) -> String {
    format!("{it:?}")
}

fn main() {
    let account = Account::default();
    let _ = (account.balance(), inner::LIMIT, Helper, show(&account));
    drop(AccountEvent::Deposited { amount: 5 });
}
