//! Words of Rust as names.

mire::aggregate!(
    #[aggregate(category = "account")]
    pub struct Account {
        balance: i64,
    }

    #[event]
    fn opened(&mut self, type: String, match: i64) {
        self.balance = match;
    }

    #[event]
    fn moved(&mut self, in: String, ref: String, amount: i64) {
        self.balance -= amount;
    }

    #[event]
    fn return(&mut self, amount: i64) {
        self.balance += amount;
    }

    #[command]
    pub fn move(&self) -> AccountEvent {
        AccountEvent::Return { amount: 1 }
    }

    #[command]
    pub fn open(&self, type: &str) -> AccountEvent {
        AccountEvent::Opened { r#type: type.to_owned(), r#match: 1 }
    }
);

fn main() {
    let _ = Account::default().r#move();
    let _ = AccountEvent::Return { amount: 1 };
    let _ = AccountEvent::Opened {
        r#type: String::new(),
        r#match: 3,
    };
}
