use serde_json::Value;

fn v1(payload: Value) -> Result<Value, String> {
    Ok(payload)
}

fn v2(payload: Value) -> Result<Value, String> {
    Ok(payload)
}

mire::aggregate!(
    #[aggregate(category = "account")]
    struct Account {
        balance: i64,
    }

    #[event(version = 2)]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }

    #[event(version = 3, upcast(v1))]
    fn withdrawn(&mut self, amount: i64) {
        self.balance -= amount;
    }

    #[event(version = 2, upcast(v1, v2))]
    fn renamed(&mut self) {}

    #[event(upcast(v1))]
    fn closed(&mut self) {}
);

fn main() {
    let events = [
        AccountEvent::Deposited { amount: 1 },
        AccountEvent::Withdrawn { amount: 1 },
        AccountEvent::Renamed,
        AccountEvent::Closed,
    ];
    drop(events);
}
