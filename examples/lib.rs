//! What the examples share: the store that they run on, and the bank.

use mire::AnyStore;

/// Why the bank refuses.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum AccountError {
    /// The balance doesn't cover it.
    #[error("the balance is {balance}, which does not cover {amount}")]
    Overdrawn {
        /// What is there.
        balance: i64,
        /// What was asked for.
        amount: i64,
    },
}

mire::aggregate!(
    /// A bank account.
    #[aggregate(category = "account", id(AccountId), snapshot_every = 100)]
    #[derive(Debug, PartialEq)]
    pub struct Account {
        /// Whose it is.
        pub owner: String,
        /// What is on it.
        pub balance: i64,
    }

    /// The account was opened for its owner.
    #[event]
    fn opened(&mut self, owner: &str) {
        self.owner = owner.to_owned();
    }

    /// Money came in.
    #[event]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }

    /// Money went out.
    #[event]
    fn withdrawn(&mut self, amount: i64) {
        self.balance -= amount;
    }

    /// Opens the account with a first deposit.
    #[command]
    pub fn open(&self, owner: &str, gift: i64) -> Vec<AccountEvent> {
        let owner = owner.to_owned();
        vec![
            AccountEvent::Opened { owner },
            AccountEvent::Deposited { amount: gift },
        ]
    }

    /// Puts money in.
    #[command]
    pub fn deposit(&self, amount: i64) -> AccountEvent {
        AccountEvent::Deposited { amount }
    }

    /// Takes money out, if the balance covers it.
    #[command]
    pub fn withdraw(&self, amount: i64) -> Result<AccountEvent, AccountError> {
        if amount > self.balance {
            let balance = self.balance;
            return Err(AccountError::Overdrawn { balance, amount });
        }
        Ok(AccountEvent::Withdrawn { amount })
    }
);

/// The store of `DATABASE_URL`, or else a new one in memory.
pub async fn store() -> anyhow::Result<AnyStore> {
    let url = std::env::var("DATABASE_URL").unwrap_or_else(|_| "sqlite::memory:".to_owned());
    Ok(mire::open_any(&url).await?)
}

/// The program of the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
