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

async fn load(store: mire::EventStore) {
    let _ = store.load::<Account>(OrderId::new()).await;
    let _ = store.load::<Account>(AccountId::new()).await;
}

fn main() {
    let _ = load;
}
