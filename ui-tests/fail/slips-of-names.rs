use mire::{AggregateRoot, EventStore, Sqlite};

mire::aggregate!(
    #[aggregate(category = "account", id(AccountId))]
    struct Account {
        balance: i64,
    }

    // The way into tests has this name, ...
    #[event]
    fn given(&mut self, amount: i64) {
        self.balance += amount;
    }

    // ... and the names of streams come from this one.
    #[event(name = "flowed")]
    fn stream(&mut self, amount: i64) {
        self.balance += amount;
    }

    // These are methods of the root.
    #[command]
    fn execute(&self, amount: i64) -> AccountEvent {
        AccountEvent::Given { amount }
    }

    #[command]
    fn pending_count(&self) -> AccountEvent {
        AccountEvent::Given { amount: 1 }
    }
);

mire::projection!(
    #[projection(subscription = "floats", reads(AccountEvent))]
    #[ignores(AccountEvent::Stream)]
    struct Float {
        #[key]
        amount: f64,
    }

    #[on(AccountEvent::Given, key(amount))]
    fn given(&mut self) {}
);

mire::projection!(
    #[projection(subscription = "options", reads(AccountEvent))]
    #[ignores(AccountEvent::Stream)]
    #[derive(Default)]
    struct Optional {
        #[key]
        account: Option<AccountId>,
    }

    #[on(AccountEvent::Given)]
    fn given(&mut self) {}
);

mire::projection!(
    #[projection(subscription = "generics", reads(AccountEvent))]
    #[ignores(AccountEvent::Stream)]
    struct Generic<T: Copy> {
        #[key]
        account: AccountId,
        #[index]
        balance: T,
    }

    #[on(AccountEvent::Given)]
    fn given(&mut self, amount: i64) {
        self.balance += amount;
    }
);

mire::projection!(
    #[projection(subscription = "primary", reads(AccountEvent))]
    #[ignores(AccountEvent::Stream)]
    struct Primary {
        #[primary_key]
        account: AccountId,
    }

    #[on(AccountEvent::Given)]
    fn given(&mut self) {}
);

mire::aggregate!(
    #[aggregate(category = "pot")]
    struct Pot<T> {
        content: T,
    }

    #[event]
    fn filled(&mut self, amount: i64) {
        self.content += amount;
    }

    #[command]
    fn fill(&self) -> PotEvent {
        let amount = self.content + 1;
        PotEvent::Filled { amount }
    }
);

// What is declared is there, and no error follows from these.
async fn uses(store: &EventStore<Sqlite>, id: AccountId) {
    Account::given([AccountEvent::Given { amount: 1 }])
        .when(|account| account.execute(2))
        .then([AccountEvent::Stream { amount: 1 }]);
    let rows = mire::runner!(store, Float, Optional, Generic<i64>, Primary);
    let row = Generic::<i64>::get(store, &id).await;
    drop((rows, row, Account::stream(&id), Optional::default()));
    let pot: Result<Option<AggregateRoot<Pot>>, _> = store.load("1").await;
    drop(pot.map(|root| root.map(|root| root.state.fill())));
}

fn main() {}
