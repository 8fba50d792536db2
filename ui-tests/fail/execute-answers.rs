mire::aggregate!(
    #[aggregate(category = "order", id(OrderId))]
    struct Order;

    #[event]
    fn placed(&mut self) {}
);

mire::aggregate!(
    #[aggregate(category = "account", id(AccountId))]
    struct Account {
        closed: bool,
    }

    #[event]
    fn closed(&mut self) {}

    #[command]
    fn close(&self) -> Result<AccountEvent, String> {
        Ok(AccountEvent::Closed)
    }
);

fn is_open(account: &Account) -> bool {
    !account.closed
}

async fn decide(store: mire::EventStore, id: AccountId) -> Result<(), mire::CommandError<String>> {
    let _ = store
        .execute(&id, |account: &Account| {
            account.close().unwrap();
        })
        .await;
    let _ = store.execute(&id, is_open).await;
    let _ = store.execute(&id, |_: &Account| [OrderEvent::Placed]).await;
    let _ = store
        .execute(&id, async |account: &Account| account.close())
        .await;
    store
        .execute(&id, |account: &Account| account.close().map(drop))
        .await?;
    Ok(())
}

fn main() {
    let _ = (decide, AccountId::new(), OrderId::new());
}
