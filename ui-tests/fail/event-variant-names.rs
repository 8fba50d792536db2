mire::aggregate!(
    #[aggregate(category = "account")]
    struct Account {
        balance: i64,
    }

    // `Self` is no name for a variant.
    #[event]
    fn self_(&mut self) {}

    #[event]
    fn closed(&mut self) {}

    #[command]
    fn close(&self) -> AccountEvent {
        AccountEvent::Closed
    }
);

fn main() {
    mire::AggregateRoot::<Account>::new("1").close();
}
