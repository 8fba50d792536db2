mire::aggregate!(
    #[aggregate(category = "account")]
    struct Account {
        balance: i64,
    }

    #[event]
    fn deposited(&mut self, amount: i64, by: Option<&str>) {
        self.balance += amount;
    }

    #[event]
    fn merged(&mut self, other: &mut i64) {}

    #[event]
    fn linked(&mut self, what: impl ToString) {}
);

fn main() {
    drop(AccountEvent::Deposited {
        amount: 1,
        by: None,
    });
}
