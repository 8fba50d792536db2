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
    #[projection(subscription = "balance", reads(AccountEvent))]
    #[ignores(AccountEvent::Opened)]
    struct Balance {
        #[key]
        account: AccountId,
        balance: i64,
    }

    #[on(AccountEvent::Deposited)]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }
);

mire::projection!(
    #[projection(subscription = "mail", reads(AccountEvent))]
    #[ignores(AccountEvent::Opened)]
    struct Mail;

    #[on(AccountEvent::Deposited)]
    async fn deposited(&self) -> anyhow::Result<()> {
        Ok(())
    }
);

fn main() {
    drop(AccountEvent::Opened {
        owner: String::new(),
    });
    drop((AccountEvent::Deposited { amount: 5 }, AccountId::new()));
    let run = |store: &mire::EventStore| {
        let mail = || Mail;
        let _ = mire::runner!(store, Mail: Mail);
        let _ = mire::runner!(store, Mail => mail());
        let _ = mire::runner!(store, [Balance, Mail = mail()]);
        mire::runner!(store, "balances")
    };
    let _ = run;
}
