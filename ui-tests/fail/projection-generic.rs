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
);

mire::projection!(
    #[projection(subscription = "unused", reads(AccountEvent))]
    #[ignores(AccountEvent::Opened)]
    struct Unused<T> {
        #[key]
        account: AccountId,
        balance: i64,
    }

    #[on(AccountEvent::Deposited, delete)]
    fn deposited(&mut self) {}
);

mire::projection!(
    #[projection(subscription = "used", reads(AccountEvent))]
    #[ignores(AccountEvent::Opened)]
    struct Used<T> {
        #[key]
        account: AccountId,
        note: T,
        balance: i64,
    }

    #[on(AccountEvent::Deposited, delete)]
    fn deposited(&mut self) {}
);

mire::projection!(
    #[projection(subscription = "mail", reads(AccountEvent))]
    #[ignores(AccountEvent::Opened)]
    struct Mail<M> {
        sender: M,
    }

    #[on(AccountEvent::Deposited)]
    async fn deposited(&self) -> anyhow::Result<()> {
        Ok(())
    }
);

mire::projection!(
    #[projection(subscription = "letters", reads(AccountEvent))]
    #[ignores(AccountEvent::Opened)]
    struct Letters<M: std::fmt::Display> {
        sender: M,
    }

    #[on(AccountEvent::Deposited)]
    async fn deposited(&self) -> anyhow::Result<()> {
        Ok(())
    }
);

fn main() {
    let events = (
        AccountEvent::Opened {
            owner: String::new(),
        },
        AccountEvent::Deposited { amount: 5 },
    );
    drop((events, AccountId::new()));
}
