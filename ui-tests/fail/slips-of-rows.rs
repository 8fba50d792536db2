//! What can't be a row, and what a field can't have: nothing follows in the functions.

mire::aggregate!(
    #[mire::aggregate(category = "account", id)]
    pub struct Account {
        balance: i64,
        balance: i64,
    }

    #[event]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }
);

mire::projection!(
    #[projection(subscription = "enums", reads(AccountEvent))]
    enum Choice {
        A {
            #[key]
            account: AccountId,
        },
    }

    #[on(AccountEvent::Deposited)]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }
);

mire::projection!(
    #[projection(subscription = "marked", reads(AccountEvent))]
    #[derive(Debug)]
    pub enum Marked {
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
    #[projection(subscription = "tuples", reads(AccountEvent))]
    struct Tuple(AccountId, i64);

    #[on(AccountEvent::Deposited)]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }
);

mire::projection!(
    #[projection(subscription = "units", reads(&AccountEvent), table = "units")]
    struct Unit;

    #[on(AccountEvent::Deposited)]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }
);

mire::projection!(
    #[projection(subscription = "mail", reads(AccountEvent))]
    struct Mail;

    #[on(AccountEvent::Deposited)]
    fn deposited(&mut self, amount: i64) {
        println!("{amount}");
    }
);

mire::projection!(
    #[projection(subscription = "fields", reads(AccountEvent))]
    #[derive(Debug)]
    struct Fields {
        #[key]
        account: AccountId,
        #[unique]
        #[index]
        balance: i64,
        balance: i64,
    }

    #[on(AccountEvent::Deposited)]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }
);

fn main() {
    let run = |store: &mire::EventStore<mire::Sqlite>| {
        let _ = Fields::by_balance(store, &1, 5);
        mire::runner!(store, Choice, Tuple, Unit, Fields, Mail = Mail)
    };
    drop((run, Account::default().balance));
}
