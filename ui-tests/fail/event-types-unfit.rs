use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

mire::aggregate!(
    #[aggregate(category = "account", id(AccountId), snapshot_every = 100)]
    struct Account {
        balance: Cell<i64>,
        owner: Rc<str>,
        tags: Vec<RefCell<String>>,
        first: *const i64,
        note: str,
        rest: [i64],
        rule: Box<dyn Fn(i64) -> bool>,
        address: std::borrow::Cow<str>,
    }

    #[event]
    fn opened(&mut self, owner: Rc<str>, tags: &Rc<str>, limit: Cell<i64>) {
        self.owner = owner;
        self.balance.set(limit.get());
    }

    #[event]
    fn noted(&mut self, note: str, parts: [i64], first: *const i64) {}

    #[event]
    fn ruled(&mut self, rule: fn(i64) -> bool, by: Box<dyn ToString>) {}

    #[event]
    fn named<'a>(&mut self, name: &'a str, title: &'static str) {
        self.owner = name.into();
    }

    #[event]
    fn shared(&mut self, owner: &Vec<std::rc::Rc<i64>>) {}

    #[command]
    fn open(&self, owner: Rc<str>) -> AccountEvent {
        self.balance.set(1);
        AccountEvent::Opened {
            owner,
            tags: "".into(),
            limit: Cell::new(1),
        }
    }
);

mire::aggregate!(
    #[aggregate(category = "parcel")]
    struct Parcel {
        shared: Option<Arc<dyn Fn(i64) + Send + Sync>>,
        title: std::borrow::Cow<'static, str>,
        boxed: Box<str>,
    }

    #[event]
    fn sent(&mut self, boxed: &Box<str>, title: &std::borrow::Cow<'static, str>) {
        self.boxed = boxed.clone();
    }
);

fn main() {}
