//! Slips within the attributes: what was meant stays known, and nothing follows.

mod no_comma {
    mire::aggregate!(
        #[aggregate(category = "account" id(AccountId), , snapshot_every = 100)]
        pub struct Account {
            balance: i64,
        }

        #[event(name = "money-in"; version = 2, upcast(Self::deposited_v1))]
        fn deposited(&mut self, amount: i64) {
            self.balance += amount;
        }

        #[event(version = "2", upcast(super::deposited_v1))]
        fn withdrawn(&mut self, amount: i64) {
            self.balance -= amount;
        }

        #[event(version = V2, upcast = super::deposited_v1)]
        fn renamed(&mut self, owner: &str) {}

        #[event(version = 9999999999, upcasts(super::deposited_v1))]
        fn closed(&mut self) {}

        #[event(version = 3, upcast(super::deposited_v1), upcast(super::deposited_v1))]
        fn opened(&mut self, owner: &str) {}
    );

    impl Account {
        fn deposited_v1(value: serde_json::Value) -> Result<serde_json::Value, String> {
            Ok(value)
        }
    }
}

fn deposited_v1(value: serde_json::Value) -> Result<serde_json::Value, String> {
    Ok(value)
}

use no_comma::{AccountEvent, AccountId};

mod no_word {
    mire::aggregate!(
        #[aggregate("loan", id: LoanId, snapshot_every = 10 * 10)]
        pub struct Loan {}

        #[event(2, upcast(super::deposited_v1))]
        fn granted(&mut self) {}
    );
}

use no_word::{LoanEvent, LoanId};

mod its_own_types {
    mire::aggregate!(
        #[aggregate(name = "car")]
        #[aggregate(id(Car, Wheel), category = )]
        pub struct Car {}

        #[event]
        fn driven(&mut self) {}
    );

    mire::aggregate!(
        #[aggregate = "bike"]
        pub struct Bike {}

        #[event]
        fn driven(&mut self) {}
    );
}

use its_own_types::{CarEvent, CarId};

mire::projection!(
    #[projection(subscription = "balances" reads(AccountEvents | LoanEvent))]
    #[ignores(AccountEvent.Renamed, "AccountEvent::Closed", LoanEvent::{Granted})]
    struct Balance {
        #[key]
        account: AccountId,
        balance: i64,
    }

    #[on(AccountEvent:Deposited)]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }

    #[on(event = AccountEvent::Withdrawn)]
    fn withdrawn(&mut self, amount: i64) {
        self.balance -= amount;
    }

    #[on(AccountEvent::Opened delete)]
    fn opened(&mut self) {}
);

mire::projection!(
    #[projection(
        subscription = "all",
        reads(AccountEvent),
        reads(no_word::LoanEvent),
        ignores(no_word::LoanEvent::Granted)
    )]
    #[ignores(AccountEvent::Closed {}, {AccountEvent::Renamed}, AccountEvent::Opened<>)]
    #[ignores = AccountEvent::Deposited]
    struct All;

    #[on(Self::Withdrawn)]
    async fn withdrawn(&self) {}

    #[on(LoanEvent, Granted)]
    async fn granted(&self) {}
);

mire::projection!(
    #[projection(subscription = "wild", reads(AccountEvent::Opened))]
    #[ignores(AccountEvent::*)]
    struct Wild;

    #[on(AccountEvent::Withdrawn; key(amount), AccountEvent::Opened)]
    #[on(AccountEvent::Deposited)]
    async fn withdrawn(&self) {}
);

mire::projection!(
    #[projection(subscription = "wilder", reads(its_own_types::CarsEvent))]
    #[ignores(_, AccountEvent::Opened +)]
    struct Wilder;

    #[on(AccountEvent::)]
    async fn withdrawn(&self) {}
);

mire::projection!(
    #[projection(subscription = "small", reads(AccountEvent, LoanEvent))]
    #[ignores(CarEvent::Driven)]
    struct Small {
        #[key]
        owner: String,
        amount: i64,
    }

    #[on(deposited)]
    #[ignores(LoanEvent::Granted)]
    fn deposited(&mut self, amount: i64) {
        self.amount += amount;
    }

    #[event(AccountEvent::Withdrawn)]
    fn withdrawn(&mut self) {}

    #[handles(AccountEvent::Closed)]
    fn closed(&mut self) {}

    #[on(AccountEvent::Opened, by(owner), remove)]
    #[on(key(owner))]
    fn opened(&mut self) {}

    #[on(AccountEvent::Renamed)]
    #[key(owner)]
    fn renamed(&mut self) {}
);

mire::projection!(
    #[projection(subscription = "near", reads(AccountEvent, no_word::LoanEvent))]
    #[ignores(LoanEvent::Granted, AccountEvent, AcountEvent::Closed)]
    struct Near;

    #[on(AccountEvent::Deposited)]
    async fn deposited(&self, amount: i64) {
        println!("{amount}");
    }
);

mire::projection!(
    #[projection(
        subscription = "acts",
        reads(AccountEvent),
        table = "acts",
        revision = 2
    )]
    #[ignores(AccountEvent::Closed, AccountEvent::Renamed, AccountEvent::Opened)]
    #[ignores(AccountEvent::Withdrawn)]
    struct Acts {
        #[index]
        sender: String,
    }

    #[on(AccountEvent::Deposited)]
    async fn deposited(&self, amount: i64) {
        println!("{} {amount}", self.sender);
    }
);

fn main() {
    let events = (AccountEvent::Closed, LoanEvent::Granted, CarEvent::Driven);
    drop((events, AccountId::new(), LoanId::new(), CarId::new()));
    let run = |store: &mire::EventStore<mire::Sqlite>| {
        let acts = Acts {
            sender: String::new(),
        };
        let _ = mire::runner!(store, Balance, Small, All = All, Acts = acts);
        mire::runner!(store, Wild = Wild, Wilder = Wilder)
    };
    drop(run);
}
