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
    #[projection(subscription = "refuses", reads(AccountEvent))]
    #[ignores(AccountEvent::Opened)]
    struct Refuses {
        #[key]
        account: AccountId,
        balance: i64,
    }

    #[on(AccountEvent::Deposited)]
    fn deposited(&mut self, amount: i64) -> Result<(), String> {
        self.balance = self.balance.checked_add(amount).ok_or("x")?;
        Ok(())
    }
);

mire::projection!(
    #[projection(subscription = "asks", reads(AccountEvent))]
    #[ignores(AccountEvent::Opened)]
    struct Asks {
        #[key]
        account: AccountId,
        balance: i64,
    }

    #[on(AccountEvent::Deposited)]
    fn deposited(&mut self, amount: i64) {
        self.balance = self.balance.checked_add(amount).ok_or("x")?;
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
