//! What a table projection is: a declaration of its table, and how a row is folded.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use crate::backend::table::Row;
use crate::column::{ColumnDef, ColumnError, ColumnType, RowReader, RowWriter, by_name};
use crate::subscription::{EventInfo, EventPage, PageEvent};
use crate::upcast::DecodeError;

/// The declaration of a projection's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableDef {
    /// The subscription that keeps it.
    pub subscription: &'static str,
    /// The name under which SQL of your own reads it. Tables of versions are named after it.
    pub table: &'static str,
    /// Says which version of the declaration this is. Another one is another table, built anew
    /// from the start of the log: count it up whenever a row would come out differently.
    pub fingerprint: u32,
    /// The categories of the events that it reads.
    pub categories: &'static [&'static str],
    /// Its columns, one of them the key.
    pub columns: &'static [ColumnDef],
}

/// A row that is folded from events, and kept in a table.
///
/// `projection!` writes this from a declaration. By hand:
///
/// ```
/// use mire::{
///     ColumnDef, ColumnError, DecodeError, Delivery, PageEvent, RowReader, RowWriter, TableDef,
///     TableProjection,
/// };
/// # #[derive(serde::Serialize, serde::Deserialize, mire::EventData)]
/// # #[mire(entity = "account")]
/// # enum AccountEvent { Opened { owner: String }, Deposited { amount: i64 }, Closed }
///
/// #[derive(Debug, Default)]
/// struct Balance {
///     account: String,
///     owner: String,
///     balance: i64,
/// }
///
/// impl TableProjection for Balance {
///     type Event = AccountEvent;
///     type Key = String;
///     const TABLE: TableDef = TableDef {
///         subscription: "balances",
///         table: "balances",
///         fingerprint: 1,
///         categories: &["account"],
///         columns: &[
///             ColumnDef::of::<String>("account").key(),
///             ColumnDef::of::<String>("owner"),
///             ColumnDef::of::<i64>("balance").indexed(),
///         ],
///     };
///
///     fn decode(event: &PageEvent<'_>) -> Result<Option<AccountEvent>, DecodeError> {
///         Ok(Some(event.decode()?))
///     }
///
///     fn key(_: &AccountEvent, at: &PageEvent<'_>) -> Result<String, DecodeError> {
///         Ok(at.id().to_owned())
///     }
///
///     fn fold(
///         row: Option<Self>,
///         key: &String,
///         event: &AccountEvent,
///         _: Delivery<'_>,
///     ) -> Option<Self> {
///         let mut row = row.unwrap_or_else(|| Self {
///             account: key.clone(),
///             ..Self::default()
///         });
///         match event {
///             AccountEvent::Opened { owner } => row.owner.clone_from(owner),
///             AccountEvent::Deposited { amount } => row.balance += amount,
///             AccountEvent::Closed => return None,
///         }
///         Some(row)
///     }
///
///     fn write(&self, row: &mut RowWriter<'_>) -> Result<(), ColumnError> {
///         row.put(&self.account)?;
///         row.put(&self.owner)?;
///         row.put(&self.balance)
///     }
///
///     fn read(row: &mut RowReader<'_>) -> Result<Self, ColumnError> {
///         Ok(Self {
///             account: row.take()?,
///             owner: row.take()?,
///             balance: row.take()?,
///         })
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` keeps no table",
    label = "not a projection with a table",
    note = "name a struct of a `projection!` that has a `#[key]`",
    note = "a projection that acts is given with its value: `{Self} = …` in `runner!`, or `subscribe_projection(…)`"
)]
pub trait TableProjection: Sized + Send + Sync + 'static {
    /// What it reads: an event type, or an enum of several.
    type Event: Send + Sync;

    /// The type of the key column.
    type Key: ColumnType + Eq + Hash + Clone + Send + Sync + 'static;

    /// Its table.
    const TABLE: TableDef;

    /// Reads an event; `None` for one that changes no row.
    ///
    /// # Errors
    ///
    /// For an event that can't be read. It is at fault for good then: nothing is skipped in
    /// silence.
    fn decode(event: &PageEvent<'_>) -> Result<Option<Self::Event>, DecodeError>;

    /// The row that an event belongs to.
    ///
    /// # Errors
    ///
    /// When it names none. The event is at fault for good then.
    fn key(event: &Self::Event, at: &PageEvent<'_>) -> Result<Self::Key, DecodeError>;

    /// Folds an event into its row; `None` stands for a row that is not there, before and after.
    ///
    /// Has to be a function of its arguments alone, or a rebuilt table would differ.
    fn fold(
        row: Option<Self>,
        key: &Self::Key,
        event: &Self::Event,
        at: Delivery<'_>,
    ) -> Option<Self>;

    /// Writes all columns in the order of [`TableDef::columns`].
    ///
    /// # Errors
    ///
    /// For a value that can't be stored, as [`RowWriter::put`] says.
    fn write(&self, row: &mut RowWriter<'_>) -> Result<(), ColumnError>;

    /// Reads all columns in the order of [`TableDef::columns`].
    ///
    /// # Errors
    ///
    /// For a value that can't be read, as [`RowReader::take`] says.
    fn read(row: &mut RowReader<'_>) -> Result<Self, ColumnError>;
}

/// An event's place, for a fold that asks for more than the event.
#[derive(Clone, Copy)]
pub struct Delivery<'a> {
    page: &'a Arc<EventPage>,
    event: PageEvent<'a>,
}

impl fmt::Debug for Delivery<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.event.fmt(f)
    }
}

impl<'a> Delivery<'a> {
    /// Of the event at `index` of a page; `None` when the page has no such event.
    #[must_use]
    pub fn new(page: &'a Arc<EventPage>, index: usize) -> Option<Self> {
        let event = page.event(index)?;
        Some(Self { page, event })
    }

    /// The event as it stands in the page: stream, version, position, time.
    #[must_use]
    pub fn event(&self) -> PageEvent<'a> {
        self.event
    }

    /// The same as a value of its own, with parsed metadata.
    #[must_use]
    pub fn info(&self) -> EventInfo {
        EventInfo::of(self.page, &self.event)
    }
}

/// Reads a row of your own query, by the columns' names: what `sqlx::FromRow` does for generated
/// row types.
///
/// # Errors
///
/// [`sqlx::Error::ColumnNotFound`] and [`sqlx::Error::ColumnDecode`].
pub fn from_row<P: TableProjection, R: Row>(row: &R) -> Result<P, sqlx::Error> {
    let defs = P::TABLE.columns;
    let source = by_name(defs, |name, kind| {
        let index = row.index_of(name)?;
        row.stored(index, kind)
    });
    P::read(&mut RowReader::new(defs, &source)).map_err(|error| sqlx::Error::ColumnDecode {
        index: error.column().unwrap_or_default().to_owned(),
        source: error.into(),
    })
}
