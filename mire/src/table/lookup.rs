//! Typed look-ups: the rows of a table, by key or by an indexed column.

use std::ops::{Bound, RangeBounds};

use futures_util::future::BoxFuture;

use crate::backend::table::{Filter, Find, LEFT_ALONE_SECONDS, Part, RawVersion, RowSink};
use crate::backend::{Backend, Result};
use crate::column::{ColumnError, ColumnType, ColumnValue, RowReader, StoredColumn};
use crate::error::EventStoreError;
use crate::store::EventStore;
use crate::table::TableProjection;
use crate::table::fold::{in_table, keys};
use crate::table::page::{IntoPage, Page};

/// A look-up of several rows. It is boxed, since the type of an `async fn` carries the bounds of its
/// parameters with it: rustc would tell of a page or a range that doesn't fit at the call, of the call
/// as a whole, and at its `.await`.
pub type Rows<'a, P> = BoxFuture<'a, Result<Vec<P>>>;

/// All rows that fit, in whatever order.
const ALL: Part = Part {
    limit: i64::MAX,
    after: Vec::new(),
    descending: false,
};

/// The row with a key.
///
/// It is read from this code's own version of the table while that serves, or is complete and kept up
/// to date; else from the version that serves. A version counts as left alone once nobody has led it
/// for 10 seconds and the one that serves has gone on: its rows are those of long ago. A lease lasts
/// for its ttl after its leader died, and what was found is believed for 5 seconds. By default a
/// look-up may so read a table for 45 seconds after the last sign of life of a killed leader, and for
/// 15 seconds after a runner that stopped in good order.
///
/// Code that was rolled back, or whose runner was away for longer than that, reads its own table again
/// when its runner has caught up with the log and with the version that serves; until then, seconds
/// later as a rule, it reads the one that serves. So what was seen there is not unseen.
///
/// # Errors
///
/// [`EventStoreError::TableNotReady`] when that one's columns are not these, or nothing serves yet;
/// [`EventStoreError::Column`] and [`EventStoreError::Database`].
///
/// # Cancel safety
///
/// A read; dropping it has no effect.
pub async fn get<P: TableProjection, DB: Backend>(
    store: &EventStore<DB>,
    key: &P::Key,
) -> Result<Option<P>> {
    let mut rows = get_many::<P, DB>(store, std::slice::from_ref(key)).await?;
    Ok(rows.pop())
}

/// The rows with these keys, as far as they are there, in no order.
///
/// # Errors
///
/// As [`get`].
///
/// # Cancel safety
///
/// A read; dropping it has no effect.
pub async fn get_many<P: TableProjection, DB: Backend>(
    store: &EventStore<DB>,
    keys: &[P::Key],
) -> Result<Vec<P>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let keys = self::keys::<P>(keys.iter()).map_err(in_table::<P>)?;
    find(store, Filter::Keys(keys), ALL).await
}

/// Rows in the order of their keys; a [`Page`] of them, or so many from the start.
///
/// # Errors
///
/// As [`get`], and [`EventStoreError::InvalidArgument`] for a negative limit.
///
/// # Cancel safety
///
/// A read; dropping it has no effect.
pub fn list<'a, 'last, P: TableProjection, DB: Backend>(
    store: &'a EventStore<DB>,
    page: impl IntoPage<&'last P::Key>,
) -> Rows<'a, P> {
    let part = part(page.into_page(), behind_key::<P>);
    find_all(store, part.map(|part| (Filter::All, part)))
}

/// Rows with a value in an indexed column, in the order of their keys; a [`Page`] of them, or so many
/// from the start.
///
/// # Errors
///
/// As [`list`], and [`EventStoreError::InvalidArgument`] for a column that has no index.
///
/// # Cancel safety
///
/// A read; dropping it has no effect.
pub fn by_index<'a, 'last, P: TableProjection, DB: Backend, T: ColumnType>(
    store: &'a EventStore<DB>,
    column: &'static str,
    value: &T,
    page: impl IntoPage<&'last P::Key>,
) -> Rows<'a, P> {
    find_all(store, equal::<P, T>(column, value, page.into_page()))
}

/// What [`by_index`] looks for.
fn equal<P: TableProjection, T: ColumnType>(
    column: &'static str,
    value: &T,
    page: Page<&P::Key>,
) -> Result<(Filter, Part)> {
    let part = part(page, behind_key::<P>)?;
    let index = indexed::<P>(column)?;
    let filter = Filter::Equal(index, self::value::<P, _>(index, value)?);
    Ok((filter, part))
}

/// Rows whose value in an indexed column is in a range, in the order of these values and, among
/// equal ones, of their keys; a [`Page`] of them, or so many from the start. A row without a value is
/// in no range.
///
/// # Errors
///
/// As [`by_index`], and [`EventStoreError::InvalidArgument`] for a page behind a row without a value.
///
/// # Cancel safety
///
/// A read; dropping it has no effect.
pub fn by_index_range<'a, 'last, P, DB, T>(
    store: &'a EventStore<DB>,
    column: &'static str,
    range: impl RangeBounds<T>,
    page: impl IntoPage<(&'last T, &'last P::Key)>,
) -> Rows<'a, P>
where
    P: TableProjection,
    DB: Backend,
    T: ColumnType + 'last,
{
    find_all(store, between::<P, T>(column, &range, page.into_page()))
}

/// What [`by_index_range`] looks for.
fn between<P: TableProjection, T: ColumnType>(
    column: &'static str,
    range: &impl RangeBounds<T>,
    page: Page<(&T, &P::Key)>,
) -> Result<(Filter, Part)> {
    let index = indexed::<P>(column)?;
    let stored = |bound: Bound<&T>| -> Result<Bound<ColumnValue>> {
        Ok(match bound {
            Bound::Included(bound) => Bound::Included(value::<P, T>(index, bound)?),
            Bound::Excluded(bound) => Bound::Excluded(value::<P, T>(index, bound)?),
            Bound::Unbounded => Bound::Unbounded,
        })
    };
    let (from, to) = (stored(range.start_bound())?, stored(range.end_bound())?);
    let behind = |(last, key): (&T, &P::Key)| match value::<P, T>(index, last)? {
        ColumnValue::Null => Err(EventStoreError::InvalidArgument {
            name: "the row that a page comes after",
            value: format!("one without a value in `{column}`"),
            mend: "pass the value and the key of a row in the range",
        }),
        last => Ok([vec![last], behind_key::<P>(key)?].concat()),
    };
    Ok((Filter::Range(index, from, to), part(page, behind)?))
}

/// Finds what is looked for, if that can be.
fn find_all<P: TableProjection, DB: Backend>(
    store: &EventStore<DB>,
    wanted: Result<(Filter, Part)>,
) -> Rows<'_, P> {
    Box::pin(async move {
        let (filter, part) = wanted?;
        find(store, filter, part).await
    })
}

/// A page, by the values that it comes behind.
fn part<A>(page: Page<A>, behind: impl FnOnce(A) -> Result<Vec<ColumnValue>>) -> Result<Part> {
    let Page {
        limit,
        after,
        descending,
    } = page;
    if limit < 0 {
        return Err(EventStoreError::InvalidArgument {
            name: "the limit",
            value: limit.to_string(),
            mend: "pass 0 or more",
        });
    }
    Ok(Part {
        limit,
        after: after.map(behind).transpose()?.unwrap_or_default(),
        descending,
    })
}

fn behind_key<P: TableProjection>(key: &P::Key) -> Result<Vec<ColumnValue>> {
    Ok(vec![value::<P, _>(P::TABLE.key_index(), key)?])
}

fn indexed<P: TableProjection>(column: &'static str) -> Result<usize> {
    let columns = P::TABLE.columns;
    columns
        .iter()
        .position(|def| def.name() == column && (def.is_indexed() || def.is_key()))
        .ok_or_else(|| EventStoreError::InvalidArgument {
            name: "the column of a look-up",
            value: format!("`{column}`"),
            mend: "name a column that is declared with an index",
        })
}

fn value<P: TableProjection, T: ColumnType>(column: usize, value: &T) -> Result<ColumnValue> {
    let def = &P::TABLE.columns[column];
    if T::Stored::KIND != def.kind() {
        let error = ColumnError::new(format!(
            "it is declared as `{}`, and looked up as `{}`",
            def.kind().name(),
            T::Stored::KIND.name(),
        ));
        return Err(in_table::<P>(error.of(def.name())));
    }
    value
        .to_stored()
        .and_then(StoredColumn::into_value)
        .map_err(|error| in_table::<P>(error.of(def.name())))
}

/// Where this code's look-ups read; and why not from its own version, for a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// Its own version's table.
    Own,
    /// The view on the version that serves.
    Serving {
        /// Its name, which this code may declare otherwise.
        view: String,
        why_not: &'static str,
        /// Whether the own table does where that view doesn't fit this code.
        or_own: bool,
    },
    /// No version serves.
    Nothing(&'static str),
}

/// Chooses among the versions.
fn choose(versions: &[RawVersion], own: &str) -> Source {
    let serving = versions.iter().find(|version| version.serving);
    let mut or_own = false;
    let why_not = match versions.iter().find(|version| version.fingerprint == own) {
        None => "is not complete",
        Some(version) if version.dropped_at.is_some() => "was dropped",
        Some(version) if version.serving => return Source::Own,
        Some(version) if version.ready_at.is_none() => "is not complete",
        Some(version) if is_left_alone(version, serving) => "is behind, since nobody leads it",
        Some(version) if lacks_parked(version) => {
            or_own = true;
            "has parked events"
        }
        Some(_) => return Source::Own,
    };
    match serving {
        Some(serving) => Source::Serving {
            view: serving.table_name.clone(),
            why_not,
            or_own,
        },
        None => Source::Nothing(why_not),
    }
}

/// Whether rows would go back that look-ups saw in the version that serves: what keeps a version from
/// being swapped in keeps it from being read as well.
fn lacks_parked(version: &RawVersion) -> bool {
    version.parked > 0 && version.retired_at.is_none()
}

/// Whether a version that doesn't serve has stood still while the one that serves went on. While
/// both stand still, its rows are as good.
fn is_left_alone(version: &RawVersion, serving: Option<&RawVersion>) -> bool {
    version.idle_seconds > LEFT_ALONE_SECONDS
        && serving.is_some_and(|serving| serving.position > version.position)
}

fn own_version<P: TableProjection>() -> (&'static str, u32) {
    (P::TABLE.subscription, P::TABLE.fingerprint)
}

pub(crate) async fn source<P: TableProjection, DB: Backend>(
    store: &EventStore<DB>,
) -> Result<Source> {
    if store.ready_tables().knows(own_version::<P>()) {
        return Ok(Source::Own);
    }
    let mut conn = store.pool().acquire().await?;
    let versions = DB::table_versions(&mut conn, P::TABLE.subscription).await?;
    let source = choose(&versions, &P::TABLE.version());
    if source == Source::Own {
        store.ready_tables().note(own_version::<P>(), true);
    }
    Ok(source)
}

async fn find<P: TableProjection, DB: Backend>(
    store: &EventStore<DB>,
    filter: Filter,
    part: Part,
) -> Result<Vec<P>> {
    if source::<P, DB>(store).await? == Source::Own {
        let own = P::TABLE.physical_table();
        match find_in::<P, DB>(store, &own, filter.clone(), part.clone()).await {
            // Dropped since it was found complete: long after it was retired, or by hand.
            Err(error) if DB::is_shape_error(&error) => {
                store.ready_tables().note(own_version::<P>(), false);
            }
            answer => return answer,
        }
    }
    match source::<P, DB>(store).await? {
        Source::Nothing(why_not) => Err(not_ready::<P>(why_not, "no version serves", None)),
        Source::Own => find_own(store, filter, part).await,
        Source::Serving {
            view,
            why_not,
            or_own,
        } => {
            let found = find_in_view(store, &view, filter.clone(), part.clone()).await;
            match found {
                Ok(found) => Ok(found),
                Err(Misfit::Unread(error)) => Err(error),
                Err(Misfit::Other(..)) if or_own => find_own(store, filter, part).await,
                Err(Misfit::Other(serving, error)) => Err(not_ready::<P>(why_not, serving, error)),
            }
        }
    }
}

async fn find_own<P: TableProjection, DB: Backend>(
    store: &EventStore<DB>,
    filter: Filter,
    part: Part,
) -> Result<Vec<P>> {
    let found = find_in::<P, DB>(store, &P::TABLE.physical_table(), filter, part).await;
    found.map_err(|error| {
        if DB::is_missing_table(&error) {
            not_ready::<P>(
                "has lost its table",
                "no other is read instead",
                Some(error),
            )
        } else {
            error
        }
    })
}

/// Why the view on another version gave no rows.
enum Misfit {
    /// It has none for this code.
    Other(&'static str, Option<EventStoreError>),
    /// It could not be read.
    Unread(EventStoreError),
}

async fn find_in_view<P: TableProjection, DB: Backend>(
    store: &EventStore<DB>,
    view: &str,
    filter: Filter,
    part: Part,
) -> std::result::Result<Vec<P>, Misfit> {
    const OTHER: &str = "the one that serves has other columns";
    let fits = async {
        let mut conn = store.pool().acquire().await?;
        DB::can_compare(&mut conn, view, P::TABLE.columns).await
    };
    if !fits.await.map_err(Misfit::Unread)? {
        return Err(Misfit::Other(OTHER, None));
    }
    let found = find_in::<P, DB>(store, view, filter, part).await;
    found.map_err(|error| {
        if DB::is_missing_table(&error) {
            Misfit::Other("the one that serves has lost its table", Some(error))
        } else if DB::is_shape_error(&error) || matches!(error, EventStoreError::Column { .. }) {
            Misfit::Other(OTHER, Some(error))
        } else {
            Misfit::Unread(error)
        }
    })
}

fn not_ready<P: TableProjection>(
    own: &'static str,
    serving: &'static str,
    source: Option<EventStoreError>,
) -> EventStoreError {
    EventStoreError::TableNotReady {
        table: P::TABLE.table.to_owned(),
        subscription_id: P::TABLE.subscription_id(),
        own,
        serving,
        source: source.map(Box::new),
    }
}

async fn find_in<P: TableProjection, DB: Backend>(
    store: &EventStore<DB>,
    relation: &str,
    filter: Filter,
    part: Part,
) -> Result<Vec<P>> {
    let columns = P::TABLE.columns;
    let mut rows = Vec::new();
    let sink: &mut RowSink<'_> = &mut |source| {
        let row = P::read(&mut RowReader::new(columns, source));
        rows.push(row.map_err(in_table::<P>)?);
        Ok(())
    };
    let find = Find {
        relation,
        columns,
        filter,
        part,
    };
    let mut conn = store.pool().acquire().await?;
    DB::find_rows(&mut conn, find, sink).await?;
    Ok(rows)
}
