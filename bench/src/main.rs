//! mire beside other event stores, workload by workload. `--help` says how.

mod child;
mod options;
mod report;
mod rounds;
mod server;
mod systems;
mod workload;
mod workloads;

use std::fmt;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use options::{Asked, Options};
use report::{About, Measured};
use server::Server;
use workload::Workload;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    if let Some(code) = workloads::compile_time::instead_of_the_compiler(&args) {
        return code;
    }
    let mut args = args.into_iter().peekable();
    if args.next_if(|arg| arg == child::WORD).is_some() {
        let answer = tokio::runtime::Runtime::new()
            .map_err(Into::into)
            .and_then(|runtime| runtime.block_on(child::run(args.collect())));
        return exit_code(answer);
    }
    let options = match options::parse(args) {
        Ok(Asked::Help) => {
            print!("{}", options::HELP);
            return ExitCode::SUCCESS;
        }
        Ok(Asked::Run(options)) => options,
        Err(error) => {
            eprintln!("bench: {error:#}; `--help` lists what there is");
            return ExitCode::from(2);
        }
    };
    exit_code(run(&options))
}

fn exit_code(answer: anyhow::Result<()>) -> ExitCode {
    match answer {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> anyhow::Result<()> {
    let chosen = chosen(options)?;
    if options.list {
        for workload in &chosen {
            let names: Vec<&str> = rounds::contestants(&**workload, options)?
                .iter()
                .map(|kind| kind.title)
                .collect();
            println!(
                "{:>3}  {}  ({})",
                workload.number(),
                workload.name(),
                names.join(", ")
            );
        }
        return Ok(());
    }
    // In a task, as a service would: `block_on` polls its future outside of the workers, and each of
    // its waits would cost a change of threads that no service pays for.
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(runtime.spawn(measure(chosen, options.clone())))?
}

/// The workloads that were asked for.
fn chosen(options: &Options) -> anyhow::Result<Vec<Box<dyn Workload>>> {
    let filters = &options.filters;
    let matches = |workload: &dyn Workload, filter: &String| {
        let is_number = filter.starts_with(|first: char| first.is_ascii_digit());
        workload.number() == filter || (!is_number && workload.name().contains(filter.as_str()))
    };
    let all = workloads::all();
    for filter in filters {
        if !all.iter().any(|workload| matches(&**workload, filter)) {
            bail!("no workload is called {filter}: `--list` names them");
        }
    }
    let is_chosen = |workload: &dyn Workload| match filters.as_slice() {
        [] => options.all || options.list || !workload.is_long(),
        filters => filters.iter().any(|filter| matches(workload, filter)),
    };
    Ok(all
        .into_iter()
        .filter(|workload| is_chosen(&**workload))
        .collect())
}

async fn measure(chosen: Vec<Box<dyn Workload>>, options: Options) -> anyhow::Result<()> {
    let mut steps = 0;
    for workload in &chosen {
        steps += rounds::steps(&**workload, &options)?;
    }
    let server = Server::connect().await?;
    let progress = progress_bar(steps);
    let mut measured = Measured::default();
    for workload in &chosen {
        match rounds::measure(&**workload, &options, &server, &progress).await {
            Ok(of_workload) => measured.extend(of_workload),
            Err(error) => {
                progress.abandon();
                // What was measured so far is not thrown away.
                print!("{}", report::table(&measured.rows));
                return Err(error.context(format!(
                    "workload {} {}",
                    workload.number(),
                    workload.name()
                )));
            }
        }
    }
    progress.finish_and_clear();

    let about = About {
        date: chrono::Utc::now().format("%Y-%m-%d").to_string(),
        cores: std::thread::available_parallelism()?.get(),
        postgres: server.version.clone(),
        rounds: options.rounds,
        connections: options.connections,
        quick: options.quick,
    };
    if options.json {
        println!("{}", report::json(&measured, &about)?);
    } else {
        println!("{}\n\n{}", about.line(), report::table(&measured.rows));
        print!("{}", measured.notes());
        if options.histogram {
            for latencies in &measured.latencies {
                print!("\n{}", latencies.text());
            }
        }
    }
    Ok(())
}

fn progress_bar(steps: u64) -> ProgressBar {
    let progress = ProgressBar::new(steps);
    if !std::io::stderr().is_terminal() {
        progress.set_draw_target(ProgressDrawTarget::hidden());
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed}{left}  {msg}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    // Before the first step nothing is known.
    let style = style.with_key(
        "left",
        |state: &ProgressState, text: &mut dyn fmt::Write| {
            if state.pos() > 0 {
                let _ = write!(text, ", about {} left", HumanDuration(state.eta()));
            }
        },
    );
    progress.set_style(style);
    progress.enable_steady_tick(Duration::from_millis(200));
    progress
}
