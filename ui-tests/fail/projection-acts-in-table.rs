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
    #[projection(subscription = "balances", reads(AccountEvent))]
    struct Balance {
        #[key]
        account: AccountId,
        owner: String,
    }

    #[on(AccountEvent::Opened)]
    async fn opened(&self, owner: &str) -> anyhow::Result<()> {
        println!("{owner}");
        Ok(())
    }

    #[on(AccountEvent::Deposited)]
    async fn deposited(&self, amount: i64, tx: &mut sqlx::SqliteConnection) -> anyhow::Result<()> {
        Ok(())
    }
);

mire::projection!(
    #[projection(subscription = "mail", reads(AccountEvent))]
    #[ignores(AccountEvent::Deposited)]
    struct Mail {
        #[index]
        sender: String,
    }

    #[on(AccountEvent::Opened)]
    async fn opened(&self, owner: &str) {
        println!("{owner}: {}", self.sender);
    }
);

fn main() {}
