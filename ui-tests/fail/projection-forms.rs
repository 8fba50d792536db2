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
    #[projection(subscription = "balances", reads(AccountEvent))]
    struct Balance {
        #[key]
        account: AccountId,
        balance: i64,
    }

    #[on(AccountEvent::Opened)]
    async fn opened(&mut self, owner: &str) {
        println!("{owner}");
    }

    #[on(AccountEvent::Deposited)]
    pub fn deposited(&self, amount: &mut i64) -> i64 {
        *amount
    }

    #[on(AccountEvent::Closed, delete)]
    fn closed(&mut self, reason: &str) {
        println!("{reason}");
    }
);

mire::projection!(
    #[projection(subscription = "mail", reads(AccountEvent))]
    struct Mail {
        sent: i64,
    }

    #[on(AccountEvent::Opened)]
    async fn opened(&self, owner: &str) {
        println!("{owner}");
    }

    #[on(AccountEvent::Deposited, key(amount))]
    fn deposited(&mut self, amount: i64) {
        self.sent += amount;
    }

    #[on(AccountEvent::Closed, delete)]
    async fn closed(&mut self) {
        self.sent += 1;
    }
);

mire::projection!(
    #[projection(subscription = "lists", reads(AccountEvent))]
    #[ignores(AccountEvent::Deposited, AccountEvent::Closed)]
    struct List {
        #[key]
        account: AccountId,
    }

    #[on(AccountEvent::Opened)]
    fn opened(self, owner: &str);

    fn helper(&self) {}
);

mire::projection!(
    #[projection(subscription = "letters", reads(AccountEvent))]
    #[ignores(AccountEvent::Deposited, AccountEvent::Closed)]
    struct Letter;

    #[on(AccountEvent::Opened)]
    fn opened(&self, owner: &str) -> anyhow::Result<()> {
        println!("{owner}");
        Ok(())
    }
);

mire::projection!(
    #[projection(subscription = "owners", reads(AccountEvent))]
    #[ignores(AccountEvent::Deposited, AccountEvent::Closed)]
    struct Owner {
        #[kye]
        account: AccountId,
        owner: String,
    }

    #[on(AccountEvent::Opened)]
    fn opened(&mut self, owner: &str) {
        self.owner = owner.to_owned();
    }
);

mire::projection!(
    #[projection(subscription = "copies", reads(AccountEvent))]
    #[ignores(AccountEvent::Deposited, AccountEvent::Closed)]
    struct Copies;

    #[on(AccountEvent::Opened)]
    async fn opened(&self, from: &mut mire::SqliteConnection, to: &mut mire::SqliteConnection) {
        drop((from, to));
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
        let list = Balance::runner(store).subscribe_table::<List>();
        let mail = Mail { sent: 0 };
        list.subscribe_projection(mail)
            .subscribe_projection(Letter)
            .subscribe_table::<Owner>()
    };
    drop(run);
}
