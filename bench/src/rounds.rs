//! Rounds: each system in turn, A B A B …, and what comes of them.

use std::sync::{Mutex, PoisonError};

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

/// Measures a workload.
pub async fn measure(
    workload: &dyn Workload,
    options: &Options,
    server: &Server,
    progress: &ProgressBar,
) -> anyhow::Result<Measured> {
    let mut stands = Vec::new();
    for kind in contestants(workload, options)? {
        progress.set_message(format!(
            "{} {}: filling {}",
            workload.number(),
            workload.name(),
            kind.title
        ));
        let database = server.database().await?;
        let system = kind.open(&database.url, options.connections).await?;
        let stand = Stand {
            kind,
            system,
            database,
            connections: options.connections,
            quick: options.quick,
            kept: Mutex::default(),
        };
        workload.prepare(&stand).await?;
        stands.push(stand);
    }

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
                    progress.set_message(format!(
                        "{} {}: {}",
                        workload.number(),
                        workload.name(),
                        stand.kind.title
                    ));
                    workload.measure(stand, round).await?
                }
                Turn::Limit(stand) => {
                    progress.set_message(format!(
                        "{} {}: limit",
                        workload.number(),
                        workload.name()
                    ));
                    workload.measure_limit(stand, round).await?
                }
            };
            rounds.push(figures);
            progress.inc(1);
        }
    }

    let rows = rows(workload, &turns);
    drop(turns);
    let mut latencies = Vec::new();
    for stand in stands {
        drop(stand.system);
        let kept = stand
            .kept
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        for (label, histogram) in kept {
            latencies.push(Latencies::new(workload, label, &stand.kind, &histogram));
        }
        stand.database.drop().await?;
    }
    Ok(Measured { rows, latencies })
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
