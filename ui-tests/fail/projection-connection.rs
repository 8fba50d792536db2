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
    fn withdrawn(&mut self, amount: i64) {
        self.balance -= amount;
    }

    #[event]
    fn closed(&mut self) {}
);

mire::projection!(
    #[projection(subscription = "by-value", reads(AccountEvent))]
    struct ByValue;

    #[on(AccountEvent::Opened)]
    async fn opened(&self, owner: &str, mut tx: sqlx::SqliteConnection) -> anyhow::Result<()> {
        sqlx::query(owner).execute(&mut tx).await?;
        Ok(())
    }

    #[on(AccountEvent::Deposited)]
    async fn deposited(&self, tx: &sqlx::SqliteConnection) {}

    #[on(AccountEvent::Withdrawn)]
    async fn withdrawn(&self, amount: i64, tx: Box<sqlx::SqliteConnection>) {}

    #[on(AccountEvent::Closed)]
    async fn closed(&self, tx: std::sync::Arc<sqlx::SqliteConnection>) {}
);

mire::projection!(
    #[projection(subscription = "transactions", reads(AccountEvent))]
    struct Transactions;

    #[on(AccountEvent::Opened)]
    async fn opened(&self, tx: &mut sqlx::Transaction<Sqlite>) -> anyhow::Result<()> {
        Ok(tx.commit().await?)
    }

    #[on(AccountEvent::Deposited)]
    async fn deposited(&self, tx: &mut sqlx::Transaction<'_, sqlx::Sqlite>) {}

    #[on(AccountEvent::Withdrawn)]
    async fn withdrawn(&self, tx: &mut sqlx::pool::PoolConnection<sqlx::Sqlite>) {}

    #[on(AccountEvent::Closed)]
    async fn closed(&self, tx: impl sqlx::Executor<'_>) {}
);

mire::projection!(
    #[projection(subscription = "pools", reads(AccountEvent))]
    struct Pools;

    #[on(AccountEvent::Opened)]
    async fn opened(&self, pool: &sqlx::SqlitePool) {
        let _ = pool.begin().await;
    }

    #[on(AccountEvent::Deposited)]
    async fn deposited(&self, pool: sqlx::Pool<sqlx::Sqlite>) {}

    #[on(AccountEvent::Withdrawn)]
    async fn withdrawn(&self, store: &mire::EventStore<mire::Sqlite>) {}

    #[on(AccountEvent::Closed)]
    async fn closed(&self, tx: &mut sqlx::PgConnection, ux: &mut sqlx::PgConnection) {}
);

mire::projection!(
    #[projection(subscription = "generic", reads(AccountEvent))]
    #[ignores(AccountEvent::Closed)]
    struct Generic;

    #[on(AccountEvent::Opened)]
    async fn opened<C>(&self, tx: &mut C) {}

    #[on(AccountEvent::Deposited)]
    async fn deposited<'a>(&'a self, tx: &'a mut sqlx::SqliteConnection) {}

    #[on(AccountEvent::Withdrawn)]
    async fn withdrawn(&self, tx: &mut sqlx::SqliteTransaction<'_>) {}
);

mire::projection!(
    #[projection(subscription = "folds", reads(AccountEvent))]
    #[ignores(AccountEvent::Deposited, AccountEvent::Withdrawn, AccountEvent::Closed)]
    struct Folds {
        #[key]
        account: AccountId,
    }

    #[on(AccountEvent::Opened)]
    fn opened(&mut self, tx: sqlx::SqliteConnection) {}
);

use sqlx::SqliteConnection as Conn;

mire::projection!(
    #[projection(subscription = "aliases", reads(AccountEvent))]
    #[ignores(AccountEvent::Deposited, AccountEvent::Withdrawn, AccountEvent::Closed)]
    struct Aliases;

    #[on(AccountEvent::Opened)]
    async fn opened(&self, owner: &str, tx: &mut Conn) -> anyhow::Result<()> {
        sqlx::query(owner).execute(tx).await?;
        Ok(())
    }
);

fn main() {}
