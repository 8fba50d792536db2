//! The command line.

use anyhow::{Context, bail};
use lexopt::prelude::*;

pub const HELP: &str = "\
cargo xtask bench [OPTIONS] [WORKLOAD …]

Measures mire beside other event stores on one PostgreSQL with fsync on: each system in turn, round
after round, and prints the medians. WORKLOAD is a number or a part of a name; none means all but
the long ones.

  --list               the workloads, and which systems can do each
  --all                the long workloads as well (5 million events; memory)
  --rounds N           rounds; at least 3, the default
  --quick              smaller workloads and one round: to try things out, not to quote
  --peers A,B          only these peers: mire-0.4, evento, eventcore, cqrs-es; or none
  --connections N      connections in each system's pool; default 10, as the drivers have it
  --histogram          latencies as histograms below the table
  --json               the table and the histograms as JSON, on standard output
  -h, --help           this text

DATABASE_URL names the server; `cargo xtask bench` brings a private one. Each system gets a database
of its own, which is dropped at the end. Absolute figures mean little on shared machines; ratios do.
";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    pub filters: Vec<String>,
    pub list: bool,
    pub all: bool,
    pub rounds: usize,
    pub quick: bool,
    pub peers: Option<Vec<String>>,
    pub connections: u32,
    pub histogram: bool,
    pub json: bool,
}

pub enum Asked {
    Help,
    Run(Options),
}

pub fn parse(args: impl IntoIterator<Item = std::ffi::OsString>) -> anyhow::Result<Asked> {
    let mut options = Options {
        filters: Vec::new(),
        list: false,
        all: false,
        rounds: 3,
        quick: false,
        peers: None,
        connections: 10,
        histogram: false,
        json: false,
    };
    let mut rounds = None;
    let mut parser = lexopt::Parser::from_args(args);
    while let Some(arg) = parser.next()? {
        match arg {
            Short('h') | Long("help") => return Ok(Asked::Help),
            Long("list") => options.list = true,
            Long("all") => options.all = true,
            Long("quick") => options.quick = true,
            Long("histogram") => options.histogram = true,
            Long("json") => options.json = true,
            Long("rounds") => rounds = Some(parser.value()?.parse().context("--rounds")?),
            Long("connections") => {
                options.connections = parser.value()?.parse().context("--connections")?;
                if options.connections < 3 {
                    bail!("--connections {}: a runner needs 3", options.connections);
                }
            }
            Long("peers") => {
                let names = parser.value()?.string()?;
                options.peers = Some(names.split(',').map(str::to_owned).collect());
            }
            Value(filter) => options.filters.push(filter.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    options.rounds = match (rounds, options.quick) {
        (Some(rounds), true) => rounds,
        (None, true) => 1,
        (None, false) => 3,
        (Some(rounds), false) if rounds >= 3 => rounds,
        (Some(rounds), false) => bail!("--rounds {rounds}: a median needs at least 3"),
    };
    if options.rounds == 0 {
        bail!("--rounds 0: nothing would be measured");
    }
    Ok(Asked::Run(options))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> anyhow::Result<Options> {
        match parse(line.split_whitespace().map(Into::into))? {
            Asked::Run(options) => Ok(options),
            Asked::Help => bail!("help"),
        }
    }

    #[test]
    fn a_median_needs_three_rounds_unless_it_is_only_a_try() {
        assert_eq!(parsed("").unwrap().rounds, 3);
        assert_eq!(parsed("--rounds 5 3 fold").unwrap().rounds, 5);
        assert_eq!(parsed("--rounds 5 3 fold").unwrap().filters, ["3", "fold"]);
        assert_eq!(parsed("--quick").unwrap().rounds, 1);
        assert!(parsed("--rounds 2").is_err());
        assert!(parsed("--quick --rounds 0").is_err());
    }

    #[test]
    fn what_is_unknown_is_refused() {
        assert!(parsed("--fast").is_err());
        assert!(parsed("--connections 1").is_err());
    }
}
