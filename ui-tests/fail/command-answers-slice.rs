mire::aggregate!(
    #[aggregate(category = "account")]
    pub struct Account {
        balance: i64,
    }

    #[event]
    fn opened(&mut self, balance: i64) {
        self.balance = balance;
    }

    #[command]
    pub fn open(&self) -> [AccountEvent] {
        [AccountEvent::Opened { balance: 1 }]
    }

    #[command]
    pub fn reopen(&self) -> Result<[AccountEvent], String> {
        Ok([AccountEvent::Opened { balance: 1 }])
    }
);

fn main() {}
