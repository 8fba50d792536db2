//! Slips around attributes: the items below them are what the attributes say.

mire::aggregate!(
    #[aggregate category = "account"]
    pub struct Account {
        balance: i64,
    }

    #![event]
    fn opened(&mut self, balance: i64) {
        self.balance = balance;
    }

    [event]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }

    [event(version = 2, upcast(taken))]
    fn withdrawn(&mut self, amount: i64) {
        self.balance -= amount;
    }

    #[event],
    fn closed(&mut self) {
        self.balance = 0;
    }

    #[apply]
    fn frozen(&mut self) {}

    #[handle]
    pub fn freeze(&self) -> AccountEvent {
        AccountEvent::Frozen
    }
);

mire::aggregate!(
    #[aggregate(category = "card", id(Uuid))]
    pub struct Card {
        spent: i64,
    }

    #[event]
    fn charged(&mut self, amount: i64) {
        self.spent += amount;
    }

    #[aggregate(category = "note")]
    pub struct Note {
        text: String,
    }

    #[event]
    fn charged(&mut self, text: &str) {
        self.text = text.to_owned();
    }

    #[event]
    fn written(&mut self, text: &str) {
        self.text = text.to_owned();
    }

    #[command]
    pub fn write(&self) -> NoteEvent {
        NoteEvent::Written {
            text: self.text.clone(),
        }
    }
);

fn taken(fields: serde_json::Value) -> Result<serde_json::Value, std::convert::Infallible> {
    Ok(fields)
}

fn main() {
    let mut account = mire::AggregateRoot::<Account>::new("a");
    account.freeze();
}
