fn v1(amount: i64) -> i64 {
    amount
}

fn reversed(fields: &mire::__private::serde_json::Value) -> Result<(), std::fmt::Error> {
    drop(fields.clone());
    Ok(())
}

mire::aggregate!(
    #[aggregate(category = "account")]
    struct Account {
        balance: i64,
    }

    #[event(version = 2, upcast(v1))]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }

    #[event(version = 2, upcast(reversed))]
    fn withdrawn(&mut self, amount: i64) {
        self.balance -= amount;
    }
);

fn main() {
    drop(AccountEvent::Deposited { amount: 1 });
    drop(AccountEvent::Withdrawn { amount: 1 });
}
