//! What stands at a field that rustc would read, and a state can't have.

mire::aggregate!(
    #[aggregate(category = "account")]
    pub struct Account {
        balance: i64 = 3,
        #[key]
        owner: String,
        #[index]
        currency: String,
        #[json]
        labels: Vec<String>,
    }

    #[event]
    fn opened(&mut self, owner: &str) {
        self.owner = owner.to_owned();
        self.balance += 3;
    }
);

mire::aggregate!(
    #[aggregate(category = "card")]
    pub struct Card<const N: usize> {
        limits: [i64; N],
        spent: i64,
    }

    #[event]
    fn charged(&mut self, amount: i64) {
        self.spent += amount.min(self.limits[N - 1]);
    }
);

fn main() {
    let _ = Card::default();
}
