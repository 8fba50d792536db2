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

use std::rc::Rc;

mire::projection!(
    #[projection(subscription = "audit", reads(AccountEvent))]
    #[ignores(AccountEvent::Deposited, AccountEvent::Closed)]
    struct Audit;

    #[on(AccountEvent::Opened)]
    async fn opened(&self, owner: &str) -> anyhow::Result<()> {
        let owner = Rc::new(owner.to_owned());
        tokio::task::yield_now().await;
        println!("{owner}");
        Ok(())
    }
);

mire::projection!(
    #[projection(subscription = "alarm", reads(AccountEvent))]
    #[ignores(AccountEvent::Opened, AccountEvent::Closed)]
    struct Alarm;

    #[on(AccountEvent::Deposited)]
    async fn deposited(&self, amount: i64, tx: &mut sqlx::PgConnection) -> anyhow::Result<i64> {
        sqlx::query("SELECT $1").bind(amount).execute(tx).await?;
        Ok(amount)
    }
);

mire::projection!(
    #[projection(subscription = "counter", reads(AccountEvent))]
    #[ignores(AccountEvent::Opened, AccountEvent::Deposited)]
    struct Counter {
        closed: Rc<i64>,
    }

    #[on(AccountEvent::Closed)]
    async fn closed(&self) {
        println!("{}", self.closed);
    }
);

struct Log {
    lines: std::cell::RefCell<Vec<String>>,
}

mire::projection!(
    #[projection(subscription = "writer", reads(AccountEvent))]
    #[ignores(AccountEvent::Opened, AccountEvent::Deposited)]
    struct Writer {
        log: Log,
        path: String,
    }

    #[on(AccountEvent::Closed)]
    async fn closed(&self, tx: &mut sqlx::SqliteConnection) -> anyhow::Result<()> {
        sqlx::query("SELECT 1").execute(tx).await?;
        self.log.lines.borrow_mut().push(self.path.clone());
        Ok(())
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
        (
            Audit.runner(store),
            Counter { closed: Rc::new(0) }.runner(store),
        )
    };
    drop(run);
}
