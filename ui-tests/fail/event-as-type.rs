mire::aggregate!(
    #[aggregate(category = "card", id(CardId))]
    struct Card {
        spent: i64,
    }

    #[event]
    pub struct CardBlocked {
        reason: String,
        days: Vec<i64>,
    }

    #[event]
    enum Lost {}

    #[command]
    struct Pay {
        amount: i64,
    }

    #[derive(Debug)]
    enum CardEvent {
        Paid,
    }

    #[event]
    fn charged(&mut self, amount: i64) {
        self.spent += amount;
    }
);

fn main() {
    let charged = CardEvent::Charged { amount: 5 };
    drop((charged, CardId::new()));
}
