mire::aggregate!(
    #[aggregate(category = "account", id(AccountId))]
    struct Account;

    #[event]
    fn opened(&mut self) {}
);

async fn load(store: mire::EventStore, path: String) -> Result<(), mire::EventStoreError> {
    let _ = store.load::<Account>("ann").await?;
    let _ = store.load_or_default::<Account>(&path).await?;
    let _ = store.load::<Account>(format!("{path}-1")).await?;
    Ok(())
}

async fn decide(store: mire::EventStore) {
    let _ = store
        .execute("ann", |_: &Account| AccountEvent::Opened)
        .await;
}

fn name() {
    let _ = mire::AggregateRoot::<Account>::new("ann");
    let _ = Account::stream("ann");
}

fn main() {
    let _ = (load, decide, name, AccountId::new());
}
