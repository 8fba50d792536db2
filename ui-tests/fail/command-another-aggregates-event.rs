mire::aggregate!(
    #[aggregate(category = "order")]
    struct Order;

    #[event]
    fn placed(&mut self) {}
);

mire::aggregate!(
    #[aggregate(category = "account")]
    struct Account {
        balance: i64,
    }

    #[event]
    fn withdrawn(&mut self, amount: i64) {
        self.balance -= amount;
    }

    #[command]
    fn withdraw(&self, amount: i64) -> Result<OrderEvent, String> {
        if amount > self.balance {
            return Err("overdrawn".to_owned());
        }
        Ok(OrderEvent::Placed)
    }
);

fn main() {
    let mut account = mire::AggregateRoot::<Account>::new("1");
    account.withdraw(5).unwrap();
}
