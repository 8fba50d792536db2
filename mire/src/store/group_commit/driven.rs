//! Work that whoever waits for it does, until somebody else needs it, too.
//!
//! A task of its own costs a change of tasks to start it and another one to hear from it, which is
//! much beside one short statement. So the first to wait polls the work within its own task. That
//! would hang everybody else on a future that may be dropped, or held and never polled again; so
//! anybody may [hand it over](Driven::hand_over) to a task, wherever it has got to.
//!
//! # What happens when a party stops
//!
//! - Whoever drives it is dropped: it goes on in a task. Outside of any runtime nothing can go on,
//!   and the work is dropped.
//! - Whoever drives it is not polled any more: nothing happens until somebody hands it over.
//! - It is handed over while it is being polled: who polls it looks once more afterwards. The wish
//!   is written down before the lock is tried, and looked at after the lock is free again, so that
//!   one of the two always sees to it.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;

/// Work, and whether it is wanted as a task.
pub(super) struct Driven {
    /// Gone when it is done or has become a task.
    work: Mutex<Option<BoxFuture<'static, ()>>>,
    wanted: AtomicBool,
}

impl Driven {
    pub(super) fn new(work: impl Future<Output = ()> + Send + 'static) -> Arc<Self> {
        Arc::new(Self {
            work: Mutex::new(Some(Box::pin(work))),
            wanted: AtomicBool::new(false),
        })
    }

    /// Makes a task of it, here or as soon as it has been polled.
    pub(super) fn hand_over(&self) {
        self.wanted.store(true, Ordering::SeqCst);
        let work = match self.work.try_lock() {
            Ok(mut work) => work.take(),
            // What panicked is over.
            Err(TryLockError::Poisoned(work)) => {
                work.into_inner().take();
                None
            }
            Err(TryLockError::WouldBlock) => None,
        };
        if let Some(work) = work
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(work);
        }
    }

    fn work(&self) -> MutexGuard<'_, Option<BoxFuture<'static, ()>>> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does the work as long as it is here to be done; ready when it is not.
pub(super) struct Driver(pub(super) Arc<Driven>);

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let polled = {
            let mut work = self.0.work();
            let polled = match work.as_mut() {
                Some(future) => future.as_mut().poll(cx),
                None => Poll::Ready(()),
            };
            if polled.is_ready() {
                *work = None;
            }
            polled
        };
        if polled.is_pending() && self.0.wanted.load(Ordering::SeqCst) {
            self.0.hand_over();
            return Poll::Ready(());
        }
        polled
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.hand_over();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;
    use tokio::sync::{Notify, oneshot};
    use tokio::time::timeout;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// Work that waits to be let go, and tells of its end.
    fn work() -> (Arc<Driven>, Arc<Notify>, oneshot::Receiver<()>) {
        let go = Arc::new(Notify::new());
        let (end, ended) = oneshot::channel();
        let until = Arc::clone(&go);
        let work = Driven::new(async move {
            until.notified().await;
            let _ = end.send(());
        });
        (work, go, ended)
    }

    #[tokio::test]
    async fn it_is_done_by_who_waits_for_it() {
        let (work, go, ended) = work();
        go.notify_one();
        Driver(work).await;
        // Not by a task, which would have to be waited for.
        assert_eq!(ended.now_or_never(), Some(Ok(())));
    }

    #[tokio::test]
    async fn it_goes_on_without_who_began_it() {
        for polled in [false, true] {
            let (work, go, ended) = work();
            let mut driver = Driver(work);
            if polled {
                assert_eq!((&mut driver).now_or_never(), None);
            }
            drop(driver);
            go.notify_one();
            timeout(PATIENCE, ended).await.unwrap().unwrap();
        }
    }

    #[tokio::test]
    async fn it_goes_on_when_it_is_polled_no_more() {
        let (work, go, ended) = work();
        let mut driver = Driver(Arc::clone(&work));
        assert_eq!((&mut driver).now_or_never(), None);
        go.notify_one();
        work.hand_over();
        timeout(PATIENCE, ended).await.unwrap().unwrap();
        // The one that comes back finds nothing to do.
        driver.await;
    }

    /// Handed over at any moment, it is always somebody's.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn it_is_never_left_lying() {
        for _ in 0..2_000 {
            let (end, ended) = oneshot::channel();
            let work = Driven::new(async move {
                for _ in 0..3 {
                    tokio::task::yield_now().await;
                }
                let _ = end.send(());
            });
            let mut driver = Driver(Arc::clone(&work));
            let other = tokio::spawn(async move { work.hand_over() });
            // Polled once, and kept.
            let _ = (&mut driver).now_or_never();
            other.await.unwrap();
            timeout(PATIENCE, ended).await.unwrap().unwrap();
        }
    }
}
