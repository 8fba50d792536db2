mire::aggregate!(
    #[aggregate(category = "account")]
    struct Account {
        balance: i64,
        owner: String,
    }

    #[event]
    async fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }

    #[event]
    fn withdrawn(&self, amount: i64) {
        let _ = self.balance - amount;
    }

    #[event]
    fn charged(amount: i64) {}

    #[event]
    fn checked(&mut self) -> Result<(), String> {
        Ok(())
    }

    #[event]
    fn opened<T: Into<String>>(&mut self, owner: String) {
        self.owner = owner;
    }

    #[event]
    pub fn closed(&mut self);

    #[event]
    const fn frozen(&mut self) {}

    #[event]
    fn counted(&mut self, ...) {}

    #[event]
    fn moved(&mut self, to: String, to: String) {
        self.owner = to;
    }

    #[event]
    fn renamed(&mut self, (first, last): (String, String)) {}
);

fn main() {
    let events = [
        AccountEvent::Deposited { amount: 1 },
        AccountEvent::Withdrawn { amount: 1 },
        AccountEvent::Charged { amount: 1 },
        AccountEvent::Checked,
        AccountEvent::Opened {
            owner: String::new(),
        },
        AccountEvent::Closed,
        AccountEvent::Frozen,
        AccountEvent::Counted,
        AccountEvent::Moved { to: String::new() },
    ];
    drop(events);
}
