//! Doors for `mire/benches/instructions.rs`, which counts what the hot paths cost without a
//! database.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

pub use crate::backend::RawEvent;
pub use crate::table::fold::fold_batch;

use crate::projection::Batch;
use crate::subscription::EventPage;

/// Nobody waits for a batch that is counted.
const NO_HURRY: Duration = Duration::from_secs(24 * 60 * 60);

/// Copies rows into a page, as a subscription does, and hands out all of them.
pub fn batch_of(rows: &[RawEvent<'_>]) -> Batch {
    let mut page = EventPage::new();
    for row in rows {
        page.push(row);
    }
    let last = rows.last().map_or(0, |row| row.global_position);
    Batch::new(
        &page.finish(last, last),
        (0..rows.len()).collect(),
        NO_HURRY,
        &CancellationToken::new(),
    )
}
