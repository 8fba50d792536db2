//! A table that follows the log, and a mail for each new account.
//!
//! Why this pattern: the log answers "what happened to this account", but not "who has at least 25".
//! A projection keeps a table for that question: its struct is a row, and a function for each event
//! changes it. The runner reads and writes the rows of many events at once and commits them with the
//! checkpoint, so that each event takes effect exactly once, whatever crashes in between. The second
//! projection acts instead: at least once, since a mail can't be rolled back.

use std::time::Duration;

use mire::{Backend, EventInfo, EventStore};
use mire_examples::{Account, AccountEvent, AccountId};
use tokio_util::sync::CancellationToken;

mire::projection!(
    /// What every account holds now.
    #[projection(subscription = "balances", reads(AccountEvent))]
    pub struct Balance {
        #[key]
        account: AccountId,
        owner: String,
        #[index]
        balance: i64,
    }

    #[on(AccountEvent::Opened)]
    fn opened(&mut self, owner: &str) {
        self.owner = owner.to_owned();
    }

    #[on(AccountEvent::Deposited)]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }

    #[on(AccountEvent::Withdrawn)]
    fn withdrawn(&mut self, amount: i64) {
        self.balance -= amount;
    }
);

mire::projection!(
    /// Greets the owner of a new account.
    #[projection(subscription = "welcome-mail", reads(AccountEvent))]
    #[ignores(AccountEvent::Deposited, AccountEvent::Withdrawn)]
    pub struct WelcomeMail {
        sender: &'static str,
    }

    #[on(AccountEvent::Opened)]
    async fn welcome(&self, owner: &str, event: &EventInfo) -> anyhow::Result<()> {
        println!(
            "{}: welcome, {owner}, since version {}",
            self.sender,
            event.stream_version()
        );
        Ok(())
    }
);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    mire::with_store!(mire_examples::store().await?, |store| run(store).await)
}

async fn run<DB: Backend>(store: EventStore<DB>) -> anyhow::Result<()> {
    let mail = WelcomeMail { sender: "the bank" };
    let runner = mire::runner!(&store, Balance, WelcomeMail = mail).build();
    let cancel = CancellationToken::new();
    let running = tokio::spawn(runner.run(cancel.clone()));

    let mut last = None;
    for (owner, gift, spent) in [("Ann", 50, 30), ("Bob", 40, 10), ("Cleo", 90, 20)] {
        let id = AccountId::new();
        store
            .execute(id, |account: &Account| account.open(owner, gift))
            .await?;
        let done = store
            .execute(id, |account: &Account| account.withdraw(spent))
            .await?;
        last = done.position;
    }
    // Read your own writes: wait until the projections are done with the last one.
    if let Some(position) = last {
        let patience = Duration::from_secs(30);
        store
            .wait_for(WelcomeMail::SUBSCRIPTION, position, patience)
            .await?;
        Balance::wait_for(&store, position, patience).await?;
    }
    for row in Balance::by_balance_range(&store, 25.., 3).await? {
        println!("{} has {}", row.owner, row.balance);
    }
    cancel.cancel();
    running.await?
}
