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

async fn append(store: mire::EventStore) {
    let stream = Account::stream(&AccountId::new()).unwrap();
    let events = [mire::Event::new(OrderEvent::Placed)];
    let _ = store
        .append_to(&stream, mire::ExpectedVersion::NoStream, &events)
        .await;
}

fn record() {
    let mut account = mire::AggregateRoot::<Account>::new(&AccountId::new());
    account.record(OrderEvent::Placed);
}

fn main() {
    let _ = (append, record);
}
