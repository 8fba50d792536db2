//! The feed: a task that reads ahead of a subscription, and sleeps when there is nothing to read.
//!
//! It keeps one page ready while another is handled, so a subscription that catches up never waits
//! for a read. At rest it sleeps until something is appended, here or elsewhere, or until the poll
//! interval is over; one such round is one cheap statement.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::backend::{Backend, Db, Result};
use crate::error::{DbErrorKind, EventStoreError, told};
use crate::subscription::cursor::Cursor;
use crate::subscription::page::EventPage;

/// The shortest time between two reads while the subscription keeps up. Under a steady load of
/// appends it gathers them into pages.
const READ_GAP: Duration = Duration::from_millis(2);

/// The first pause after a failed read, and the longest.
const RETRY_MIN: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(5);

/// After this time others hear that the log can't be read.
const LASTING: Duration = Duration::from_secs(2);

/// Pages of a subscription, in order. Dropping it ends the task.
#[derive(Debug)]
pub(crate) struct Feed {
    pages: mpsc::Receiver<Result<Arc<EventPage>>>,
    trouble: watch::Receiver<Option<String>>,
    task: JoinHandle<()>,
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Feed {
    /// Reads on from where the cursor is.
    pub(crate) fn start<DB: Backend>(
        db: Db<DB>,
        cursor: Cursor,
        appended: watch::Receiver<u64>,
        poll_interval: Duration,
    ) -> Self {
        let (sender, pages) = mpsc::channel(1);
        let (tell, trouble) = watch::channel(None);
        let task = tokio::spawn(read(db, cursor, appended, poll_interval, sender, tell));
        Self {
            pages,
            trouble,
            task,
        }
    }

    /// Why the log can't be read, once that has lasted; `None` when it can. A database that is away is
    /// not told of.
    pub(crate) fn watch_trouble(&self) -> watch::Receiver<Option<String>> {
        self.trouble.clone()
    }

    /// The next page, as soon as there is one. An error is final: the log is not in order.
    ///
    /// # Cancel safety
    ///
    /// Dropping it loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Arc<EventPage>> {
        self.pages
            .recv()
            .await
            .unwrap_or(Err(EventStoreError::Interrupted))
    }

    /// The next page, if it is there already.
    pub(crate) fn ready(&mut self) -> bool {
        !self.pages.is_empty()
    }
}

async fn read<DB: Backend>(
    db: Db<DB>,
    mut cursor: Cursor,
    mut appended: watch::Receiver<u64>,
    poll_interval: Duration,
    sender: mpsc::Sender<Result<Arc<EventPage>>>,
    trouble: watch::Sender<Option<String>>,
) {
    let mut failing_since = None;
    let mut pause = RETRY_MIN;
    let mut not_before = Instant::now();
    loop {
        sleep_until(not_before).await;
        // Marked as seen before the database is asked: what comes after the answer wakes us.
        appended.borrow_and_update();
        let asked = Instant::now();
        let page = match next::<DB>(&db, &mut cursor).await {
            Ok(page) => page,
            Err(error @ EventStoreError::OrderingViolation { .. }) => {
                // The receiver may be gone, and then nobody needs to know.
                let _ = sender.send(Err(error)).await;
                return;
            }
            Err(error) => {
                tracing::warn!(error = %told(&error), "reading the log failed; trying again");
                let since = *failing_since.get_or_insert(asked);
                let passes = error.db_kind() == Some(DbErrorKind::Connection);
                if since.elapsed() >= LASTING && !passes {
                    let text = Some(format!("the log can't be read: {}", told(&error)));
                    trouble.send_if_modified(|last| {
                        *last != text && {
                            *last = text;
                            true
                        }
                    });
                }
                sleep(pause).await;
                pause = (pause * 2).min(RETRY_MAX);
                continue;
            }
        };
        pause = RETRY_MIN;
        failing_since = None;
        trouble.send_if_modified(|last| last.take().is_some());
        let caught_up = match page {
            Some(page) => {
                let caught_up = page.up_to() == page.head();
                if sender.send(Ok(page)).await.is_err() {
                    return;
                }
                caught_up
            }
            None => true,
        };
        if caught_up {
            not_before = asked + READ_GAP;
            // Elapsed or woken: either way it is time to look again. When the store is gone, the
            // poll is all that is left.
            if let Ok(Err(_)) = timeout(poll_interval, appended.changed()).await {
                sleep(poll_interval).await;
            }
        }
    }
}

async fn next<DB: Backend>(db: &Db<DB>, cursor: &mut Cursor) -> Result<Option<Arc<EventPage>>> {
    let mut conn = db.take().await?;
    let page = cursor.next::<DB>(&mut conn).await?;
    db.keep(conn);
    Ok(page)
}
