mire::aggregate!(
    #[aggregate(category = "account", id(AccountId))]
    struct Account {
        balance: i64,
    }

    #[event]
    fn opened(account: &mut Account, amount: i64) {
        account.balance = amount;
    }

    #[event]
    fn deposited(&mut self, ref amount: i64, fee @ _: i64) {
        self.balance += *amount;
    }

    #[event]
    fn withdrawn(&mut self, (amount, _): (i64, i64), _: i64) {
        self.balance -= amount;
    }

    #[event]
    fn raised(&mut self, amount: i64)
    where
        i64: Copy,
    {
    }

    #[event]
    fn settled<'a>(&mut self, amount: i64) {}

    #[event]
    fn checked(&mut self, _by: &str, #[serde(rename = "_at")] _at: i64) {}

    #[event]
    fn close(&mut self) {}

    #[command]
    fn open(account: &Account, amount: i64) -> AccountEvent {
        AccountEvent::Opened { amount }
    }

    #[command]
    pub fn close(&self, (a, b): (i64, i64)) -> Option<AccountEvent> {
        Some(AccountEvent::Deposited { amount: a, fee: b })
    }

    #[command]
    fn raise(&self, ref amount: i64, amount: i64) -> AccountEvent {
        AccountEvent::Raised { amount: *amount }
    }
);

mire::projection!(
    #[projection(subscription = "balances", reads(AccountEvent))]
    #[ignores(AccountEvent::Close, AccountEvent::Checked, AccountEvent::Settled)]
    struct Balance {
        #[key]
        account: AccountId,
        balance: i64,
    }

    #[on(AccountEvent::Opened)]
    fn opened(row: &mut Balance, amount: i64) {
        row.balance = amount;
    }

    #[on(AccountEvent::Deposited)]
    fn changed(&mut self, ref amount: i64, fee: i64) {
        self.balance += *amount - fee;
    }

    #[on(AccountEvent::Withdrawn)]
    fn changed(&mut self, amount: i64) {
        self.balance -= amount;
    }

    #[on(AccountEvent::Raised)]
    fn raised(&self, amount: i64, amount: i64) {
        self.balance = amount;
    }
);

fn closes(account: &Account) -> Option<AccountEvent> {
    account.close((1, 2))
}

fn main() {}
