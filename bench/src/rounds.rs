//! Rounds: each system in turn, A B A B …, and what comes of them.

use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use indicatif::ProgressBar;

use crate::options::Options;
use crate::report::{Latencies, Measured, Row};
use crate::server::Server;
use crate::systems::{Kind, OURS, PEERS};
use crate::workload::{Figure, Stand, Workload};

/// Whose turn it is.
enum Turn<'a> {
    System(&'a Stand),
    Limit(&'a Stand),
}

/// The systems that take part in a workload; ours is the first.
pub fn contestants(workload: &dyn Workload, options: &Options) -> anyhow::Result<Vec<Kind>> {
    let mut kinds = vec![OURS];
    if !workload.is_solo() {
        let peers = PEERS.iter().filter(|kind| kind.can(workload.needs()));
        kinds.extend(peers.filter(|kind| match &options.peers {
            None => true,
            Some(names) => names.iter().any(|name| name == kind.name),
        }));
    }
    for name in options
        .peers
        .iter()
        .flatten()
        .filter(|name| *name != "none")
    {
        Kind::of(name)?;
    }
    Ok(kinds)
}

/// How many measurements a workload consists of, for the progress bar.
pub fn steps(workload: &dyn Workload, options: &Options) -> anyhow::Result<u64> {
    let turns = contestants(workload, options)?.len() + usize::from(workload.limit().is_some());
    Ok((turns * options.rounds) as u64)
}

/// Measures a workload. The systems' databases are dropped, also when it fails.
pub async fn measure(
    workload: &dyn Workload,
    options: &Options,
    server: &Server,
    progress: &ProgressBar,
) -> anyhow::Result<Measured> {
    let mut stands = Vec::new();
    let measured: anyhow::Result<Vec<Row>> = async {
        for kind in contestants(workload, options)? {
            say(progress, workload, &format!("filling {}", kind.title));
            stands.push(stand(kind, options, server).await?);
            if let Some(stand) = stands.last() {
                workload.prepare(stand).await?;
            }
        }
        let turns = take_turns(workload, options, server, progress, &stands).await?;
        Ok(rows(workload, &turns))
    }
    .await;

    let mut latencies = Vec::new();
    for stand in stands {
        drop(stand.system);
        let kept = stand.kept.into_inner();
        for (label, histogram) in kept.unwrap_or_else(PoisonError::into_inner) {
            latencies.push(Latencies::new(workload, label, &stand.kind, &histogram));
        }
        let dropped = stand.database.drop().await;
        // Why a measurement failed is worth more than why its database could not be dropped.
        if measured.is_ok() {
            dropped?;
        }
    }
    Ok(Measured {
        rows: measured?,
        latencies,
    })
}

/// A system on a database of its own.
async fn stand(kind: Kind, options: &Options, server: &Server) -> anyhow::Result<Stand> {
    let database = server.database().await?;
    match kind.open(&database.url, options.connections).await {
        Ok(system) => Ok(Stand {
            kind,
            system,
            database,
            connections: options.connections,
            quick: options.quick,
            kept: Mutex::default(),
        }),
        Err(error) => {
            database.drop().await?;
            Err(error)
        }
    }
}

/// Measures each system once a round, and what ours is held against after them.
async fn take_turns<'a>(
    workload: &dyn Workload,
    options: &Options,
    server: &Server,
    progress: &ProgressBar,
    stands: &'a [Stand],
) -> anyhow::Result<Vec<(Turn<'a>, Vec<Vec<f64>>)>> {
    let mut turns: Vec<(Turn<'_>, Vec<Vec<f64>>)> = stands
        .iter()
        .map(|stand| (Turn::System(stand), Vec::new()))
        .collect();
    if workload.limit().is_some() {
        turns.push((Turn::Limit(&stands[0]), Vec::new()));
    }
    for round in 0..options.rounds {
        for (turn, rounds) in &mut turns {
            server.settle().await?;
            let figures = match turn {
                Turn::System(stand) => {
                    say(progress, workload, stand.kind.title);
                    let measured = workload.measure(stand, round).await;
                    measured.with_context(|| format!("measuring {}", stand.kind.title))?
                }
                Turn::Limit(stand) => {
                    say(progress, workload, "limit");
                    workload.measure_limit(stand, round).await?
                }
            };
            rounds.push(figures);
            progress.inc(1);
        }
    }
    Ok(turns)
}

fn say(progress: &ProgressBar, workload: &dyn Workload, what: &str) {
    progress.set_message(format!("{} {}: {what}", workload.number(), workload.name()));
}

/// A row for each figure and peer, and one against the limit after the peers.
fn rows(workload: &dyn Workload, turns: &[(Turn<'_>, Vec<Vec<f64>>)]) -> Vec<Row> {
    let series = |rounds: &[Vec<f64>], index: usize| -> Vec<f64> {
        rounds
            .iter()
            .filter_map(|figures| figures.get(index).copied())
            .collect()
    };
    let (_, ours) = &turns[0];
    let mut rows = Vec::new();
    for (index, figure) in workload.figures().iter().enumerate() {
        let ours = series(ours, index);
        let alone = rows.len();
        for (turn, rounds) in &turns[1..] {
            let theirs = series(rounds, index);
            let (title, target) = match turn {
                Turn::System(stand) if stand.kind.name == PEERS[0].name => {
                    (stand.kind.title, figure.target)
                }
                Turn::System(stand) => (stand.kind.title, figure.target.for_others()),
                Turn::Limit(_) => match workload.limit() {
                    Some(limit) if !theirs.is_empty() => limit,
                    _ => continue,
                },
            };
            let figure = Figure { target, ..*figure };
            rows.push(Row::new(workload, &figure, &ours, Some((title, theirs))));
        }
        if rows.len() == alone {
            rows.push(Row::new(workload, figure, &ours, None));
        }
    }
    rows
}
