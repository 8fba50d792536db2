mire::aggregate!(
    #[aggregate(category = "account", id(AccountId))]
    struct Account;

    #[event]
    fn opened(&mut self) {}
);

mire::projection!(
    #[projection(subscription = "balances", reads(AccountEvent))]
    struct Balance {
        #[key]
        account: AccountId,
        balance: i64,
    }

    #[on(AccountEvent::Opened)]
    fn opened(&mut self) {
        self.balance += 1;
    }
);

mire::projection!(
    #[projection(subscription = "mail", reads(AccountEvent))]
    struct Mail {
        sender: String,
    }

    #[on(AccountEvent::Opened)]
    async fn opened(&self) {
        println!("{}", self.sender);
    }
);

fn sender() -> String {
    String::new()
}

fn balance() -> Balance {
    unreachable!()
}

fn run(store: mire::EventStore<mire::Sqlite>) {
    let mail = Mail { sender: sender() };
    let _ = mire::runner!(&store, Balance, mail).build();
    let _ = mire::runner!(&store, Balance, &mail).build();
    let _ = mire::runner!(&store, Mail { sender: sender() }, Balance).build();
    let _ = mire::runner!(&store, Mail::new(sender())).build();
    let _ = mire::runner!(Balance, Mail = mail).build();
    let _ = mire::runner!(&store).build();
    let _ = mire::runner!().build();
    let _ = mire::runner!(&store; Balance).build();
    let _ = mire::runner!(&store, Balance Mail = mail).build();
    let _ = mire::runner!(&store, Balance = balance()).build();
    let _ = mire::runner!(&store, Mail, Balance).build();
    let _ = mire::runner!(&store, Account).build();
    let _ = mire::runner!(&store, Unknown).build();
}

fn main() {
    let _ = (run, AccountEvent::Opened, AccountId::new());
}
