//! Slips among the fields of a state: its functions know the other ones, and nothing follows in them.

mire::aggregate!(
    #[aggregate(category = "account")]
    pub struct Account {
        spent, owner: Option<String>,
    }

    #[event]
    fn opened(&mut self, owner: &str) {
        self.owner = Some(owner.to_owned());
        self.spent = 0;
    }

    #[command]
    pub fn open(&self, owner: &str) -> AccountEvent {
        self.spent.checked_mul(2).unwrap();
        AccountEvent::Opened { owner: owner.to_owned() }
    }
);

mire::aggregate!(
    #[aggregate(category = "book")]
    pub enum Book {
        title: String,
        lent: bool,
    }

    #[event]
    fn lent(&mut self) {
        self.lent = true;
    }
);

mire::aggregate!(
    #[aggregate(category = "card")]
    pub struct Card {
        pub spent: i64
        owner: Option<String>;
        currency: String
        #[allow(unused)]
        limit: i64,
        closed
    }

    #[event]
    fn charged(&mut self, amount: i64) {
        self.spent += amount;
        self.closed = false;
    }
);

mire::aggregate!(
    #[aggregate(category = "order")]
    pub struct Order {
        fo:
        let lines: Vec<String>,
        let mut total = i64,
        customer String,
        var note: String,
        type: String,
    }

    #[event]
    fn placed(&mut self, total: i64) {
        self.total = total;
        self.type = "web".to_owned();
    }
);

mire::aggregate!(
    #[aggregate(category = "ticket")]
    pub struct Ticket {
        seats: Vec<(i64, i64),
        labels: std::collections::HashMap<String, Vec<String>,
        holder: Option<String>>,
        price: i64 = 3,
        seat: "A1",
        shelf: &,
        "floor": i64,
        self: i64,
        row: ,
        block: Option<String,
    }

    #[event]
    fn sold(&mut self, price: i64, holder: &str, block: &str) {
        self.price = price;
        self.holder = Some(holder.to_owned());
        self.block = Some(block.to_owned());
        self.labels.clear();
        self.row += 1;
    }
);

mire::projection!(
    #[projection(subscription = "tickets", reads(TicketEvent))]
    pub struct Sold {
        #[key]
        holder: String,
        price i64,
        count
    }

    #[on(TicketEvent::Sold, key(holder))]
    fn sold(&mut self, price: i64) {
        self.price = price;
        self.count += 1;
    }
);

fn main() {}
