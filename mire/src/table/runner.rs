//! Table projections in a runner, beside any other handlers.

use std::sync::Arc;

use crate::backend::Backend;
use crate::projection::{Handler, ProjectionRunner, ProjectionRunnerBuilder, Subscription};
use crate::store::EventStore;
use crate::table::TableProjection;
use crate::table::fold::TableHandler;
use crate::table::rebuild::Upkeep;

impl<DB: Backend> ProjectionRunnerBuilder<DB> {
    /// Adds a projection that keeps a table: exactly once, and rebuilt without downtime when its
    /// declaration changes. See [`mire::table`](crate::table).
    pub fn subscribe_table<P: TableProjection>(self) -> Self {
        self.subscribe_table_with::<P>(|subscription| subscription)
    }

    /// [`subscribe_table`](Self::subscribe_table), with settings that differ from the runner's.
    ///
    /// ```
    /// # fn example<P: mire::TableProjection, DB: mire::Backend>(store: mire::EventStore<DB>) {
    /// mire::ProjectionRunner::builder(store)
    ///     .subscribe_table_with::<P>(|s| s.on_failure(mire::FailurePolicy::Park));
    /// # }
    /// ```
    pub fn subscribe_table_with<P: TableProjection>(
        self,
        settings: impl FnOnce(Subscription) -> Subscription,
    ) -> Self {
        let id = P::TABLE.subscription_id();
        let mut subscription = settings(Subscription::new(&*id));
        subscription.id = id;
        subscription.declared = Some(P::TABLE.subscription);
        self.subscribe_later(subscription, |settings| {
            Handler::Transactional(Arc::new(TableHandler::<P, DB>::new(Upkeep {
                drop_after: settings.drop_tables_after,
                take_over_after: settings.take_over_after,
            })))
        })
    }
}

/// A runner for one projection; further ones can be added.
pub fn runner<P: TableProjection, DB: Backend>(
    store: &EventStore<DB>,
) -> ProjectionRunnerBuilder<DB> {
    ProjectionRunner::builder(store.clone()).subscribe_table::<P>()
}
