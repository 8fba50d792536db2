#![deny(unused_must_use)]

mire::aggregate!(
    #[aggregate(category = "card", id(CardId))]
    struct Card {
        spent: i64,
    }

    #[event]
    fn charged(&mut self, amount: i64) {
        self.spent += amount;
    }

    #[command]
    fn pay(&self, amount: i64) -> CardEvent {
        CardEvent::Charged { amount }
    }

    #[command]
    fn pay_all(&self, amounts: &[i64]) -> Vec<CardEvent> {
        let charged = |amount: &i64| CardEvent::Charged { amount: *amount };
        amounts.iter().map(charged).collect()
    }
);

fn main() {
    let card = mire::AggregateRoot::<Card>::new(&CardId::new());
    card.state.pay(5);
    card.state.pay_all(&[5]);
}
