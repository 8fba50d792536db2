//! The cursor: where a subscription reads on, and up to where it may.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::backend::{Backend, HeldBy, LogRead, Result, SafeHead};
use crate::error::EventStoreError;
use crate::subscription::page::EventPage;

/// The most bytes of events in a page, but for one that is larger by itself.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// Of so many streams a cursor remembers the last version, to see that the next one follows.
const REMEMBERED_STREAMS: usize = 16_384;

/// For how long the safe head may be held back before a warning says by whom, and how long until
/// the next warning.
const HELD_BACK_WARNING: Duration = Duration::from_secs(5);
const HELD_BACK_AGAIN: Duration = Duration::from_secs(30);

/// Reads the events of a subscription page by page, in position order.
///
/// A cursor is one position. It never steps over an event that commits later, because it never
/// reads above the safe head; and the safe head, once read, stays valid, so it is asked for only
/// when the cursor has reached the last one.
#[derive(Debug)]
pub(crate) struct Cursor {
    subscription_id: String,
    categories: Vec<String>,
    batch_size: i64,
    after: i64,
    head: i64,
    /// Whether its consumer knows how far the log goes.
    told: bool,
    last_versions: HashMap<String, i64>,
    /// Whether the first events were held against those before the cursor's start.
    joined: bool,
    held_back: Option<HeldBack>,
}

#[derive(Debug)]
struct HeldBack {
    warn_at: Instant,
}

impl Cursor {
    /// Behind `after`. No categories: all.
    pub(crate) fn new(
        subscription_id: &str,
        categories: Vec<String>,
        batch_size: i64,
        after: i64,
    ) -> Self {
        Self {
            subscription_id: subscription_id.to_owned(),
            categories,
            batch_size,
            after,
            head: after,
            told: false,
            last_versions: HashMap::new(),
            joined: false,
            held_back: None,
        }
    }

    /// The next page. One without events still moves the cursor, to the safe head; `None` when the
    /// cursor is there already. The first answer is always a page, so that the consumer learns
    /// whether it has caught up.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the cursor stays where it was.
    pub(crate) async fn next<DB: Backend>(
        &mut self,
        conn: &mut DB::Connection,
    ) -> Result<Option<Arc<EventPage>>> {
        if self.after >= self.head {
            let safe_head = DB::safe_head(conn).await?;
            self.note_head(&safe_head);
            if self.after >= self.head && self.told {
                return Ok(None);
            }
        }
        let mut page = EventPage::new();
        let mut cut = false;
        let read = LogRead {
            after: self.after,
            up_to: self.head,
            categories: &self.categories,
            limit: self.batch_size,
        };
        DB::read_log(conn, read, &mut |event| {
            page.push(&event);
            cut = page.size() >= PAGE_BYTES;
            Ok(if cut {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            })
        })
        .await?;
        let full = cut || i64::try_from(page.len()).unwrap_or(i64::MAX) >= self.batch_size;
        let last = page.len().checked_sub(1).and_then(|last| page.event(last));
        let up_to = match last {
            Some(last) if full => last.global_position(),
            _ => self.head,
        };
        if !self.joined && !page.is_empty() {
            self.check_joint::<DB>(conn, &page).await?;
        }
        self.check_order(&page)?;
        self.joined |= !page.is_empty();
        self.after = up_to;
        self.told = true;
        Ok(Some(page.finish(up_to, self.head)))
    }

    /// Behind a checkpoint there is nothing remembered to hold the first events against. Without
    /// this, a subscription that was stopped before a hole would step over it when it is started
    /// again.
    async fn check_joint<DB: Backend>(
        &self,
        conn: &mut DB::Connection,
        page: &EventPage,
    ) -> Result<()> {
        let mut seen = HashSet::new();
        let firsts: Vec<(&str, i64)> = page
            .iter()
            .filter(|event| seen.insert(event.stream_id()) && event.stream_version() > 1)
            .map(|event| (event.stream_id(), event.stream_version()))
            .collect();
        if firsts.is_empty() {
            return Ok(());
        }
        let orphan = DB::first_orphan(conn, &firsts).await?;
        let orphan = orphan.and_then(|(place, last)| Some((firsts.get(place)?, last)));
        match orphan {
            None => Ok(()),
            Some(((stream_id, version), last)) => Err(self.violation(stream_id, *version, last)),
        }
    }

    fn violation(&self, stream_id: &str, version: i64, last: i64) -> EventStoreError {
        EventStoreError::OrderingViolation {
            subscription_id: self.subscription_id.clone(),
            stream_id: stream_id.to_owned(),
            version,
            last_delivered: last,
        }
    }

    /// A subscription reads whole streams, so within each the versions have to follow one another.
    /// Anything else is a hole or a repetition, and no handler may see it.
    fn check_order(&mut self, page: &EventPage) -> Result<()> {
        if self.last_versions.len() >= REMEMBERED_STREAMS {
            self.last_versions.clear();
        }
        for event in page.iter() {
            let version = event.stream_version();
            match self.last_versions.get_mut(event.stream_id()) {
                None => {
                    self.last_versions
                        .insert(event.stream_id().to_owned(), version);
                }
                Some(last) if version == *last + 1 => *last = version,
                Some(last) => {
                    let last = *last;
                    return Err(self.violation(event.stream_id(), version, last));
                }
            }
        }
        Ok(())
    }

    fn note_head(&mut self, safe_head: &SafeHead) {
        // A dump that was restored elsewhere may have a lower head than another server had; a
        // cursor of this server never saw that one.
        self.head = self.head.max(safe_head.position);
        let Some(held_by) = &safe_head.held_by else {
            self.held_back = None;
            return;
        };
        let now = Instant::now();
        let held_back = self.held_back.get_or_insert(HeldBack {
            warn_at: now + HELD_BACK_WARNING,
        });
        if held_by.age >= HELD_BACK_WARNING && now >= held_back.warn_at {
            held_back.warn_at = now + HELD_BACK_AGAIN;
            warn_held_back(&self.subscription_id, safe_head, held_by);
        }
    }
}

fn warn_held_back(subscription_id: &str, safe_head: &SafeHead, held_by: &HeldBy) {
    tracing::warn!(
        subscription_id,
        safe_head = safe_head.position,
        allocated = safe_head.allocated,
        process_id = held_by.process_id,
        age = ?held_by.age,
        query = %held_by.query,
        "an append that is not committed yet holds the subscription back",
    );
}
