mire::aggregate!(
    #[aggregate(category = "account")]
    struct Account {
        balance: i64,
    }

    // `Self` is no name for a variant, and neither is what begins with a digit.
    #[event]
    fn self_(&mut self) {}

    #[event]
    fn _2fa_enabled(&mut self) {}

    #[event]
    fn _1(&mut self) {}

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
