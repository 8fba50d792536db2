#[derive(Debug, Clone, PartialEq)]
pub struct Money(i64);

pub struct Fee(i64);

mire::aggregate!(
    #[aggregate(category = "account")]
    struct Account {
        balance: i64,
    }

    #[event]
    fn deposited(&mut self, amount: &Money) {
        self.balance += amount.0;
    }

    #[event]
    fn charged(&mut self, fee: Fee) {
        self.balance -= fee.0;
    }

    #[event]
    fn waived(&mut self, fee: Option<Fee>) {
        self.balance += fee.map_or(0, |fee| fee.0);
    }
);

fn main() {
    drop(AccountEvent::Deposited { amount: Money(1) });
    drop(AccountEvent::Charged { fee: Fee(1) });
    drop(AccountEvent::Waived { fee: None });
}
