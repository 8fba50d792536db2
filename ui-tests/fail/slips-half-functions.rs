//! Functions that are only begun, in the middle and at the end, or have no name.

mire::aggregate!(
    #[aggregate(category = "account")]
    pub struct Account {
        balance: i64,
    }

    #[event]
    fn blo

    #[event]
    fn

    #[event]
    pub

    #[event]
    fn (&mut self, amount: i64) {}

    fn () {}

    #[event]
    fn opened(&mut self, balance: i64) {
        self.balance = balance;
    }

    #[command]
    pub fn closing(&self) ->

    #[command]
    pub fn opening(&self) -> Result<

    #[command]
    pub fn blocking
);

mire::aggregate!(
    #[aggregate(category = "card")]
    pub struct Card {
        spent: i64,
    }

    #[event]
    fn charged(&mut self, amount: i64) {
        self.spent += amount;
    }

    #[event]
    fn paid

    fn
);

mire::aggregate!(
    #[aggregate(category = "order")]
    pub struct Order {
        total: i64,
    }

    #[event]
    fn placed(&mut self, total: i64) {
        self.total = total;
    }

    #[event]
    fn paid

    pub
);

mire::projection!(
    #[projection(subscription = "orders", reads(OrderEvent))]
    #[ignores(OrderEvent::Paid)]
    pub struct Orders {
        #[key]
        order: String,
        total: i64,
    }

    #[on(OrderEvent::Placed)]
    fn pla
);

fn main() {}
