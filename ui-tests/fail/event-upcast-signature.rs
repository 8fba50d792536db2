fn v1(amount: i64) -> i64 {
    amount
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
);

fn main() {
    drop(AccountEvent::Deposited { amount: 1 });
}
