//! The bank of the README: everything that `aggregate!` has.

#![deny(missing_docs, warnings, clippy::pedantic)]
#![allow(clippy::assigning_clones)]

use serde_json::{Value, json};

/// Why the bank refuses.
#[derive(Debug, PartialEq)]
pub enum AccountError {
    /// The balance doesn't cover it.
    Overdrawn {
        /// What is there.
        balance: i64,
        /// What was asked for.
        amount: i64,
    },
}

fn withdrawn_v1(mut payload: Value) -> Result<Value, String> {
    let members = payload.as_object_mut().ok_or("not an object")?;
    members.insert("reason".to_owned(), json!("unknown"));
    Ok(payload)
}

mire::aggregate!(
    /// A bank account, from opening to closing.
    #[aggregate(
        category = "account",
        id(AccountId),
        snapshot_every = 100,
        revision = 2
    )]
    #[derive(Debug, PartialEq)]
    pub struct Account {
        owner: String,
        balance: i64,
        closed: bool,
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

    /// Money went out. Version 1 had no reason.
    #[event(name = "money-withdrawn", version = 2, upcast(withdrawn_v1))]
    fn withdrawn(&mut self, amount: i64, reason: &Option<String>) {
        self.balance -= amount;
    }

    #[event]
    fn closed(&mut self) {
        self.closed = true;
    }

    /// Opens the account.
    #[command]
    #[must_use]
    pub fn open(&self, owner: &str, gift: i64) -> Vec<AccountEvent> {
        vec![
            AccountEvent::Opened {
                owner: owner.to_owned(),
            },
            AccountEvent::Deposited { amount: gift },
        ]
    }

    /// Takes money out, if the balance covers it.
    ///
    /// # Errors
    ///
    /// When it doesn't.
    #[command]
    pub fn withdraw(&self, amount: i64) -> Result<AccountEvent, AccountError> {
        if amount > self.balance {
            return Err(AccountError::Overdrawn {
                balance: self.balance,
                amount,
            });
        }
        Ok(AccountEvent::Withdrawn {
            amount,
            reason: None,
        })
    }

    /// Closes it, unless it is closed.
    #[command]
    #[must_use]
    pub fn close(&self) -> Option<AccountEvent> {
        (!self.closed).then_some(AccountEvent::Closed)
    }
);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    use mire::{AggregateRoot, EventData, Snapshot, StoredEvent};

    let id = AccountId::new();
    let mut account = AggregateRoot::<Account>::new(&id);
    account.open("Ann", 50);
    account.withdraw(30).map_err(|error| format!("{error:?}"))?;
    assert!(account.withdraw(30).is_err());
    account.close();
    account.close();
    assert_eq!(account.pending_count(), 4);
    assert_eq!(account.state.balance, 20);
    assert_eq!(account.stream_id, Account::stream(&id)?.as_str());
    assert_eq!(id.to_string().parse::<AccountId>()?, id);
    assert_eq!(Account::SNAPSHOT_FREQUENCY, 100);

    let old = AccountEvent::decode(&StoredEvent {
        event_type: "account.money-withdrawn",
        schema_version: 1,
        data: br#"{"amount": 5}"#,
    });
    let reason = Some("unknown".to_owned());
    assert_eq!(
        old.map_err(|error| error.to_string())?,
        AccountEvent::Withdrawn { amount: 5, reason }
    );
    assert_eq!(AccountEvent::Closed.event_type(), "account.closed");
    assert_eq!(AccountEvent::Closed.encode()?, "{}");

    Account::given([AccountEvent::Deposited { amount: 50 }])
        .when(|account| account.withdraw(30))
        .then([AccountEvent::Withdrawn {
            amount: 30,
            reason: None,
        }])
        .then_state(|account| assert_eq!(account.balance, 20))
        .and()
        .when(|account| account.withdraw(30))
        .then_error(AccountError::Overdrawn {
            balance: 20,
            amount: 30,
        })
        .and()
        .when(Account::close)
        .then([AccountEvent::Closed])
        .and()
        .when(Account::close)
        .then_nothing();
    Ok(())
}
