mire::aggregate!(
    #[aggregate(category = "account", id(AccountId), snapshot_every = 100)]
    struct Account {
        kind: Kindd,
        status: self::Statuss,
        cards: Option<Cardd>,
    }

    #[event]
    fn opened(&mut self, by: AccountIdd, at: self::Placee, tags: Vec<Tagg>) {}
);

mire::projection!(
    #[projection(subscription = "mail", reads(AccountEvent))]
    struct Mail {
        mailer: Mailerr,
        log: self::Logg,
        tags: Vec<Tagg>,
    }

    #[on(AccountEvent::Opened)]
    async fn opened(&self, by: AccountIdd) {}
);

mire::projection!(
    #[projection(subscription = "rows", reads(AccountEvent))]
    #[ignores(AccountEvent::Opened)]
    struct Row {
        #[key]
        account: AccountIdd,
        owner: Option<Strng>,
        #[json]
        tags: Vec<Tagg>,
        #[index]
        since: Option<Timee>,
    }
);

// What the trait calls so isn't proposed.
mire::projection!(
    #[projection(subscription = "wholes", reads(AccountEvent))]
    struct Whole {
        #[key]
        account: AccountId,
    }

    #[on(AccountEvent::Opened)]
    fn opened(&mut self, by: &Event) {}
);

mire::projection!(
    #[projection(subscription = "events", reads(self::AccountEventt))]
    struct Events;

    #[on(self::AccountEventt::Opened)]
    async fn opened(&self) {}
);

fn main() {}
