mire::aggregate!(
    #[aggregate(category = "account", id(AccountId))]
    struct Account {
        balance: i64,
        limits: (i64, i64),
    }

    #[event]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }

    #[command]
    fn deposit(&self, amount: i64) -> Option<AccountEvent> {
        self.record(AccountEvent::Deposited { amount });
        None
    }

    #[command]
    fn apply_it(&self, amount: i64) -> AccountEvent {
        let event = AccountEvent::Deposited { amount };
        if amount > 0 {
            self.apply(&event);
        }
        event
    }

    #[command]
    fn assign(&self, amount: i64) -> AccountEvent {
        self.balance = amount;
        AccountEvent::Deposited { amount }
    }

    #[command]
    fn add(&self, amount: i64) -> AccountEvent {
        self.limits.0 += amount;
        AccountEvent::Deposited { amount }
    }

    // One mistake is enough.
    #[command]
    fn withdraw(&mut self, amount: i64) -> AccountEvent {
        let event = AccountEvent::Deposited { amount };
        self.apply(&event);
        event
    }

    #[command]
    fn nothing(&self, amount: i64) {
        self.record(AccountEvent::Deposited { amount });
    }

    // These change nothing.
    #[command]
    fn compare(&self, amount: i64) -> Option<AccountEvent> {
        let is_same = self.balance == amount && self.balance <= self.record(amount);
        match is_same {
            _ if self.balance != 1 => None,
            _ if self.limits.0 >= 1 => None,
            _ => Some(AccountEvent::Deposited { amount }),
        }
    }
);

impl Account {
    fn record(&self, amount: i64) -> i64 {
        amount + self.apply(&amount)
    }

    fn apply(&self, amount: &i64) -> i64 {
        *amount
    }
}

fn main() {}
