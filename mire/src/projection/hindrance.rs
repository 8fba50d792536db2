//! What stands in a leader's way, where others see it, and what it does when nothing does any more.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use tokio::time::{Instant, timeout};

use crate::backend::{Backend, TxLimits};
use crate::error::{DbErrorKind, EventStoreError, told};
use crate::projection::delivery::panic_text;
use crate::projection::leader::{End, Leader, PAUSE_MAX, PAUSE_MIN};
use crate::projection::member::Handler;

impl<DB: Backend> Leader<'_, DB> {
    /// Has a table that is gone made again, and answers whether that went well; notes what stands in
    /// the way. A handler that makes it anew moves the checkpoint under a new fence token, so this
    /// leader ends, and the next one begins at the start.
    pub(super) async fn mend(&mut self, error: &EventStoreError) -> bool {
        let Handler::Transactional(handler) = &self.member.handler else {
            return false;
        };
        // A table that was altered is held against its declaration, which says all that differs.
        let of_table = matches!(error, EventStoreError::TableMismatch { .. })
            || handler.minds_catching_up() && DB::is_shape_error(error);
        let prepared = if of_table || DB::is_missing_table(error) {
            let prepare = async {
                let db = self.member.store.db();
                let mut tx = DB::begin(db, TxLimits::of(db)).await?;
                handler.prepare(&mut tx.tx).await?;
                tx.commit().await?;
                anyhow::Ok(())
            };
            prepare.await.map_err(|error| told(error.as_ref()))
        } else if error.db_kind() == Some(DbErrorKind::Connection) {
            // It passes, or there is nobody to tell.
            return false;
        } else {
            Err(told(error))
        };
        match prepared {
            Ok(()) => true,
            Err(hindrance) => {
                self.note(Some(&hindrance)).await;
                false
            }
        }
    }

    /// Notes why it can't go on, for other processes to see, or that it does. That is a help, and no
    /// more: it waits for a moment only, and a failure is said and passed over. What could not be taken
    /// back is taken back by a later commit.
    pub(super) async fn note(&mut self, hindrance: Option<&str>) {
        let Handler::Transactional(handler) = &self.member.handler else {
            return;
        };
        if !handler.minds_catching_up() {
            return;
        }
        let note = async {
            let limits = TxLimits {
                idle: Some(PAUSE_MAX),
                lock: Some(PAUSE_MAX),
            };
            let mut tx = DB::begin(self.member.store.db(), limits).await?;
            handler.hindered(hindrance, &mut tx.tx).await?;
            tx.commit().await?;
            anyhow::Ok(())
        };
        let noted = timeout(PAUSE_MAX, note).await;
        match noted.map_err(anyhow::Error::from).flatten() {
            Ok(()) => self.hindered = hindrance.is_some(),
            Err(error) => {
                self.take_back_at = Instant::now() + PAUSE_MAX;
                tracing::warn!(
                    subscription_id = self.member.id(),
                    error = %told(error.as_ref()),
                    hindrance,
                    "can't note what hinders a subscription"
                );
            }
        }
    }

    /// Has the handler do what it does when it has caught up, under the fence.
    pub(super) async fn tell_caught_up(&mut self) -> Result<(), End> {
        let Handler::Transactional(handler) = &self.member.handler else {
            return Ok(());
        };
        let to = self.handled;
        let mut tx = self.begin().await?;
        let mut hindered = self.hindered;
        let conn = tx.conn();
        let tell = async move {
            if hindered {
                // It is the handler's now to say what hinders it.
                match handler.hindered(None, &mut *conn).await {
                    Ok(()) => hindered = false,
                    Err(error) if is_busy(&error) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok((handler.caught_up(to, conn).await?, hindered))
        };
        let told = AssertUnwindSafe(tell).catch_unwind();
        let told = told.await.unwrap_or_else(|panic| {
            let text = panic_text(panic.as_ref());
            Err(anyhow::anyhow!("the handler panicked: {text}"))
        });
        let again = match told {
            Ok((again, hindered)) => {
                self.hindered = hindered;
                if hindered {
                    self.take_back_at = Instant::now() + PAUSE_MAX;
                }
                self.advance(&mut tx, to).await?;
                self.commit(tx, to).await?;
                again
            }
            Err(error) => {
                tracing::warn!(
                    subscription_id = self.member.id(),
                    error = format!("{error:#}"),
                    "what a handler does when it has caught up failed; trying again",
                );
                timeout(PAUSE_MAX, tx.rollback()).await.unwrap_or(Ok(()))?;
                let mended = match error.downcast::<EventStoreError>() {
                    Ok(error) => self.mend(&error).await,
                    Err(_) => false,
                };
                Some(if mended { PAUSE_MIN } else { PAUSE_MAX })
            }
        };
        self.caught_up.tell_at = again.map(|pause| Instant::now() + pause);
        Ok(())
    }
}

/// Whether a handler could not do something now, and left the transaction as it was.
fn is_busy(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(EventStoreError::Timeout { .. }))
}
