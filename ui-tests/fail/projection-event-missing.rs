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
    #[projection(subscription = "audit", reads(AccountEvent))]
    struct Audit;

    #[on(AccountEvent::Opened)]
    async fn opened(&self, owner: &str) {
        println!("{owner}");
    }
);

mire::projection!(
    #[projection(subscription = "alarm", reads(crate::AccountEvent))]
    #[ignores(crate::AccountEvent::Opened, crate::AccountEvent::Deposited)]
    struct Alarm;

    #[on(crate::AccountEvent::Closed)]
    async fn closed(&self) {}
);

mire::projection!(
    #[projection(subscription = "report", reads(AccountEvent))]
    #[ignores(AccountEvent::Opened, AccountEvent::Deposited)]
    struct Report;
);

mire::projection!(
    #[projection(subscription = "balances", reads(AccountEvent))]
    struct Balance {
        #[key]
        account: AccountId,
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
    drop((events, AccountId::new(), Audit, Alarm, Report));
}
