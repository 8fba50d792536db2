mire::aggregate!(
    #[aggregate(category = "account")]
    struct Account {
        balance: i64,
    }

    #[event]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }

    #[event]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }

    #[event]
    fn deposited_(&mut self) {}

    #[event(name = "deposited")]
    fn paid_in(&mut self, amount: i64) {
        self.balance += amount;
    }
);

fn main() {
    let events = [
        AccountEvent::Deposited { amount: 1 },
        AccountEvent::PaidIn { amount: 1 },
    ];
    drop(events);
}
