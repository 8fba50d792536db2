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
    use std::fmt::Debug;

    #[projection(subscription = "mail", reads(AccountEvent))]
    #[ignores(AccountEvent::Deposited, AccountEvent::Closed)]
    #[derive(Debug)]
    struct Mail;

    struct Helper;

    #[on(AccountEvent::Opened)]
    async fn opened(&self, owner: &str) {
        println!("{owner}");
    }

    impl Mail {
        const LIMIT: usize = 5;
    }
);

mire::projection!();

fn show(it: &impl Debug) -> String {
    format!("{it:?}")
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
    let run = |store: &mire::EventStore| Mail.runner(store);
    let _ = (Mail::LIMIT, Helper, show(&Mail));
    drop(run);
}
