mire::aggregate!(
    #[aggregate(category = "account", id(AccountId))]
    struct Account;

    #[event]
    fn opened(&mut self) {}

    #[event]
    fn deposited(&mut self, amount: i64) {}
);

mod loans {
    mire::aggregate!(
        #[aggregate(category = "account")]
        pub struct Loan;

        #[event]
        fn granted(&mut self, amount: i64) {}

        #[event(name = "deposited")]
        fn paid(&mut self, amount: i64) {}
    );
}

mire::projection!(
    #[projection(subscription = "money", reads(AccountEvent, loans::LoanEvent))]
    #[ignores(AccountEvent::Opened, loans::LoanEvent::Granted)]
    struct Money {
        #[key]
        owner: String,
        amount: i64,
    }

    #[on(AccountEvent::Deposited)]
    fn deposited(&mut self, amount: i64) {
        self.amount += amount;
    }

    #[on(loans::LoanEvent::Paid)]
    fn paid(&mut self, amount: i64) {
        self.amount -= amount;
    }
);

fn main() {
    let events = (
        AccountEvent::Opened,
        AccountEvent::Deposited { amount: 1 },
        loans::LoanEvent::Granted { amount: 1 },
        loans::LoanEvent::Paid { amount: 1 },
    );
    drop((events, AccountId::new()));
}
