#[derive(Clone)]
enum Status {
    Open,
}

mire::aggregate!(
    #[aggregate(category = "account")]
    struct Account {
        status: Status,
    }

    #[event]
    fn opened(&mut self) {
        self.status = Status::Open;
    }
);

fn main() {
    drop(AccountEvent::Opened);
}
