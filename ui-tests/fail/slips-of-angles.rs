//! One `<` or `>` too many or too few.

mire::aggregate!(
    #[aggregate(category = "account")]
    pub struct Account {
        balance: i64,
    }

    #[event]
    fn opened(&mut self, owner: Option<String, balance: i64) {
        self.balance = balance + i64::from(owner.is_some());
    }

    #[event]
    fn moved(&mut self, to: Option<String>>, amount: i64) {
        self.balance -= amount + i64::from(to.is_some());
    }

    #[event]
    fn closed(&mut self, reason: Option<String) {
        self.balance = i64::from(reason.is_some());
    }

    #[command]
    pub fn close(&self) -> Result<AccountEvent, String {
        Ok(AccountEvent::Closed { reason: None })
    }

    #[command]
    pub fn transfer(&self, amount: i64) -> Result<AccountEvent,String>> {
        Ok(AccountEvent::Moved { to: None, amount })
    }
);

fn main() {
    let _ = AccountEvent::Opened {
        owner: None,
        balance: 3,
    };
    let _ = Account::default().close().is_ok();
}
