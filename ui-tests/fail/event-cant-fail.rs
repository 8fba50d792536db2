mire::aggregate!(
    #[aggregate(category = "card", id(CardId))]
    struct Card {
        spent: i64,
    }

    #[event]
    fn charged(&mut self, amount: &str) {
        self.spent += amount.parse::<i64>()?;
    }

    #[event]
    fn refunded(&mut self, amount: i64) {
        self.spent -= amount;
        self.spent
    }
);

fn main() {
    let amount = 5;
    drop((CardEvent::Refunded { amount }, CardId::new()));
}
