use std::borrow::Cow;

#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
struct Label<'a>(Cow<'a, str>);

mire::aggregate!(
    #[aggregate(category = "account")]
    struct Account {
        balance: i64,
    }

    #[event]
    fn deposited(&mut self, amount: i64, by: Option<&str>) {
        self.balance += amount;
    }

    #[event]
    fn merged(&mut self, other: &mut i64) {}

    #[event]
    fn linked(&mut self, what: impl ToString) {}

    #[event]
    fn named(&mut self, name: Label<'a>) {}

    #[event]
    fn split(&mut self, parts: Vec<Self>) {}

    #[event]
    fn charged(&mut self, (amount, fee): (i64, i64)) {
        self.balance -= amount + fee;
    }

    #[command]
    fn link(&self) -> [AccountEvent; 2] {
        let what = "that".to_owned();
        let (amount, fee) = (1, 2);
        [
            AccountEvent::Linked { what },
            AccountEvent::Charged { amount, fee },
        ]
    }
);

fn main() {
    drop(AccountEvent::Deposited {
        amount: 1,
        by: None,
    });
    drop(AccountEvent::Named {
        name: Label("name".into()),
    });
}
