use mire::EventInfo;

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
    #[projection(subscription = "mail", reads(AccountEvent))]
    struct Mail;

    #[on(AccountEvent::Opened)]
    async fn opened(&self, event: &AccountEvent, owner: &str) -> anyhow::Result<()> {
        println!("{event:?} {owner}");
        Ok(())
    }

    #[on(AccountEvent::Deposited)]
    async fn deposited(&self, _amount: i64, info: Option<&EventInfo>, amount: impl Into<i64>) {}

    #[on(AccountEvent::Closed)]
    async fn closed(&self, info: &EventInfo, other: &mire::EventInfo) {}
);

mire::projection!(
    #[projection(subscription = "balances", reads(AccountEvent))]
    struct Balance {
        #[key]
        account: AccountId,
        balance: i64,
    }

    // What it doesn't use gives no warning.
    #[on(AccountEvent::Opened)]
    fn opened(&mut self, owner: &str) {}

    #[on(AccountEvent::Deposited)]
    fn deposited(&mut self, account: AccountId, amount: i64) {
        self.account = account;
        self.balance += amount;
    }

    #[on(AccountEvent::Closed)]
    fn closed(&mut self) {
        if self.balance == 0 {
            self.account = AccountId::new();
        }
    }
);

mire::projection!(
    #[projection(subscription = "owners", reads(AccountEvent))]
    #[ignores(AccountEvent::Deposited, AccountEvent::Closed)]
    struct Owner {
        #[key]
        account: AccountId,
        owner: String,
    }

    #[on(AccountEvent::Opened)]
    fn opened(&mut self, owner: str) {
        self.owner = owner.to_owned();
    }
);

mire::projection!(
    #[projection(subscription = "ids", reads(AccountEvent))]
    #[ignores(AccountEvent::Deposited)]
    struct Id {
        #[key]
        account: AccountId,
        text: String,
    }

    #[on(AccountEvent::Opened)]
    fn opened(&mut self, id: AccountId, owner: &str) {
        self.text = format!("{owner} has {id}");
    }

    #[on(AccountEvent::Closed)]
    fn closed(&mut self, id: &AccountId) {
        self.text = format!("{id} is closed");
    }
);

mire::projection!(
    #[projection(subscription = "wholes", reads(AccountEvent))]
    struct Whole {
        #[key]
        account: AccountId,
        text: String,
    }

    #[on(AccountEvent::Opened)]
    fn opened(&mut self, event: &mire::Event) {
        self.text = event.owner.clone();
    }

    #[on(AccountEvent::Deposited)]
    fn deposited(&mut self, event: &Event<AccountEvent>) {
        self.text = event.amount.to_string();
    }

    #[on(AccountEvent::Closed)]
    fn closed(&mut self, event: mire::RecordedEvent) {
        self.text = event.event_type;
    }
);

fn main() {}
