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
    #[projection(subscription = "ledger", reads(AccountEvent))]
    #[ignores(AccountEvent::Opened, AccountEvent::Closed)]
    struct Ledger;

    #[on(AccountEvent::Deposited)]
    async fn deposited(&self, amount: i64, tx: &mut sqlx::PgConnection) -> anyhow::Result<()> {
        sqlx::query("SELECT $1").bind(amount).execute(tx).await?;
        Ok(())
    }
);

mire::projection!(
    #[projection(subscription = "mixed", reads(AccountEvent))]
    #[ignores(AccountEvent::Closed)]
    struct Mixed;

    #[on(AccountEvent::Opened)]
    async fn opened(&self, tx: &mut sqlx::SqliteConnection) -> anyhow::Result<()> {
        sqlx::query("SELECT 1").execute(tx).await?;
        Ok(())
    }

    #[on(AccountEvent::Deposited)]
    async fn deposited(&self, tx: &mut sqlx::PgConnection) -> anyhow::Result<()> {
        sqlx::query("SELECT 1").execute(tx).await?;
        Ok(())
    }
);

fn run(postgres: &mire::EventStore, sqlite: &mire::EventStore<mire::Sqlite>) {
    let _ = Ledger.runner(postgres);
    let _ = Ledger.runner(sqlite);
    let _ = mire::runner!(sqlite, Ledger = Ledger);
    let _ = mire::ProjectionRunner::builder(sqlite.clone()).subscribe_projection(Ledger);
}

fn main() {
    let events = (
        AccountEvent::Opened {
            owner: String::new(),
        },
        AccountEvent::Deposited { amount: 5 },
        AccountEvent::Closed,
    );
    drop((events, AccountId::new(), run));
}
