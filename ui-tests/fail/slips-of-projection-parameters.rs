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
    #[projection(subscription = "pooled", reads(AccountEvent))]
    #[ignores(AccountEvent::Opened)]
    struct Pooled;

    #[on(AccountEvent::Deposited)]
    async fn deposited(&self, tx: &mut sqlx::PgPool) -> anyhow::Result<()> {
        Ok(())
    }
);

mire::projection!(
    #[projection(subscription = "executed", reads(AccountEvent))]
    #[ignores(AccountEvent::Opened)]
    struct Executed;

    #[on(AccountEvent::Deposited)]
    async fn deposited(&self, tx: impl sqlx::PgExecutor<'_>) -> anyhow::Result<()> {
        Ok(())
    }
);

mire::projection!(
    #[projection(subscription = "anywhere", reads(AccountEvent))]
    #[ignores(AccountEvent::Opened)]
    struct Anywhere;

    #[on(AccountEvent::Deposited)]
    async fn deposited(&self, tx: &mut sqlx::AnyConnection) -> anyhow::Result<()> {
        Ok(())
    }
);

mire::projection!(
    #[projection(subscription = "taken", reads(AccountEvent))]
    #[ignores(AccountEvent::Opened)]
    struct Taken {
        #[key]
        account: AccountId,
        balance: i64,
    }

    #[on(AccountEvent::Deposited)]
    fn deposited(&mut self, AccountEvent::Deposited { amount }: AccountEvent) {
        self.balance += amount;
    }
);

mire::projection!(
    #[projection(subscription = "wild", reads(AccountEvent))]
    #[ignores(AccountEvent::Opened)]
    struct Wild {
        #[key]
        account: AccountId,
        balance: i64,
    }

    #[on(AccountEvent::Deposited)]
    fn deposited(&mut self, _: i64) {
        self.balance += 1;
    }
);

mire::projection!(
    #[projection(subscription = "forever", reads(AccountEvent))]
    #[ignores(AccountEvent::Deposited)]
    struct Forever;

    #[on(AccountEvent::Opened)]
    async fn opened(&self, owner: &'static str) -> anyhow::Result<()> {
        println!("{owner}");
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
