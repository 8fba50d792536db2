#[derive(Clone, Default)]
struct Label<'a>(std::borrow::Cow<'a, str>);

mire::aggregate!(
    #[aggregate(category = "account", snapshot_every = 10)]
    struct Account<'a> {
        owner: &'a str,
        tags: Option<&'a [String]>,
        balance: i64,
    }

    #[event]
    fn opened(&mut self, owner: &str) {
        self.owner = owner.to_owned();
    }

    #[command]
    fn close(&self) -> Option<AccountEvent> {
        (self.balance > 0 && self.tags.is_none()).then(|| AccountEvent::Opened {
            owner: self.owner.clone(),
        })
    }
);

mire::aggregate!(
    #[aggregate(category = "parcel")]
    struct Parcel<'a> {
        address: Label<'a>,
    }

    #[event]
    fn sent(&mut self, address: &mut String, tags: Option<&str>, by: impl AsRef<str>) {
        self.address = address.to_owned().into();
    }
);

mire::aggregate!(
    #[aggregate(category = "order")]
    struct Order {
        open: bool;
        customer: ,
        total: i64,
        note:
        paid: i64,
    }

    #[event]
    fn placed(&mut self, total: i64) {
        self.total = total;
        self.open = self.paid < total;
    }
);

fn main() {
    let sent = ParcelEvent::Sent {
        address: String::new(),
        tags: Some(String::new()),
        by: String::new(),
    };
    let _ = (Parcel::stream("1"), sent, OrderEvent::Placed { total: 5 });
    mire::AggregateRoot::<Account>::new("1").close();
    let _ = Order::default().total;
}
