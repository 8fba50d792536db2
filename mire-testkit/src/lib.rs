//! PostgreSQL for mire's own tests and for `cargo xtask`. Unix only.
//!
//! * `test_database()` gives a test a fresh database of its own, on the server that `DATABASE_URL`
//!   names, or else on one private cluster that all tests of the process share. So both
//!   `cargo xtask test` and a plain `cargo test` work.
//! * [`PrivateCluster`] is a whole server in a temporary folder, for tests that stop, restart or
//!   configure one. fsync is on, as in production.
//!
//! No server outlives its process: a guardian, a small shell process, waits for the end of a pipe
//! that only its owner holds, then stops the server and deletes the folder. That also covers a
//! panic, a static that is never dropped, Ctrl-C and `SIGKILL`.

mod account;
mod binaries;
mod cluster;
#[cfg(feature = "database")]
mod database;

pub use account::Account;
pub use binaries::{Binaries, PG_BIN_VARIABLE, Version};
pub use cluster::{ClusterOptions, PrivateCluster, StopMode};
#[cfg(feature = "database")]
pub use database::{TestDatabase, check_server, given_server, test_database};
