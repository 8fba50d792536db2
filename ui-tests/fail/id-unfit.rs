/// Neither `Display` nor `FromStr`.
pub struct Iban(String);

mire::aggregate!(
    #[aggregate(category = "account", id(crate::Iban))]
    struct Account {
        balance: i64,
    }

    #[event]
    fn deposited(&mut self, amount: i64) {
        self.balance += amount;
    }
);

/// The error of its `FromStr` is no error.
pub struct Isbn(String);

impl std::fmt::Display for Isbn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Isbn {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Ok(Self(text.to_owned()))
    }
}

mire::aggregate!(
    #[aggregate(category = "book", id(crate::Isbn))]
    struct Book {
        lent: bool,
    }

    #[event]
    fn lent(&mut self) {
        self.lent = true;
    }
);

fn main() {
    let iban = Iban(String::new());
    drop((
        iban.0,
        AccountEvent::Deposited { amount: 5 },
        BookEvent::Lent,
    ));
}
