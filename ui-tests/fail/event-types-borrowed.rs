//! What an event would borrow, and the types that own the same.

use std::collections::HashMap;
use std::ffi::{CStr, OsStr};
use std::sync::RwLock;

use mire::EventInfo;

#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Name<'a>(&'a str);

mire::aggregate!(
    #[aggregate(category = "account")]
    pub struct Account {
        path: std::path::Path,
        name: OsStr,
        lock: std::sync::Mutex<i64>,
        text: CStr,
    }

    #[event]
    fn listed(&mut self, of_slice: &[&str], of_vec: Vec<&str>, of_ref: &Vec<&str>) {}

    #[event]
    fn held(&mut self, maybe: Option<&str>, twice: &&str, pair: (&str, i64), rows: &[&[i64]]) {}

    #[event]
    fn keyed(&mut self, by: HashMap<&str, i64>, maybe: Option<&[String]>) {}

    #[event]
    fn named(&mut self, by: Name<'_>, others: &[Name<'_>]) {
        let _ = (by.0, others);
    }

    #[event]
    fn found(&mut self, path: &std::path::Path, name: &OsStr, text: CStr) {
        let _ = (path.exists(), name, text);
    }

    #[event]
    fn locked(&mut self, by: &RwLock<i64>, of: std::sync::Arc<std::sync::Mutex<String>>) {
        let _ = (by, of);
    }

    #[event]
    fn timed(&mut self, at: std::time::Instant) {}

    #[event]
    fn told(&mut self, amount: i64, event: &EventInfo) {
        let _ = (amount, event.position);
    }
);

fn main() {
    let _ = AccountEvent::Told { amount: 3 };
}
