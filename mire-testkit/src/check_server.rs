//! Says whether the tests can use the server that `DATABASE_URL` names. `cargo xtask test` asks it
//! first, so that one clear message comes instead of one from each test.

use std::process::ExitCode;

use mire_testkit::{check_server, given_server};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match answer().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn answer() -> anyhow::Result<()> {
    match given_server()? {
        Some(url) => check_server(&url).await,
        None => Ok(()),
    }
}
