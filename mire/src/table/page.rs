//! Which part of a look-up's rows is wanted.

/// How many rows of a look-up are wanted, from where on, and in which order. A plain number is that
/// many from the start.
///
/// A page goes on behind a row by what the order is by, which a client can hold as well: the key for
/// [`list`](super::list) and [`by_index`](super::by_index), the column's value and the key for
/// [`by_index_range`](super::by_index_range). The row itself may have changed meanwhile, or be gone;
/// rows that stay where they are in the order are neither skipped nor shown twice. However far a page
/// is behind the start, it costs no more than the first.
///
/// ```no_run
/// # mire::aggregate!(
/// #     #[aggregate(category = "account", id(AccountId))]
/// #     pub struct Account {}
/// #     #[event]
/// #     fn deposited(&mut self, amount: i64) {}
/// # );
/// # mire::projection!(
/// #     #[projection(subscription = "balances", reads(AccountEvent))]
/// #     pub struct Balance {
/// #         #[key]
/// #         account: AccountId,
/// #         #[index]
/// #         balance: i64,
/// #     }
/// #     #[on(AccountEvent::Deposited)]
/// #     fn deposited(&mut self, amount: i64) { self.balance += amount; }
/// # );
/// # async fn example(store: mire::EventStore) -> Result<(), mire::EventStoreError> {
/// use mire::table::Page;
///
/// let richest = Balance::by_balance_range(&store, 1_000.., Page::of(50).descending()).await?;
/// if let Some(last) = richest.last() {
///     let next = Page::of(50).descending().after((&last.balance, &last.account));
///     let next = Balance::by_balance_range(&store, 1_000.., next).await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page<A> {
    pub(crate) limit: i64,
    pub(crate) after: Option<A>,
    pub(crate) descending: bool,
}

impl<A> Page<A> {
    /// At most `limit` rows, from the start, in ascending order.
    #[must_use]
    pub const fn of(limit: i64) -> Self {
        Self {
            limit,
            after: None,
            descending: false,
        }
    }

    /// In descending order instead, and so from the end.
    #[must_use]
    pub fn descending(self) -> Self {
        Self {
            descending: true,
            ..self
        }
    }

    /// Only rows behind this one, in the page's order: the key, or the value and the key, of the last
    /// row of the page before.
    #[must_use]
    pub fn after(self, last: A) -> Self {
        Self {
            after: Some(last),
            ..self
        }
    }
}

/// What a look-up takes for the part of its rows that is wanted: a [`Page`], or a number of rows from
/// the start. `A` is what a page goes on behind.
#[diagnostic::on_unimplemented(
    message = "`{Self}` doesn't say which of the rows are wanted",
    label = "no number of rows, and no page of these",
    note = "write how many, as in `10`, or `Page::of(10)`",
    note = "a page goes on behind a row with `.after(&last.key)`, and in a range of values with \
            `.after((&last.value, &last.key))`"
)]
pub trait IntoPage<A> {
    /// The page.
    fn into_page(self) -> Page<A>;
}

impl<A> IntoPage<A> for Page<A> {
    fn into_page(self) -> Self {
        self
    }
}

macro_rules! from_limit {
    ($($integer:ty)*) => {$(
        /// That many rows from the start.
        impl<A> IntoPage<A> for $integer {
            fn into_page(self) -> Page<A> {
                // More rows than that are in no table.
                Page::of(i64::try_from(self).unwrap_or(i64::MAX))
            }
        }
    )*};
}

from_limit! { i32 i64 u32 usize }
