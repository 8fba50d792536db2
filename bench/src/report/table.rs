//! The table: in columns for a terminal, and Markdown for a README, as it is.

use serde::Serialize;

use super::median;
use crate::workload::{Figure, Target, Unit, Workload};

/// A line of the table.
#[derive(Debug, Serialize)]
pub struct Row {
    pub number: &'static str,
    pub workload: &'static str,
    pub figure: &'static str,
    pub unit: Unit,
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
            Target::Cost(most) => (
                format!("≤ {most}× its cost"),
                ratio.map(|ratio| 1.0 / ratio <= most),
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

    /// What the row says of ours, which the next row need not repeat.
    fn of_ours(&self) -> (&str, &str) {
        (self.number, self.figure)
    }

    fn cells(&self, before: Option<&Self>) -> [String; COLUMNS] {
        let repeats = before.is_some_and(|before| before.of_ours() == self.of_ours());
        let same_aim = repeats && before.is_some_and(|before| before.to_reach == self.to_reach);
        let unless = |repeats: bool, text: String| if repeats { String::new() } else { text };
        let reached = match self.reached {
            Some(true) => " ✓",
            Some(false) => " ✗",
            None => "",
        };
        // Of a ratio, each row is judged by itself; of all else, ours alone is.
        let is_repeated = same_aim && !self.to_reach.ends_with('×');
        [
            String::new(),
            unless(repeats, self.figure.to_owned()),
            unless(repeats, shown(self.ours, self.unit)),
            self.peer.unwrap_or("–").to_owned(),
            self.theirs
                .map_or("–".to_owned(), |theirs| shown(theirs, self.unit)),
            self.ratio
                .map_or("–".to_owned(), |ratio| format!("{ratio:.2}×")),
            unless(is_repeated, format!("{}{reached}", self.to_reach)),
        ]
    }
}

const COLUMNS: usize = 7;

const HEAD: [&str; COLUMNS] = [
    "#",
    "workload, figure",
    "mire",
    "peer",
    "its figure",
    "ratio",
    "to reach",
];

/// Which columns hold numbers.
const TO_THE_RIGHT: [bool; COLUMNS] = [true, false, true, false, true, true, false];

/// A line for each workload, and below it one for each figure and peer.
pub fn table(rows: &[Row]) -> String {
    let mut lines = vec![HEAD.map(str::to_owned)];
    let mut before: Option<&Row> = None;
    for row in rows {
        if before.is_none_or(|before| before.number != row.number) {
            let mut heading: [String; COLUMNS] = Default::default();
            row.number.clone_into(&mut heading[0]);
            heading[1] = format!("**{}**", row.workload);
            lines.push(heading);
        }
        lines.push(row.cells(before));
        before = Some(row);
    }
    let width = |column: usize| {
        let cells = lines.iter().map(|cells| cells[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: [usize; COLUMNS] = std::array::from_fn(width);
    let mut text = String::new();
    for (index, cells) in lines.iter().enumerate() {
        for ((cell, width), to_the_right) in cells.iter().zip(widths).zip(TO_THE_RIGHT) {
            let padded = if to_the_right {
                format!("| {cell:>width$} ")
            } else {
                format!("| {cell:<width$} ")
            };
            text.push_str(&padded);
        }
        text.push_str("|\n");
        if index == 0 {
            for (width, to_the_right) in widths.into_iter().zip(TO_THE_RIGHT) {
                let end = if to_the_right { ":" } else { "-" };
                text.push_str(&format!("|{}{end}", "-".repeat(width + 1)));
            }
            text.push_str("|\n");
        }
    }
    text
}

fn shown(value: f64, unit: Unit) -> String {
    match unit {
        Unit::PerSecond | Unit::Events => thousands(value),
        Unit::Millis if value < 10.0 => format!("{value:.2} ms"),
        Unit::Millis => format!("{value:.1} ms"),
        Unit::Seconds => format!("{value:.2} s"),
        Unit::Mebibytes => format!("{value:.1} MiB"),
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
    use crate::workloads;

    fn row(index: usize, unit: Unit, target: Target, peer: &'static str, theirs: f64) -> Row {
        let figure = Figure {
            label: "saves/s",
            unit,
            target,
        };
        let workload = &workloads::all()[index];
        Row::new(&**workload, &figure, &[4.0], Some((peer, vec![theirs])))
    }

    #[test]
    fn large_numbers_can_be_read() {
        assert_eq!(thousands(1_234_567.4), "1,234,567");
        assert_eq!(thousands(999.6), "1,000");
        assert_eq!(thousands(12.0), "12");
    }

    #[test]
    fn a_ratio_says_how_many_times_better_ours_is() {
        let more = row(0, Unit::PerSecond, Target::Ratio(2.0), "peer", 2.0);
        assert_eq!((more.ratio, more.reached), (Some(2.0), Some(true)));
        let less = row(0, Unit::Millis, Target::AtMost(3.0), "peer", 2.0);
        assert_eq!((less.ratio, less.reached), (Some(0.5), Some(false)));
        let cost = row(0, Unit::Seconds, Target::Cost(1.15), "by hand", 3.6);
        assert_eq!(cost.reached, Some(true));
        let cost = row(0, Unit::Seconds, Target::Cost(1.15), "by hand", 3.2);
        assert_eq!(cost.reached, Some(false));
    }

    #[test]
    fn what_a_row_repeats_of_ours_is_left_out() {
        let text = table(&[
            row(0, Unit::PerSecond, Target::Ratio(5.0), "one", 2.0),
            row(0, Unit::PerSecond, Target::Ratio(1.0), "another", 8.0),
            row(1, Unit::Millis, Target::AtMost(5.0), "one", 2.0),
            row(1, Unit::Millis, Target::AtMost(5.0), "another", 2.0),
        ]);
        let lines: Vec<&str> = text.lines().collect();
        let widths: Vec<usize> = lines.iter().map(|line| line.chars().count()).collect();
        assert!(widths.iter().all(|width| *width == widths[0]), "{text}");
        let cells = |line: usize| -> Vec<&str> { lines[line].split('|').map(str::trim).collect() };
        assert_eq!(
            cells(2)[1..3],
            ["1", "**load → record → save, one stream, in sequence**"]
        );
        assert_eq!(
            cells(3)[1..8],
            ["", "saves/s", "4", "one", "2", "2.00×", "≥ 5× ✗"]
        );
        assert_eq!(
            cells(4)[1..8],
            ["", "", "", "another", "8", "0.50×", "≥ 1× ✗"]
        );
        assert_eq!(cells(6)[7], "≤ 5.00 ms ✓");
        assert_eq!(cells(7)[7], "");
    }
}
