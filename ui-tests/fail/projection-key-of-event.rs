mire::aggregate!(
    #[aggregate(category = "account", id(AccountId))]
    struct Account {
        balance: i64,
    }

    #[event]
    fn opened(&mut self, owner: &str) {}

    #[event]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }

    #[event]
    fn closed(&mut self) {}
);

mire::aggregate!(
    #[aggregate(category = "order", id(OrderId))]
    struct Order;

    #[event]
    fn placed(&mut self, customer: AccountId, amount: i64) {}

    #[event]
    fn cancelled(&mut self, customer: AccountId) {}
);

mire::projection!(
    #[projection(subscription = "customers", reads(OrderEvent, AccountEvent))]
    #[ignores(AccountEvent::Deposited, AccountEvent::Closed)]
    struct Customer {
        #[key]
        account: AccountId,
        owner: String,
        spent: i64,
    }

    #[on(AccountEvent::Opened)]
    fn opened(&mut self, owner: &str) {
        self.owner = owner.to_owned();
    }

    #[on(OrderEvent::Placed)]
    fn placed(&mut self, amount: i64) {
        self.spent += amount;
    }

    #[on(OrderEvent::Cancelled, key(customer))]
    fn cancelled(&mut self) {
        self.spent = 0;
    }
);

mire::projection!(
    #[projection(subscription = "sums", reads(OrderEvent))]
    struct Sum {
        #[key]
        account: AccountId,
        spent: i64,
    }

    #[on(OrderEvent::Placed, key(amount))]
    fn placed(&mut self, amount: i64) {
        self.spent += amount;
    }

    #[on(OrderEvent::Cancelled, key(custmer), delete)]
    fn cancelled(&mut self) {}
);

mire::projection!(
    #[projection(subscription = "paths", reads(OrderEvent))]
    struct Paths {
        #[key]
        account: AccountId,
        spent: i64,
    }

    #[on(OrderEvent::Placed, key(order.customer))]
    fn placed(&mut self, amount: i64) {
        self.spent += amount;
    }

    #[on(OrderEvent::Cancelled, key(order::customer), delete)]
    fn cancelled(&mut self) {}
);

fn main() {
    let events = (
        AccountEvent::Opened {
            owner: String::new(),
        },
        AccountEvent::Deposited { amount: 5 },
        AccountEvent::Closed,
    );
    drop((events, AccountId::new()));
    let run = |store: &mire::EventStore| {
        Customer::runner(store)
            .subscribe_table::<Sum>()
            .subscribe_table::<Paths>()
    };
    drop((run, OrderId::new()));
}
