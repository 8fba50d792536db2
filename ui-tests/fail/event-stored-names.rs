mire::aggregate!(
    #[aggregate(category = "account")]
    struct Account {
        balance: i64,
    }

    #[event(name = "")]
    fn opened(&mut self) {}

    #[event(name = "account.paid-in")]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }

    #[event(name = "account.")]
    fn withdrawn(&mut self, amount: i64) {
        self.balance -= amount;
    }

    #[event(name = "closed for good!")]
    fn closed(&mut self) {}

    #[event(
        name = "the-very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-very-long-name"
    )]
    fn frozen(&mut self) {}

    // What is said of a name that nobody gave stands on the function.
    #[event]
    fn geöffnet(&mut self) {}
);

#[derive(serde::Serialize, serde::Deserialize, mire::EventData)]
#[mire(entity = "order")]
enum OrderEvent {
    #[mire(rename = "order.placed")]
    Placed,
    #[mire(rename = "-")]
    Shipped,
    Geöffnet,
}

fn main() {
    let events = [
        AccountEvent::Opened,
        AccountEvent::Deposited { amount: 1 },
        AccountEvent::Withdrawn { amount: 1 },
        AccountEvent::Closed,
        AccountEvent::Frozen,
        AccountEvent::Geöffnet,
    ];
    drop((events, OrderEvent::Placed, OrderEvent::Shipped));
}
