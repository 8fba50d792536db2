/// What an event needs, and nothing that a key needs.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
struct Customer(String);

mire::aggregate!(
    #[aggregate(category = "order", id(OrderId))]
    struct Order;

    #[event]
    fn placed(&mut self, customer: &Customer, amount: i64) {}
);

mire::projection!(
    #[projection(subscription = "spent", reads(OrderEvent))]
    struct Spent {
        #[key]
        customer: Customer,
        amount: i64,
    }

    #[on(OrderEvent::Placed, key(customer))]
    fn placed(&mut self, amount: i64) {
        self.amount += amount;
    }
);

fn main() {
    let customer = Customer("ann".to_owned());
    let _ = customer.0.len();
    let event = OrderEvent::Placed {
        customer,
        amount: 5,
    };
    drop((event, OrderId::new()));
    let run = |store: &mire::EventStore| Spent::runner(store);
    drop(run);
}
