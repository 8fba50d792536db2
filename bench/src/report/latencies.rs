//! Latencies as they are spread.

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::systems::Kind;
use crate::workload::Workload;

/// Lines of a histogram as text for each doubling of the latency.
const LINES_A_DOUBLING: f64 = 2.0;

const WIDEST_BAR: u64 = 50;

/// All rounds' latencies of a system, in microseconds.
#[derive(Debug, Serialize)]
pub struct Latencies {
    pub number: &'static str,
    pub workload: &'static str,
    pub label: &'static str,
    pub system: &'static str,
    pub count: u64,
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p99_9: u64,
    pub max: u64,
    pub buckets: Vec<Bucket>,
}

/// So many took at most so long, and longer than what the bucket before it says.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct Bucket {
    pub up_to_micros: u64,
    pub count: u64,
}

impl Latencies {
    pub fn new(
        workload: &dyn Workload,
        label: &'static str,
        system: &Kind,
        micros: &Histogram<u64>,
    ) -> Self {
        let at = |quantile: f64| micros.value_at_quantile(quantile);
        let buckets = micros
            .iter_log(1, 2.0_f64.powf(1.0 / LINES_A_DOUBLING))
            .map(|step| Bucket {
                up_to_micros: step.value_iterated_to(),
                count: step.count_since_last_iteration(),
            })
            .skip_while(|bucket| bucket.count == 0)
            .collect();
        Self {
            number: workload.number(),
            workload: workload.name(),
            label,
            system: system.title,
            count: micros.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            max: micros.max(),
            buckets,
        }
    }

    /// A line for each bucket, with a bar.
    pub fn text(&self) -> String {
        let mut text = format!(
            "{} {}, {}: {}\n{} events, p50 {}, p90 {}, p99 {}, p99.9 {}, max {}\n",
            self.number,
            self.workload,
            self.label,
            self.system,
            self.count,
            millis(self.p50),
            millis(self.p90),
            millis(self.p99),
            millis(self.p99_9),
            millis(self.max),
        );
        let most = self.buckets.iter().map(|bucket| bucket.count).max();
        let most = most.unwrap_or(1).max(1);
        for bucket in &self.buckets {
            // What is there shows, however little it is.
            let length = (bucket.count * WIDEST_BAR).div_ceil(most);
            let bar = "█".repeat(usize::try_from(length).unwrap_or(0));
            let up_to = millis(bucket.up_to_micros);
            text.push_str(&format!("≤ {up_to:>11} {:>8}  {bar}\n", bucket.count));
        }
        text
    }
}

fn millis(micros: u64) -> String {
    format!("{:.2} ms", micros as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::systems::OURS;
    use crate::workloads;

    fn of(micros: &[u64]) -> Latencies {
        let mut histogram = Histogram::new(3).unwrap();
        for value in micros {
            histogram.record(*value).unwrap();
        }
        Latencies::new(&*workloads::all()[0], "at rest", &OURS, &histogram)
    }

    #[test]
    fn buckets_hold_every_latency_once() {
        let latencies = of(&[900, 1_000, 1_100, 5_000, 80_000]);
        let counted: u64 = latencies.buckets.iter().map(|bucket| bucket.count).sum();
        assert_eq!((counted, latencies.count), (5, 5));
        assert!(
            latencies
                .buckets
                .is_sorted_by_key(|bucket| bucket.up_to_micros)
        );
        assert!(
            (1_000..=1_101).contains(&latencies.p50),
            "{}",
            latencies.p50
        );
    }

    #[test]
    fn the_tallest_bar_is_the_widest_and_the_smallest_shows() {
        let mut micros = vec![1_000; 1_000];
        micros.push(50_000);
        let text = of(&micros).text();
        assert!(
            text.contains(&"█".repeat(50)) && !text.contains(&"█".repeat(51)),
            "{text}"
        );
        assert!(text.trim_end().ends_with("1  █"), "{text}");
    }
}
