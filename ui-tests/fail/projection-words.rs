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
    #[projection(
        subscripton = "mail",
        reads(AccountEvent),
        reads(AccountEvent),
        colour = "red"
    )]
    #[ignores(AccountEvent::Deposited)]
    #[aggregate]
    struct Mail;

    #[on(AccountEvent::Opened, ky(owner))]
    async fn opened(&self, owner: &str) {
        println!("{owner}");
    }

    #[on(AccountEvent::Closed, AccountEvent::Deposited)]
    #[event]
    async fn closed(&self) {}
);

mire::projection!(
    #[projection(subscription("balances"), reads = "AccountEvent", crate("mire"))]
    #[ignores]
    struct Balance {
        #[key]
        account: AccountId,
        balance: i64,
    }

    #[on(AccountEvent::Deposited, delete(row))]
    fn deposited(&mut self) {}

    #[on]
    #[serde(default)]
    fn opened(&mut self) {}

    #[on(AccountEvent::Closed { reason })]
    fn closed(&mut self) {}

    #[on(AccountEvent::Opened)]
    #[on(AccountEvent::Closed)]
    fn both(&mut self) {}
);

mire::projection!(
    #[projection(reads(AccountEvent))]
    #[ignores(AccountEvent::Deposited, AccountEvent::Closed)]
    struct WelcomeMail;

    #[on(AccountEvent::Opened)]
    async fn opened(&self, owner: &str) {
        println!("{owner}");
    }
);

fn main() {
    let events = (
        AccountEvent::Opened {
            owner: String::new(),
        },
        AccountEvent::Deposited { amount: 5 },
        AccountEvent::Closed,
    );
    drop((events, AccountId::new()));
    let run = |store: &mire::EventStore| {
        Balance::runner(store)
            .subscribe_projection(Mail)
            .subscribe_projection(WelcomeMail)
    };
    drop(run);
}
