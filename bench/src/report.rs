//! What was measured, for people and for machines.

mod latencies;
mod table;

pub use latencies::Latencies;
pub use table::{Row, table};

use std::collections::BTreeSet;

use serde::Serialize;

use crate::systems::{OURS, PEERS};

/// What came of a workload, or of all.
#[derive(Debug, Default, Serialize)]
pub struct Measured {
    pub rows: Vec<Row>,
    pub latencies: Vec<Latencies>,
}

impl Measured {
    pub fn extend(&mut self, other: Self) {
        self.rows.extend(other.rows);
        self.latencies.extend(other.latencies);
    }

    /// How each system that stands in the table was used.
    pub fn notes(&self) -> String {
        let titles: BTreeSet<&str> = self.rows.iter().filter_map(|row| row.peer).collect();
        let kinds = PEERS.iter().filter(|kind| titles.contains(kind.title));
        std::iter::once(&OURS)
            .chain(kinds)
            .map(|kind| format!("- {}: {}.\n", kind.title, kind.note))
            .collect()
    }
}

/// On what, when and how it was measured.
#[derive(Debug, Serialize)]
pub struct About {
    pub date: String,
    pub cores: usize,
    pub postgres: String,
    pub rounds: usize,
    pub connections: u32,
    pub quick: bool,
}

impl About {
    pub fn line(&self) -> String {
        let quick = if self.quick {
            ", quick: not to be quoted"
        } else {
            ""
        };
        format!(
            "{}, {} cores, PostgreSQL {} with fsync on, {} rounds, {} connections{quick}",
            self.date, self.cores, self.postgres, self.rounds, self.connections
        )
    }
}

/// The whole report for machines.
pub fn json(measured: &Measured, about: &About) -> anyhow::Result<String> {
    #[derive(Serialize)]
    struct Report<'a> {
        #[serde(flatten)]
        about: &'a About,
        #[serde(flatten)]
        measured: &'a Measured,
    }
    Ok(serde_json::to_string_pretty(&Report { about, measured })?)
}

/// The middle one; of an even number, the mean of the two in the middle.
pub fn median(rounds: &[f64]) -> f64 {
    let mut sorted = rounds.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 100.0]), 3.0);
        assert_eq!(median(&[1.0, 2.0, 4.0, 100.0]), 3.0);
        assert!(median(&[]).is_nan());
    }
}
