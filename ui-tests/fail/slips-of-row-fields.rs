//! Slips among the fields of a row: that one is the key is known as well.

mire::aggregate!(
    #[aggregate(category = "ticket", id(TicketId))]
    pub struct Ticket {
        price: i64,
    }

    #[event]
    fn sold(&mut self, price: i64, holder: &str) {
        self.price = price;
        let _ = holder;
    }
);

mire::projection!(
    #[projection(subscription = "keys", reads(TicketEvent))]
    pub struct ByTicket {
        #[key]
        ticket,
        #[index]
        price: i64,
        cheap: bool,
    }

    #[on(TicketEvent::Sold)]
    fn sold(&mut self, price: i64) {
        self.price = price;
        self.cheap = self.ticket.is_nil();
    }
);

mire::projection!(
    #[projection(subscription = "holders", reads(TicketEvent))]
    pub struct ByHolder {
        #[key]
        holder: String
        #[index]
        let price: i64,
        type: String,
        seats: Option<String,
    }

    #[on(TicketEvent::Sold, key(holder))]
    fn sold(&mut self, price: i64) {
        self.price = price;
        self.type.clear();
    }
);

mire::projection!(
    #[projection(subscription = "mail", reads(TicketEvent))]
    pub struct Mail {
        sender,
    }

    #[on(TicketEvent::Sold)]
    async fn sold(&self, price: i64) -> Result<(), std::convert::Infallible> {
        println!("{}: {price}", self.sender);
        Ok(())
    }
);

fn main() {}
