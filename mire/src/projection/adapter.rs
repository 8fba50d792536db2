//! From the typed handlers to those of pages.

use futures_util::future::BoxFuture;

use crate::aggregate::Aggregate;
use crate::backend::Backend;
use crate::projection::{
    Batch, EventHandler, Failure, PageHandler, TransactionalBatchEventHandler,
    TransactionalEventHandler, TransactionalPageHandler,
};

fn category<A: Aggregate>() -> Vec<String> {
    vec![A::stream_category().to_owned()]
}

pub(super) struct Plain<H>(pub(super) H);

impl<H: EventHandler> PageHandler for Plain<H> {
    fn categories(&self) -> Vec<String> {
        category::<H::Aggregate>()
    }

    fn handle<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            while let Some(event) = batch.next() {
                self.0.handle(batch.decode(&event)?).await?;
            }
            Ok(())
        })
    }
}

pub(super) struct Transactional<H>(pub(super) H);

impl<DB: Backend, H: TransactionalEventHandler<DB>> TransactionalPageHandler<DB>
    for Transactional<H>
{
    fn categories(&self) -> Vec<String> {
        category::<H::Aggregate>()
    }

    fn handle<'a>(
        &'a self,
        batch: &'a Batch,
        conn: &'a mut DB::Connection,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            while let Some(event) = batch.next() {
                self.0.handle(batch.decode(&event)?, &mut *conn).await?;
            }
            Ok(())
        })
    }
}

/// How many events a batch handler gets: all of them are decoded at the same time, and handling
/// them can't be stopped in between.
const HANDED_AT_ONCE: i64 = 1000;

pub(super) struct TransactionalBatch<H>(pub(super) H);

impl<DB: Backend, H: TransactionalBatchEventHandler<DB>> TransactionalPageHandler<DB>
    for TransactionalBatch<H>
{
    fn categories(&self) -> Vec<String> {
        category::<H::Aggregate>()
    }

    fn batch_size(&self) -> i64 {
        HANDED_AT_ONCE
    }

    fn handle<'a>(
        &'a self,
        batch: &'a Batch,
        conn: &'a mut DB::Connection,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let events = batch
                .all()
                .map(|event| batch.decode(&event))
                .collect::<Result<Vec<_>, _>>()?;
            Ok(self.0.handle_batch(events, conn).await?)
        })
    }
}
