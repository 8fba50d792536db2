use mire::table::Page;

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
);

mire::projection!(
    #[projection(subscription = "balances", reads(AccountEvent))]
    struct Balance {
        #[key]
        account: AccountId,
        #[index]
        balance: i64,
        #[index]
        owner: String,
    }

    #[on(AccountEvent::Opened)]
    fn opened(&mut self, owner: &str) {
        self.owner = owner.to_owned();
    }

    #[on(AccountEvent::Deposited)]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }
);

async fn uses(store: &mire::EventStore) -> Result<(), mire::EventStoreError> {
    Balance::by_balance(store, "5", 10).await?;
    Balance::by_balance_range(store, "1".."5", 10).await?;
    Balance::by_owner_range(store, "a".."b", 10).await?;
    // Text is found by text.
    Balance::by_owner(store, "ann", 10).await?;
    Balance::by_owner(store, &5, 10).await?;
    Balance::by_owner(store, &String::new(), 10.0).await?;
    Balance::list(store, "10").await?;
    // In a range, a page goes on behind a value and a key; elsewhere behind a key.
    let (id, balance) = (AccountId::new(), 5);
    Balance::by_balance(store, &5, Page::of(10).after((&balance, &id))).await?;
    Balance::by_balance_range(store, 5.., Page::of(10).after(&id)).await?;
    Ok(())
}

fn main() {}
