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

#[derive(Clone, Default)]
struct Address {
    street: String,
}

#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Mood(u8);

mire::projection!(
    #[projection(subscription = "balances", reads(AccountEvent))]
    #[ignores(AccountEvent::Opened, AccountEvent::Closed)]
    struct Balance {
        #[key]
        #[index]
        account: AccountId,
        address: Address,
        addresses: Vec<Address>,
        #[json]
        mood: Mood,
        #[json]
        #[index]
        pending: Vec<i64>,
        ctid: i64,
        mire_balance: i64,
        r#type: String,
        Type: String,
        #[key(first)]
        #[json]
        #[json]
        other: i64,
    }

    #[on(AccountEvent::Deposited)]
    fn deposited(&mut self, amount: i64) {
        self.ctid += amount;
    }
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
    let _ = Address {
        street: String::new(),
    }
    .street;
    let run = |store: &mire::EventStore| Balance::runner(store);
    drop((run, Mood(5).0));
}
