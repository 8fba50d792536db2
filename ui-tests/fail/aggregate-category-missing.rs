mire::aggregate!(
    #[aggregate(id(AccountId))]
    struct Account {
        open: bool,
    }

    #[event]
    fn opened(&mut self) {
        self.open = true;
    }
);

fn main() {
    let mut account = mire::AggregateRoot::<Account>::new(&AccountId::new());
    account.record(AccountEvent::Opened);
}
