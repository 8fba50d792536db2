//! Folding a page into a table: the rows that it touches are loaded in one statement, folded in
//! memory, and written back in one, in the transaction of the fenced checkpoint.
//!
//! The leader is the only writer of the table, so what it loaded stays true until it commits; a
//! stale one that still writes is refused by the fence.

use std::marker::PhantomData;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use foldhash::fast::RandomState;
use futures_util::future::BoxFuture;
use indexmap::IndexMap;
use indexmap::map::Entry;
use tokio::time::Instant;

use crate::backend::Backend;
use crate::backend::table::RowSink;
use crate::column::{ColumnError, ColumnType, ColumnVec, RowReader, RowWriter, StoredColumn};
use crate::error::EventStoreError;
use crate::projection::{Batch, Failure, TransactionalPageHandler};
use crate::subscription::PageEvent;
use crate::table::prepare::prepare;
use crate::table::rebuild::{SOON, Upkeep, note, upkeep};
use crate::table::round_trip::{self, RoundTrip};
use crate::table::{Delivery, TableProjection};

/// Keeps the table of a projection.
pub(crate) struct TableHandler<P, DB: Backend> {
    statements: DB::Statements,
    upkeep: Upkeep,
    /// Since when somebody else has had the registry whenever this leader looked.
    busy_since: Mutex<Option<Instant>>,
    projection: PhantomData<fn() -> P>,
}

/// After this time others hear that somebody has had the registry all the while.
const BUSY: Duration = Duration::from_secs(5);

impl<P: TableProjection, DB: Backend> TableHandler<P, DB> {
    pub(crate) fn new(upkeep: Upkeep) -> Self {
        Self {
            statements: DB::statements(&P::TABLE.physical_table(), P::TABLE.columns),
            upkeep,
            busy_since: Mutex::default(),
            projection: PhantomData,
        }
    }

    fn busy_since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.busy_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P: TableProjection, DB: Backend> TransactionalPageHandler<DB> for TableHandler<P, DB> {
    fn categories(&self) -> Vec<String> {
        P::TABLE
            .categories
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    fn prepare<'a>(&'a self, conn: &'a mut DB::Connection) -> BoxFuture<'a, anyhow::Result<()>> {
        Box::pin(async move { Ok(prepare::<DB>(conn, &P::TABLE).await?) })
    }

    fn minds_catching_up(&self) -> bool {
        true
    }

    fn caught_up<'a>(
        &'a self,
        up_to: i64,
        conn: &'a mut DB::Connection,
    ) -> BoxFuture<'a, anyhow::Result<Option<Duration>>> {
        Box::pin(async move {
            let again = upkeep::<DB>(conn, &P::TABLE, up_to, &self.upkeep).await?;
            if again.is_some() {
                *self.busy_since() = None;
                return Ok(again);
            }
            let since = *self.busy_since().get_or_insert_with(Instant::now);
            if since.elapsed() < BUSY {
                return Ok(Some(SOON));
            }
            let holders = DB::lock_holders(conn, "mire_tables").await?;
            tracing::warn!(
                subscription = P::TABLE.subscription,
                since = ?since.elapsed(),
                holders = holders.join("; "),
                "somebody holds the registry of a table; nothing is swapped in or dropped meanwhile",
            );
            Ok(Some(BUSY))
        })
    }

    fn hindered<'a>(
        &'a self,
        hindrance: Option<&'a str>,
        conn: &'a mut DB::Connection,
    ) -> BoxFuture<'a, anyhow::Result<()>> {
        Box::pin(async move { Ok(note::<DB>(conn, &P::TABLE, hindrance).await?) })
    }

    fn handle<'a>(
        &'a self,
        batch: &'a Batch,
        conn: &'a mut DB::Connection,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let mut page = Touched::<P>::of(batch)?;
            if page.rows.is_empty() {
                return Ok(());
            }
            page.load::<DB>(conn, &self.statements).await?;
            page.fold(batch)?;
            page.write::<DB>(conn, &self.statements).await
        })
    }
}

/// A row that a page touches.
struct Slot<P> {
    row: Option<P>,
    /// Whether the table has it.
    stored: bool,
    /// The last event that touched it, by its place in the page.
    last: usize,
}

/// What a page touches.
struct Touched<P: TableProjection> {
    rows: IndexMap<P::Key, Slot<P>, RandomState>,
    /// Place in the page, place in `rows`, event.
    events: Vec<(usize, usize, P::Event)>,
}

impl<P: TableProjection> Touched<P> {
    /// Decodes the events, and finds out which rows they touch.
    fn of(batch: &Batch) -> Result<Self, Failure> {
        let mut rows = IndexMap::with_hasher(RandomState::default());
        let mut events = Vec::with_capacity(batch.len());
        for at in batch.each() {
            let Some(event) = P::decode(&at).map_err(|error| unreadable(&at, error))? else {
                continue;
            };
            let key = P::key(&event, &at).map_err(|error| unreadable(&at, error))?;
            let key =
                round_trip::key::<P>(&key).map_err(|error| not_stored::<P>(at.index(), error))?;
            let slot = match rows.entry(key) {
                Entry::Occupied(slot) => slot.index(),
                Entry::Vacant(slot) => {
                    let index = slot.index();
                    slot.insert(Slot {
                        row: None,
                        stored: false,
                        last: at.index(),
                    });
                    index
                }
            };
            events.push((at.index(), slot, event));
        }
        batch.at_none();
        Ok(Self { rows, events })
    }

    async fn load<DB: Backend>(
        &mut self,
        conn: &mut DB::Connection,
        statements: &DB::Statements,
    ) -> Result<(), Failure> {
        let keys = keys::<P>(self.rows.keys()).map_err(|error| {
            Failure::from(anyhow::Error::from(in_table::<P>(error))).permanent()
        })?;
        let key_index = P::TABLE.key_index();
        let key_kind = P::TABLE.key().kind();
        let rows = &mut self.rows;
        let sink: &mut RowSink<'_> = &mut |source| {
            let read = || -> Result<(P::Key, P), ColumnError> {
                let key = source.value(key_index, key_kind)?;
                let key = <P::Key as ColumnType>::Stored::from_value(key)?;
                let row = P::read(&mut RowReader::new(P::TABLE.columns, source))?;
                Ok((P::Key::from_stored(key)?, row))
            };
            let (key, row) = read().map_err(in_table::<P>)?;
            let slot = rows.get_mut(&key).ok_or_else(|| {
                in_table::<P>(
                    ColumnError::new(
                        "a key that was asked for came back as another one; what `from_stored` \
                         gave has to come back equal when it is stored again",
                    )
                    .of(P::TABLE.key().name()),
                )
            })?;
            slot.row = Some(row);
            slot.stored = true;
            Ok(())
        };
        DB::load_rows(conn, statements, keys, sink)
            .await
            .map_err(whose_fault)
    }

    fn fold(&mut self, batch: &Batch) -> Result<(), Failure> {
        let mut round_trip = RoundTrip::of::<P>();
        for (at, slot, event) in &self.events {
            let Some((key, slot)) = self.rows.get_index_mut(*slot) else {
                continue;
            };
            let Some(delivery) = Delivery::new(batch.page(), *at) else {
                continue;
            };
            batch.at_event(*at);
            slot.last = *at;
            slot.row = P::fold(slot.row.take(), key, event, delivery)
                .map(|row| round_trip.row(row))
                .transpose()
                .map_err(|error| not_stored::<P>(*at, error))?;
        }
        batch.at_none();
        Ok(())
    }

    async fn write<DB: Backend>(
        self,
        conn: &mut DB::Connection,
        statements: &DB::Statements,
    ) -> Result<(), Failure> {
        let defs = P::TABLE.columns;
        let refused = |error| Failure::from(anyhow::Error::from(in_table::<P>(error)));
        let kept = self.rows.values().filter(|slot| slot.row.is_some()).count();
        let mut columns: Vec<ColumnVec> = defs
            .iter()
            .map(|column| ColumnVec::new(column.kind(), kept))
            .collect();
        let mut gone = Vec::new();
        for (key, slot) in &self.rows {
            match &slot.row {
                Some(row) => {
                    let mut writer = RowWriter::new(defs, &mut columns);
                    let written = row.write(&mut writer).and_then(|()| writer.finish());
                    // When an earlier event of the page is at fault, the smaller windows that
                    // follow show it.
                    written.map_err(|error| not_stored::<P>(slot.last, error))?;
                }
                None if slot.stored => gone.push(key),
                None => {}
            }
        }
        if kept > 0 {
            DB::write_rows(conn, statements, columns)
                .await
                .map_err(whose_fault)?;
        }
        if !gone.is_empty() {
            let keys = keys::<P>(gone.into_iter()).map_err(refused)?;
            DB::delete_rows(conn, statements, keys)
                .await
                .map_err(whose_fault)?;
        }
        Ok(())
    }
}

/// What a page costs without the database: decodes its events, finds the rows that they touch, and
/// folds into new ones. Answers how many there are.
pub fn fold_batch<P: TableProjection>(batch: &Batch) -> Result<usize, Failure> {
    let mut touched = Touched::<P>::of(batch)?;
    touched.fold(batch)?;
    Ok(touched.rows.len())
}

fn unreadable(event: &PageEvent<'_>, source: crate::upcast::DecodeError) -> Failure {
    let error = EventStoreError::Deserialization {
        stream_id: event.stream_id().to_owned(),
        global_position: event.global_position(),
        event_type: event.event_type().to_owned(),
        source,
    };
    Failure::at(event, error).permanent()
}

/// What the event at this place made can't be stored.
fn not_stored<P: TableProjection>(at: usize, error: ColumnError) -> Failure {
    Failure {
        index: Some(at),
        ..Failure::from(anyhow::Error::from(in_table::<P>(error))).permanent()
    }
}

/// The stored form of keys.
pub(crate) fn keys<'k, P: TableProjection>(
    keys: impl ExactSizeIterator<Item = &'k P::Key>,
) -> Result<ColumnVec, ColumnError> {
    let def = P::TABLE.key();
    let mut column = ColumnVec::new(def.kind(), keys.len());
    for key in keys {
        let value = key.to_stored().and_then(StoredColumn::into_value);
        if !column.push(value.map_err(|error| error.of(def.name()))?) {
            let error =
                ColumnError::new("`TableProjection::Key` has another type than the key column");
            return Err(error.of(def.name()));
        }
    }
    Ok(column)
}

pub(crate) fn in_table<P: TableProjection>(source: ColumnError) -> EventStoreError {
    EventStoreError::Column {
        table: P::TABLE.table.to_owned(),
        source,
    }
}

/// What the database says of a value is the fault of the event that it came from; all else, such
/// as a table that is gone or a disk that is full, is not, and no event may be parked for it.
fn whose_fault(error: EventStoreError) -> Failure {
    let of_a_value = match &error {
        EventStoreError::Column { .. } => true,
        EventStoreError::Database(sqlx::Error::Database(database)) => {
            let code = database.code().unwrap_or_default();
            if code.len() == 5 {
                // Data exceptions, constraints and program limits of PostgreSQL.
                ["22", "23", "54"]
                    .iter()
                    .any(|class| code.starts_with(class))
            } else {
                // Too large, and constraints that the user added, on SQLite.
                code.parse::<u32>()
                    .is_ok_and(|code| matches!(code & 0xff, 18 | 19))
            }
        }
        EventStoreError::Database(sqlx::Error::Encode(_)) => true,
        _ => false,
    };
    if of_a_value {
        Failure::from(anyhow::Error::from(error))
    } else {
        Failure::of_database(error)
    }
}
