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
    #[projection(subscription = "balances", reads(Account))]
    #[ignore(AccountEvent::Opened)]
    struct Balance {
        #[key]
        account: AccountId,
        owner: &str,
        nickname: Option<Option<String>>,
        #[indexed]
        balance: i64,
    }

    #[On(AccountEvent::Deposited)]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }
);

mire::projection!(
    #[projection(subscription = "mail", reads(AccountEvent))]
    #[ignores(AccountEvent::Deposited)]
    struct Mail;

    #[on(AccountEvent::Opened)]
    async fn opened(&self, owner: &str) {
        println!("{owner}");
    }
);

struct ByHand;

fn main() {
    let events = (
        AccountEvent::Opened {
            owner: String::new(),
        },
        AccountEvent::Deposited { amount: 5 },
    );
    drop((events, AccountId::new()));
    let run = |store: &mire::EventStore| {
        let _ = Balance::by_balance(store, &5, 1);
        let _ = mire::runner!(store, Balance, Mail);
        let _ = mire::runner!(store, Balance, ByHand, ByHand);
        mire::runner!(store, Balance, Mail {})
    };
    drop(run);
}
