//! Counts, and the functions that read older versions.

mire::aggregate!(
    #[aggregate(category = "account", snapshot_every = -1, revision = -2)]
    pub struct Account {
        balance: i64,
    }

    #[event(version = -1)]
    fn opened(&mut self) {}

    #[event(v = 2, upcast(turned))]
    fn raised(&mut self) {}

    #[event(number = 2, upcast(turned))]
    fn lowered(&mut self) {}

    #[event(version = 2, upcast(from_1 = turned))]
    fn closed(&mut self) {}

    #[event(version = 2, upcast(turned()))]
    fn frozen(&mut self) {}

    #[event(version = 2, upcast(turned(1)))]
    fn thawed(&mut self) {}

    #[event(version = 3, upcast(_, turned))]
    fn moved(&mut self) {}
);

fn turned(fields: serde_json::Value) -> Result<serde_json::Value, std::convert::Infallible> {
    Ok(fields)
}

fn main() {}
