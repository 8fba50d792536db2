#[derive(Debug, Clone, PartialEq)]
pub struct Money(i64);

mire::aggregate!(
    #[aggregate(category = "account")]
    struct Account {
        balance: i64,
    }

    #[event]
    fn deposited(&mut self, amount: &Money) {
        self.balance += amount.0;
    }
);

fn main() {
    drop(AccountEvent::Deposited { amount: Money(1) });
}
