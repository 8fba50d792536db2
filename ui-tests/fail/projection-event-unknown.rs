mire::aggregate!(
    #[aggregate(category = "account", id(AccountId))]
    struct Account {
        balance: i64,
    }

    #[event]
    fn opened(&mut self, owner: &str) {}

    #[event]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }

    #[event]
    fn closed(&mut self) {}
);

#[derive(serde::Serialize, serde::Deserialize, mire::EventData)]
#[mire(entity = "order")]
pub enum OrderEvent {
    Placed,
}

mod shop {
    pub use super::OrderEvent;
}

mire::projection!(
    #[projection(subscription = "audit", reads(AccountEvent))]
    #[ignores(AccountEvent::Closd)]
    struct Audit;

    #[on(AccountEvent::Openned)]
    async fn opened(&self, owner: &str) {
        println!("{owner}");
    }

    #[on(AccountEvent::Deposited)]
    async fn deposited(&self, amount: i64) {
        println!("{amount}");
    }
);

mire::projection!(
    #[projection(subscription = "alarm", reads(AccountEvent, shop::OrderEvent))]
    #[ignores(AcountEvent::Opened, AccountEvent, Deposited)]
    struct Alarm;

    #[on(OrderEvent::Placed)]
    async fn placed(&self) {}

    #[on(crate::PaymentReceived::Full)]
    async fn paid(&self) {}

    #[on(Closed)]
    async fn closed(&self) {}
);

fn main() {
    let events = (
        AccountEvent::Opened {
            owner: String::new(),
        },
        AccountEvent::Deposited { amount: 5 },
        AccountEvent::Closed,
        shop::OrderEvent::Placed,
    );
    drop((events, AccountId::new(), Audit, Alarm));
    let run = |store: &mire::EventStore| Audit.runner(store).build();
    drop(run);
}
