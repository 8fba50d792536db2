//! Slips between the items and in the headers of functions: what is declared stays known.

mod between {
    mire::aggregate!(
        #![allow(dead_code)]
        foo bar
        #[aggregate(category = "account", id(AccountId))]
        pub struct Account {
            balance: i64,
        },

        println!("not here");

        super::made_elsewhere! {}

        macro_rules! nothing {
            () => {};
        }

        #[event]
        fn deposited(&mut self, amount: i64) {
            self.balance += amount;
        }

        foo bar

        #[command]
        pub fn deposit(&self, amount: i64) -> AccountEvent {
            AccountEvent::Deposited { amount }
        }

        #[query]
        pub fn balance(&self) -> i64 {
            self.balance
        }

        #[test]
        fn adds_up() {}

        #[on(AccountEvent::Deposited)]
        fn closed(&mut self) {}

        #[event]
    );

    nothing!();
    pub use Made as _;
}

macro_rules! made_elsewhere {
    () => {
        pub struct Made;
    };
}
use made_elsewhere;

use between::{AccountEvent, AccountId};

mod headers {
    mire::aggregate!(
        #[aggregate(category = "loan", id(LoanId))]
        pub struct Loan {
            sum: i64,
        }

        #[event]
        fn granted(&mut self, sum: i64 = 0) {
            self.sum = sum;
        }

        #[event]
        fn noted(&mut self, note) {
            self.sum += note.len();
        }

        #[event]
        fn raised(&mut self, sum i64, i64 by) {
            self.sum += sum + by;
        }

        #[event]
        fn repaid(&mut self sum: i64; rest: i64 note: &str) {
            self.sum -= sum;
        }

        #[event]
        fn cut(sum: i64, &mut self, &self) {
            self.sum -= sum;
        }

        #[event]
        fn doubled(&mut this) {
            this.sum *= 2;
        }

        #[event]
        func halved(&mut self) {
            self.sum /= 2;
        }

        #[event]
        emptied(&mut self) {
            self.sum = 0;
        }

        #[event]
        fn sold(&mut self, [i64; 2]) {}

        #[event]
        gen fn kept(&mut self) {}

        #[event]
        fn forgotten(&mut self)

        #[command]
        pub fn grant(&self, sum: i64) -> {
            vec![LoanEvent::Granted { sum }, LoanEvent::Noted { note: "" }]
        }

        #[command]
        pub fn repay(&self): LoanEvent {
            LoanEvent::Repaid { sum: 1, rest: self.sum, note: String::new() }
        }

        #[command]
        pub fn empty(&self, 5) -> LoanEvent ? {
            LoanEvent::Emptied
        }

        /// To be continued.
    );
}

use headers::{Loan, LoanEvent, LoanId};

mire::projection!(
    #[projection(subscription = "balances", reads(AccountEvent, LoanEvent))]
    #[ignores(AccountEvent::Closed, LoanEvent::Granted, LoanEvent::Noted, LoanEvent::Raised)]
    #[ignores(LoanEvent::Cut, LoanEvent::Doubled, LoanEvent::Halved, LoanEvent::Emptied)]
    #[ignores(LoanEvent::Sold, LoanEvent::Kept, LoanEvent::Forgotten)]
    struct Balance {
        #[key]
        account: String,
        balance: i64,
    }

    foo bar

    #[on(AccountEvent::Deposited)]
    fn deposited(&mut self, amount) {
        self.balance += amount;
    }

    #[on(LoanEvent::Repaid)]
    fn repaid(&mut self, sum: i64 = 0, rest: i64) {
        self.balance += sum + rest;
    }
);

// Each of these is for the other macro.
mod exchanged {
    mire::projection!(
        #[aggregate(category = "car", id(CarId))]
        pub struct Car {
            driven: i64,
        }

        #[event]
        fn driven(&mut self, by: i64) {
            self.driven += by;
        }

        #[command]
        pub fn drive(&self) -> CarEvent {
            CarEvent::Driven { by: 1 }
        }
    );

    mire::aggregate!(
        #[projection(subscription = "cars", reads(CarEvent))]
        pub struct Cars {
            #[key]
            car: CarId,
            driven: i64,
        }

        #[on(CarEvent::Driven)]
        fn driven(&mut self, by: i64) {
            self.driven += by;
        }
    );

    mire::projection!(
        #[aggregate(category = "car")]
        pub struct Unread;

        #[on(CarEvent::Driven)]
        async fn driven(&self) {}
    );

    mire::aggregate!(
        #[projection(subscription = "bikes", reads(CarEvent))]
        pub struct Bike {}

        #[event]
        fn ridden(&mut self) {}
    );
}

use exchanged::{Car, Cars};

fn main() {
    let run = |store: &mire::EventStore<mire::Sqlite>| {
        let _ = Cars::get(store, &exchanged::CarId::new());
        let _ = store.execute(LoanId::new(), |loan: &Loan| loan.grant(5));
        let _ = store.execute(exchanged::CarId::new(), |car: &Car| car.drive());
        mire::runner!(store, Balance, Cars)
    };
    drop((run, AccountId::new(), LoanEvent::Doubled));
}
