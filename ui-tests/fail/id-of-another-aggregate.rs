mire::aggregate!(
    #[aggregate(category = "order", id(OrderId))]
    struct Order;

    #[event]
    fn placed(&mut self) {}
);

mire::aggregate!(
    #[aggregate(category = "account", id(AccountId))]
    struct Account;

    #[event]
    fn opened(&mut self) {}
);

async fn load(store: mire::EventStore) -> Result<(), mire::EventStoreError> {
    let _ = store.load::<Account>(AccountId::new()).await?;
    let _ = store.load::<Account>(OrderId::new()).await?;
    let _ = store.load_or_default::<Account>(&OrderId::new()).await?;
    let mut scope = store.begin_transaction().await?;
    let _ = scope.load_for_update::<Account>(OrderId::new()).await?;
    Ok(())
}

async fn decide(store: mire::EventStore) {
    let _ = store
        .execute(OrderId::new(), |_: &Account| AccountEvent::Opened)
        .await;
}

fn name() {
    let _ = mire::AggregateRoot::<Account>::new(&OrderId::new());
    let _ = Account::stream(&OrderId::new());
}

fn main() {
    let _ = (load, decide, name);
}
