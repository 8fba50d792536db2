#[derive(Clone, Default)]
enum Status {
    #[default]
    Open,
}

#[derive(Clone, Default)]
struct Limits(i64, i64);

mire::aggregate!(
    #[aggregate(category = "account", snapshot_every = 100)]
    struct Account {
        balance: i64,
        before: Option<Vec<Status>>,
        status: Status,
        limits: Limits,
    }

    #[event]
    fn opened(&mut self, balance: i64) {
        self.balance = balance;
        self.status = Status::Open;
    }
);

async fn open(store: &mire::EventStore) -> Result<(), mire::EventStoreError> {
    let account = store.load_snapshotted::<Account>("1").await?;
    if let Some(mut account) = account {
        account.record(AccountEvent::Opened { balance: 1 });
        store.save_snapshotting(&mut account).await?;
    }
    Ok(())
}

fn main() {
    drop(open);
}
