//! The project's own commands; `cargo xtask help` lists them.

mod args;
mod bless;
mod child;
mod disk;
mod features;
mod install;
mod instructions;
mod server;

use std::env;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::bail;

use args::Task;
use child::Children;
use server::Server;

/// What the shell answers for wrong usage.
const USAGE_ERROR: u8 = 2;

fn main() -> ExitCode {
    let task = match args::parse(env::args().skip(1)) {
        Ok(task) => task,
        Err(message) => {
            eprintln!("xtask: {message}");
            return USAGE_ERROR.into();
        }
    };
    match run(task) {
        Ok(code) => code.into(),
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<u8> {
    let children = Children::new()?;
    match task {
        Task::Help => {
            print!("{}", args::HELP);
            Ok(0)
        }
        Task::Test(given) => {
            let shortage = disk::shortage();
            warn(shortage.as_deref());
            let server = Server::bring(&children)?;
            let mut cargo = cargo();
            cargo.args(args::cargo_test(given)).envs(server.variables());
            let code = children.run(&mut cargo)?;
            if code != 0 {
                // The first time is far up by now.
                warn(shortage.as_deref());
            }
            Ok(code)
        }
        Task::Bench(given) => {
            let manifest = root().join("bench/Cargo.toml");
            if !manifest.exists() {
                bail!("this checkout has no `bench/Cargo.toml`: there is nothing to measure with");
            }
            let server = Server::bring(&children)?;
            let mut cargo = cargo();
            cargo
                .args(["run", "--release", "--manifest-path"])
                .arg(manifest)
                .arg("--")
                .args(given)
                .envs(server.variables());
            children.run(&mut cargo)
        }
        Task::Pg(command) => {
            let server = Server::private(&children)?;
            match command.split_first() {
                Some((program, arguments)) => children.run_in_terminal(
                    Command::new(program)
                        .args(arguments)
                        .envs(server.variables()),
                ),
                None => {
                    println!("export DATABASE_URL={}", server.url());
                    eprintln!("xtask: the server runs until Ctrl-C");
                    Ok(children.wait_for_signal())
                }
            }
        }
        Task::Instructions { bless } => instructions::run(&children, bless),
        Task::Bless => bless::bless(&children),
        Task::CheckFeatures => features::check(&children),
    }
}

fn warn(of: Option<&str>) {
    if let Some(text) = of {
        eprintln!("xtask: {text}");
    }
}

/// The workspace's root.
fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// The cargo that runs us, in the workspace's root.
fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    // What cargo says of this program is not for the builds that it starts: some build scripts look
    // there, and would build anew each time that cargo is called by hand in between.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}
