struct Other;

mire::aggregate!(
    #[aggregate(category = "account", id(AccountId))]
    struct Account {
        balance: i64,
    }

    #[event]
    fn opened(&mut self) {}

    #[command]
    fn state(&self) -> Self {
        Account { balance: 1 }
    }

    #[command]
    fn states(&self) -> Result<Vec<Account>, String> {
        Ok(vec![Account { balance: 1 }])
    }

    #[command]
    fn variant(&self) -> AccountEvent::Opened {
        AccountEvent::Opened
    }

    #[command]
    fn missing(&self) {
        AccountEvent::Opened
    }

    #[command]
    fn no_error(&self) -> Result<AccountEvent> {
        Ok(AccountEvent::Opened)
    }

    #[command]
    fn nothing(&self) -> Result<(), String> {
        Ok(())
    }

    #[command]
    fn others(&self) -> Vec<Other> {
        vec![Other]
    }

    #[command]
    fn slice(&self) -> &[AccountEvent] {
        &[]
    }
);

fn closes(account: &Account) -> AccountEvent {
    let _: AccountEvent = account.state();
    account.missing()
}

fn main() {}
