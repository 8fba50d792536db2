//! The table, for people and for machines.

use serde::Serialize;

use crate::workload::{Figure, Target, Unit, Workload};

/// A line of the table.
#[derive(Debug, Serialize)]
pub struct Row {
    pub number: &'static str,
    pub workload: &'static str,
    pub figure: &'static str,
    #[serde(skip)]
    unit: Unit,
    /// Medians, and what each round gave.
    pub ours: f64,
    pub ours_rounds: Vec<f64>,
    pub peer: Option<&'static str>,
    pub theirs: Option<f64>,
    pub their_rounds: Vec<f64>,
    /// How many times better ours is.
    pub ratio: Option<f64>,
    pub to_reach: String,
    pub reached: Option<bool>,
}

impl Row {
    pub fn new(
        workload: &dyn Workload,
        figure: &Figure,
        ours: &[f64],
        peer: Option<(&'static str, Vec<f64>)>,
    ) -> Self {
        let (peer, their_rounds) =
            peer.map_or((None, Vec::new()), |(name, rounds)| (Some(name), rounds));
        let ours_median = median(ours);
        let theirs = peer.map(|_| median(&their_rounds));
        let ratio = theirs.map(|theirs| {
            if figure.unit.more_is_better() {
                ours_median / theirs
            } else {
                theirs / ours_median
            }
        });
        let (to_reach, reached) = match figure.target {
            Target::Ratio(least) => (format!("≥ {least}×"), ratio.map(|ratio| ratio >= least)),
            Target::AtMost(most) => (
                format!("≤ {}", shown(most, figure.unit)),
                Some(ours_median <= most),
            ),
            Target::None => ("–".to_owned(), None),
        };
        Self {
            number: workload.number(),
            workload: workload.name(),
            figure: figure.label,
            unit: figure.unit,
            ours: ours_median,
            ours_rounds: ours.to_vec(),
            peer,
            theirs,
            their_rounds,
            ratio: ratio.filter(|ratio| ratio.is_finite()),
            to_reach,
            reached,
        }
    }

    pub fn against_limit(
        workload: &dyn Workload,
        ours: &[f64],
        title: &'static str,
        limit: Vec<f64>,
        share: f64,
    ) -> Self {
        let figure = Figure {
            target: Target::Ratio(share),
            ..workload.figures()[0]
        };
        Self::new(workload, &figure, ours, Some((title, limit)))
    }
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

/// The table in Markdown, so that it can go into a README as it is.
pub fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| # | workload | figure | mire | peer | its figure | ratio | to reach |\n\
         |---|---|---|---:|---|---:|---:|---|\n",
    );
    for row in rows {
        let reached = match row.reached {
            Some(true) => " ✓",
            Some(false) => " ✗",
            None => "",
        };
        text.push_str(&format!(
            "| {} | {} | {} | {} | {} | {} | {} | {}{reached} |\n",
            row.number,
            row.workload,
            row.figure,
            shown(row.ours, row.unit),
            row.peer.unwrap_or("–"),
            row.theirs
                .map_or("–".to_owned(), |theirs| shown(theirs, row.unit)),
            row.ratio
                .map_or("–".to_owned(), |ratio| format!("{ratio:.2}×")),
            row.to_reach,
        ));
    }
    text
}

/// The whole report for machines.
pub fn json(rows: &[Row], about: &About) -> anyhow::Result<String> {
    #[derive(Serialize)]
    struct Report<'a> {
        #[serde(flatten)]
        about: &'a About,
        rows: &'a [Row],
    }
    Ok(serde_json::to_string_pretty(&Report { about, rows })?)
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

fn shown(value: f64, unit: Unit) -> String {
    match unit {
        Unit::PerSecond => thousands(value),
        Unit::Millis => format!("{value:.1} ms"),
        Unit::Mebibytes => format!("{value:.1} MiB"),
        Unit::Events => thousands(value),
        Unit::Load => format!("{value:.1}/s"),
        Unit::Times => format!("{value:.2}×"),
    }
}

fn thousands(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
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

    #[test]
    fn large_numbers_can_be_read() {
        assert_eq!(thousands(1_234_567.4), "1,234,567");
        assert_eq!(thousands(999.6), "1,000");
        assert_eq!(thousands(12.0), "12");
    }
}
