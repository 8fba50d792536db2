mire::aggregate!(
    #[aggregate(category = "account", id(AccountId))]
    struct Account {
        balance: i64,
    }

    #[event]
    fn opened(&mut self, owner: &str) {}
);

mire::projection!(
    #[projection(subscription = "mail", reads(AccountEvent))]
    struct Mail<'a> {
        sender: &'a str,
        subject: &'static str,
    }

    #[on(AccountEvent::Opened)]
    async fn opened(&self, owner: &str) -> anyhow::Result<()> {
        let sender: &'a str = self.sender;
        println!("{sender} {owner}");
        Ok(())
    }
);

mire::projection!(
    #[projection(subscription = "elided", reads(AccountEvent))]
    struct Elided {
        sender: &str,
    }

    #[on(AccountEvent::Opened)]
    async fn opened(&self, owner: &str) {}
);

mire::projection!(
    #[projection(subscription = "boxed", reads(AccountEvent))]
    struct Boxed {
        mailer: Box<dyn Fn(i64)>,
    }

    #[on(AccountEvent::Opened)]
    async fn opened(&self) {}
);

fn main() {}
