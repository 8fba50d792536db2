//! From a URL to a store that is ready to use.

use crate::backend::Backend;
use crate::error::EventStoreError;
use crate::store::EventStore;

/// Opens the store that a URL names, and brings its schema to this release's version: ready to use.
///
/// | URL | store |
/// |---|---|
/// | `sqlite:bank.db` | an SQLite file, created where there is none |
/// | `sqlite::memory:` | a store of its own for each call, for tests: a private temporary file that nobody syncs, deleted with the last handle |
/// | `postgres://user@host/bank` | a PostgreSQL database |
///
/// The type says which kind of store it is; a URL of another kind is an error. Where only the URL
/// knows, use [`open_any`].
///
/// ```
/// # #[cfg(feature = "sqlite")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), mire::EventStoreError> {
/// let store = mire::open::<mire::Sqlite>("sqlite::memory:").await?;
/// assert!(store.read_all_after(0, 10).await?.is_empty());
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "sqlite"))]
/// # fn main() {}
/// ```
///
/// # Errors
///
/// [`EventStoreError::InvalidArgument`] for a URL of another kind of store, or one that can't be
/// read; [`EventStoreError::Unreachable`] when the server can't be reached, or lets nobody in;
/// [`EventStoreError::File`] when the file can't be reached, created or written to;
/// [`EventStoreError::NotADatabase`] when it is something else; and those of [`EventStore::migrate`]. A server that is away is waited for,
/// up to 30 seconds. No error shows the URL's password.
///
/// # Cancel safety
///
/// Dropping the future leaves at most an empty database file behind.
pub async fn open<DB: Backend>(url: &str) -> Result<EventStore<DB>, EventStoreError> {
    EventStore::open(url).await
}

/// A store whose kind only its URL knows; see [`open_any`].
#[derive(Debug, Clone)]
pub enum AnyStore {
    /// On PostgreSQL.
    #[cfg(feature = "postgres")]
    Postgres(EventStore<sqlx::Postgres>),
    /// On SQLite.
    #[cfg(feature = "sqlite")]
    Sqlite(EventStore<sqlx::Sqlite>),
}

/// Opens the store that a URL names, whatever its kind. [`with_store!`](crate::with_store) runs
/// code on it that is generic over the backend.
///
/// # Errors
///
/// As [`open`]; a URL whose backend is not compiled in names the feature that it needs.
///
/// # Cancel safety
///
/// As [`open`].
pub async fn open_any(url: &str) -> Result<AnyStore, EventStoreError> {
    let scheme = url.split(':').next().unwrap_or_default();
    match scheme {
        #[cfg(feature = "postgres")]
        "postgres" | "postgresql" => open(url).await.map(AnyStore::Postgres),
        #[cfg(feature = "sqlite")]
        "sqlite" => open(url).await.map(AnyStore::Sqlite),
        scheme => Err(EventStoreError::InvalidArgument {
            name: "the kind of a store",
            value: format!("`{scheme}`"),
            mend: match scheme {
                "postgres" | "postgresql" => "switch on mire's feature `postgres`",
                "sqlite" => "switch on mire's feature `sqlite`",
                _ => "write `sqlite:bank.db`, `sqlite::memory:` or `postgres://user@host/bank`",
            },
        }),
    }
}

/// Evaluates an expression on an [`AnyStore`], with the store of its kind; the expression is
/// compiled for each kind.
///
/// ```
/// use mire::{Backend, EventStore, EventStoreError};
///
/// async fn run<DB: Backend>(store: EventStore<DB>) -> Result<(), EventStoreError> {
///     assert!(store.read_all_after(0, 10).await?.is_empty());
///     Ok(())
/// }
///
/// # #[cfg(feature = "sqlite")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), EventStoreError> {
/// let any = mire::open_any("sqlite::memory:").await?;
/// mire::with_store!(any, |store| run(store).await)
/// # }
/// # #[cfg(not(feature = "sqlite"))]
/// # fn main() {}
/// ```
#[cfg(all(feature = "postgres", feature = "sqlite"))]
#[macro_export]
macro_rules! with_store {
    ($any:expr, |$store:ident| $body:expr) => {
        match $any {
            $crate::AnyStore::Postgres($store) => $body,
            $crate::AnyStore::Sqlite($store) => $body,
        }
    };
}

/// Evaluates an expression on an [`AnyStore`], with the store of its kind.
#[cfg(all(feature = "postgres", not(feature = "sqlite")))]
#[macro_export]
macro_rules! with_store {
    ($any:expr, |$store:ident| $body:expr) => {
        match $any {
            $crate::AnyStore::Postgres($store) => $body,
        }
    };
}

/// Evaluates an expression on an [`AnyStore`], with the store of its kind.
#[cfg(all(feature = "sqlite", not(feature = "postgres")))]
#[macro_export]
macro_rules! with_store {
    ($any:expr, |$store:ident| $body:expr) => {
        match $any {
            $crate::AnyStore::Sqlite($store) => $body,
        }
    };
}
