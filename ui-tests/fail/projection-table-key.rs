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

mire::projection!(
    #[projection(subscription = "keyless", reads(AccountEvent))]
    #[ignores(AccountEvent::Opened, AccountEvent::Closed)]
    struct Keyless {
        balance: i64,
    }

    #[on(AccountEvent::Deposited)]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }
);

mire::projection!(
    #[projection(subscription = "two-keys", reads(AccountEvent))]
    #[ignores(AccountEvent::Opened, AccountEvent::Closed)]
    struct TwoKeys {
        #[key]
        account: AccountId,
        #[key]
        owner: String,
        #[index]
        balance: i64,
    }

    #[on(AccountEvent::Deposited)]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }
);

mire::projection!(
    #[projection(subscription = "owners", reads(AccountEvent))]
    #[ignores(AccountEvent::Deposited, AccountEvent::Closed)]
    struct Owner {
        #[key]
        owner: String,
        accounts: i64,
    }

    #[on(AccountEvent::Opened)]
    fn opened(&mut self, owner: &str) {
        self.accounts += 1;
        assert!(!owner.is_empty());
    }
);

mire::projection!(
    #[projection(subscription = "tuple", reads(AccountEvent))]
    #[ignores(AccountEvent::Opened, AccountEvent::Closed)]
    struct Tuple(#[key] AccountId, i64);

    #[on(AccountEvent::Deposited)]
    fn deposited(&mut self, amount: i64) {
        self.1 += amount;
    }
);

mire::projection!(
    #[projection(subscription = "generic", reads(AccountEvent))]
    #[ignores(AccountEvent::Opened, AccountEvent::Closed)]
    struct Generic<T> {
        #[key]
        account: AccountId,
        balance: T,
    }

    #[on(AccountEvent::Deposited)]
    fn deposited(&mut self) {}
);

mire::projection!(
    #[projection(subscription = "choice", reads(AccountEvent), table = "choice")]
    #[ignores(AccountEvent::Opened, AccountEvent::Closed)]
    enum Choice {
        One,
        Other,
    }

    #[on(AccountEvent::Deposited)]
    fn deposited(&mut self) {}
);

async fn run(store: &mire::EventStore, id: AccountId) -> Result<(), mire::EventStoreError> {
    let row = Keyless::get(store, &id).await?;
    let rows = TwoKeys::by_balance_range(store, 5.., 10).await?;
    let rest = Tuple::list(store, 5).await?;
    Choice::wait_for(store, 5, std::time::Duration::ZERO).await?;
    let runner = mire::ProjectionRunner::builder(store.clone())
        .subscribe_table::<Keyless>()
        .subscribe_table::<TwoKeys>();
    drop((row.map(|it| it.balance), rows, rest, runner));
    Ok(())
}

fn main() {
    let events = (
        AccountEvent::Opened {
            owner: String::new(),
        },
        AccountEvent::Deposited { amount: 5 },
        AccountEvent::Closed,
    );
    drop((events, AccountId::new()));
    drop(run);
}
