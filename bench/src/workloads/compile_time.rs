//! 14: what 100 events declared with `aggregate!`, and a `projection!` over them, cost the compiler,
//! beside the same written by hand.
//!
//! Only the compiler's run for the crate itself counts, in CPU time of `rustc`: this program stands
//! between cargo and the compiler, and what they depend on is built before.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};

use anyhow::{Context, bail};
use async_trait::async_trait;
use tokio::process::Command;

use crate::systems::Can;
use crate::workload::{Figure, Stand, Target, Unit, Workload};

/// Where a compiler's CPU time is to be written, when this program stands in for the compiler.
const TIME: &str = "MIRE_BENCH_COMPILER_TIME";

/// What `cargo` is asked to do, in the order of the figures.
const COMMANDS: [&str; 2] = ["check", "build"];

/// How the program is written, as its generator calls it.
#[derive(Debug, Clone, Copy)]
enum Form {
    Declared,
    ByHand,
}

impl Form {
    fn name(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::ByHand => "by-hand",
        }
    }
}

pub struct CompileTime;

const fn seconds(label: &'static str) -> Figure {
    Figure {
        label,
        unit: Unit::Seconds,
        target: Target::None,
    }
}

#[async_trait]
impl Workload for CompileTime {
    fn number(&self) -> &'static str {
        "14"
    }

    fn name(&self) -> &'static str {
        "compile 100 declared events and a projection over them"
    }

    fn figures(&self) -> &'static [Figure] {
        const FIGURES: &[Figure] = &[
            seconds("cargo check, CPU time of the crate"),
            seconds("cargo build, CPU time of the crate"),
        ];
        FIGURES
    }

    fn needs(&self) -> Can {
        Can::Fold
    }

    fn is_solo(&self) -> bool {
        true
    }

    async fn prepare(&self, stand: &Stand) -> anyhow::Result<()> {
        let events = stand.size(100, 10).to_string();
        let folder = folder();
        for form in [Form::Declared, Form::ByHand] {
            let mut generator = cargo(root());
            generator.args(["run", "--quiet", "--package", "mire-codegen", "--example"]);
            generator.args(["hundred_events", "--", form.name(), &events]);
            let program = run(&mut generator).await?;
            let package = folder.join(form.name());
            std::fs::create_dir_all(package.join("src"))?;
            std::fs::write(package.join("Cargo.toml"), manifest(form))?;
            std::fs::write(package.join("src/main.rs"), program)?;
        }
        std::fs::write(folder.join("Cargo.toml"), WORKSPACE)?;
        // The same versions as here, so that nothing has to be looked up.
        std::fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock"))?;
        for command in COMMANDS {
            for form in [Form::Declared, Form::ByHand] {
                compile(command, form).await?;
            }
        }
        Ok(())
    }

    async fn measure(&self, _stand: &Stand, _round: usize) -> anyhow::Result<Vec<f64>> {
        compile_each(Form::Declared).await
    }

    fn limit(&self) -> Option<(&'static str, Target)> {
        Some(("written by hand", Target::Cost(1.15)))
    }

    async fn measure_limit(&self, _stand: &Stand, _round: usize) -> anyhow::Result<Vec<f64>> {
        compile_each(Form::ByHand).await
    }
}

const WORKSPACE: &str = r#"[workspace]
members = ["declared", "by-hand"]
resolver = "3"
"#;

fn manifest(form: Form) -> String {
    format!(
        r#"[package]
name = "{}"
edition = "2024"

[dependencies]
mire = {{ path = {:?}, default-features = false, features = ["sqlite"] }}
serde = {{ version = "1", features = ["derive"] }}
uuid = {{ version = "1", features = ["serde", "v4", "v7"] }}
"#,
        form.name(),
        root().join("mire"),
    )
}

fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// Beside what cargo built of this program, so that `cargo clean` takes it along.
fn folder() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    let profile = own.parent().unwrap_or(Path::new("."));
    profile.with_file_name("compile-time")
}

async fn compile_each(form: Form) -> anyhow::Result<Vec<f64>> {
    let mut times = Vec::new();
    for command in COMMANDS {
        times.push(compile(command, form).await?);
    }
    Ok(times)
}

/// Compiles the program anew, and answers how many seconds the compiler had a CPU for.
async fn compile(command: &str, form: Form) -> anyhow::Result<f64> {
    let folder = folder();
    let program = folder.join(form.name()).join("src/main.rs");
    std::fs::write(&program, std::fs::read(&program)?)?;
    let time = folder.join("time");
    let mut cargo = cargo(&folder);
    cargo
        .args([command, "--package", form.name()])
        .env("RUSTC_WORKSPACE_WRAPPER", std::env::current_exe()?)
        .env(TIME, &time);
    run(&mut cargo).await?;
    let text = std::fs::read_to_string(&time)
        .with_context(|| format!("cargo {command} did not compile `{}` anew", form.name()))?;
    std::fs::remove_file(&time)?;
    Ok(text.parse()?)
}

fn cargo(folder: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(folder)
        .env("CARGO_INCREMENTAL", "0")
        .env_remove("CARGO_TARGET_DIR")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    cargo
}

async fn run(command: &mut Command) -> anyhow::Result<Vec<u8>> {
    let output = command.output().await.context("cargo can't be run")?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(output.stdout)
}

/// Runs the compiler that cargo named, when it was told to take its time; `None` when this is no
/// compiler's place.
pub fn instead_of_the_compiler(args: &[OsString]) -> Option<ExitCode> {
    let time = PathBuf::from(std::env::var_os(TIME)?);
    let (compiler, arguments) = args.split_first()?;
    let status = std::process::Command::new(compiler)
        .args(arguments)
        .env_remove(TIME)
        .status();
    let compiled = status.as_ref().is_ok_and(std::process::ExitStatus::success);
    // Cargo also asks the compiler for its version, and the like.
    let is_asked = !arguments.iter().any(|arg| {
        arg == "--emit" || {
            let text = arg.to_string_lossy();
            text.starts_with("--emit=")
        }
    });
    if compiled && !is_asked {
        let written = cpu_seconds_of_children()
            .and_then(|seconds| Ok(std::fs::write(&time, seconds.to_string())?));
        if let Err(error) = written {
            eprintln!("bench: {error:#}");
            return Some(ExitCode::FAILURE);
        }
    }
    Some(if compiled {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// How long the processes that this one has waited for had a CPU.
fn cpu_seconds_of_children() -> anyhow::Result<f64> {
    /// Of a second; the same on every Linux.
    const TICK: f64 = 0.01;
    let stat = std::fs::read_to_string("/proc/self/stat")
        .context("CPU time can be measured on Linux only")?;
    // The name, in parentheses, may hold anything.
    let (_, numbers) = stat.rsplit_once(')').context("not a stat of a process")?;
    let mut of_children = numbers.split_whitespace().skip(13);
    let mut ticks = 0.0;
    for _ in ["user", "system"] {
        let number: f64 = of_children.next().context("no times")?.parse()?;
        ticks += number;
    }
    Ok(ticks * TICK)
}
