//! Table projections: a row type that is folded from events and kept in a table.
//!
//! ```no_run
//! # async fn example<Balance: mire::TableProjection<Key = String>>(store: mire::EventStore) -> anyhow::Result<()> {
//! use mire::table;
//!
//! let runner = table::runner::<Balance, _>(&store).worker_id("a").build();
//! tokio::spawn(runner.run(tokio_util::sync::CancellationToken::new()));
//!
//! let balance: Option<Balance> = table::get(&store, &"acc-1".to_owned()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! A page of events is folded as one: the rows that it touches are loaded in one statement, folded
//! in memory and written back in one, in the transaction of the fenced checkpoint. So every event
//! takes effect exactly once, and a page costs a handful of round trips whatever its length.
//!
//! # Versions
//!
//! A declaration has a *fingerprint*, and each fingerprint is a *version*: a subscription of its
//! own, `balances@1a2b3c4d`, with its own lease and checkpoint, that keeps a table of its own,
//! `balances__1a2b3c4d`. The declared name, `balances`, is a view on the version that *serves*. The
//! registry (`mire_tables`, `mire_table_versions`) says which one that is.
//!
//! ```text
//!             first version: at once
//!           ┌───────────────────────────┐
//!           │                           ▼
//!      registered ──▶ ready ───────▶ serving ────────▶ retired ──────▶ dropped
//!        │  builds      caught up       │  another       ▲  │ no leader    │
//!        │  from 0      with the log    │  swapped in    │  │ for the      │ its code runs
//!        │                              └────────────────┘  │ grace time   │ again: table
//!        │                       ▲      (is ready, and may   │              │ and checkpoint
//!        │                       └──────── be swapped in again)             │ from 0
//!        └──────────────────────────────────────────────────────────────────┘
//! ```
//!
//! * **Prepare**, on every replica before its runner starts, one transaction that locks the
//!   registry's row: register the version; create its table, and then put its checkpoint to 0, or
//!   check the table against the declaration; when nothing serves yet, serve. A checkpoint without
//!   its table (after [`copy`](fn@crate::copy), or of a table that was dropped) is never trusted.
//! * **Building**: an ordinary subscription from the start of the log. The old version goes on, led
//!   by old replicas or, where none is left, standing still.
//! * **Ready**: its leader has handled all up to the end of the log once, and is as far as the version
//!   that serves, whose checkpoint it locks for that. From here on look-ups of this code read its own
//!   table; before, the one that serves, or get
//!   [`TableNotReady`](crate::EventStoreError::TableNotReady) when its columns are others. So they do
//!   again when it is retired and left alone: without a leader for 10 seconds, while the one that
//!   serves goes on. See [`get`].
//! * **Taken up again**, by whoever takes the lease of a version that was left alone, in that
//!   transaction: it is not ready any more, so look-ups, which have left it, come back only when it is
//!   as far as the one that serves. A runner that starts with a version that nobody leads does the
//!   same when it prepares.
//! * **Swap**, by the leader of the version that comes, one transaction: (1) lock the registry's
//!   row; (2) lock the checkpoint of the version that serves, and go on only if it isn't ahead, so
//!   that no reader sees the table go back; (3) point the view to the new table, note who serves;
//!   (4) the fenced checkpoint. A reader of the view sees the one table or the other, complete.
//! * **Which one**: a newer version (one that was first registered later) is swapped in as soon as
//!   it has caught up. An older one, whose code was rolled back, only after nobody has led the one
//!   that serves for `take_over_after`. While replicas of both run, the newer serves, steadily. A
//!   version with parked events doesn't take the place of another one; nor do look-ups read it, before
//!   it has served, instead of one that fits this code.
//! * **Drop**: the leader of the version that serves drops the table of one that neither serves nor
//!   has had a leader, or been started, for `drop_tables_after`.
//! * **Gone**: a leader whose table was dropped by hand prepares again. That draws a fence token above
//!   its own, so it ends, and whoever leads next builds from the start. If it serves, look-ups see it
//!   grow meanwhile, as with a first version.
//!
//! # Other names
//!
//! * **The table** gets another declared name: that is another version. The old name goes on showing
//!   the old version's table, as it stood when its last runner stopped, and is dropped together with
//!   it, `drop_tables_after` later. The new name is there when the new version is complete.
//!   Look-ups of either code read the version that serves under that one's name.
//! * **The subscription** gets another name: that is another projection, whose first version serves
//!   at once, while it builds. The old one's tables and view stay as they are until [`remove`] drops
//!   them. If the table's name stays, that has to be done first.
//!
//! A change that has to go without a gap keeps the subscription's name.
//!
//! # Who owns the clock
//!
//! The database: whether a lease is dead, and for how long, is computed by the statement that asks.
//! Look-ups leave a version after 10 seconds. Who takes its lease does so as if they had after 8; on
//! PostgreSQL the server ends that transaction when it does not commit within a second of asking, so
//! nobody finds the lease live again and the version still ready.
//!
//! # What happens when each party stops, line by line
//!
//! | who stops, and where | what follows |
//! |---|---|
//! | a replica within prepare | it rolls back; the next one does it |
//! | the same, stopped (`SIGSTOP`) while it has the registry | the server ends its transaction after 30 seconds of silence. Folding goes on meanwhile: (1) is not waited for, but tried again, and said aloud after 5 seconds. What starts waits for its turn |
//! | a builder, anywhere | its table and its checkpoint are from the same commit; another replica goes on there |
//! | a leader between (1) and (4) | all of it rolls back; the view was never pointed elsewhere for anyone else |
//! | a leader that lost its lease, before (4) | (4) finds another token, and all of it rolls back |
//! | a leader after (4), before it knows | the version serves; it, or its successor, finds that it does |
//! | all replicas of the version that serves | the view stands still; an older version that runs takes over after `take_over_after` |
//! | who reads the view for a long time | (3) gives up after 300 ms, so that other readers don't queue behind it; it is tried again every 5 s, and said aloud; the version's [`hindrance`](TableVersion::hindrance) names the session |
//! | a view of the user's own on the view | where columns change it hinders (3): noted as the version's [`hindrance`](TableVersion::hindrance), the old version serves on |
//! | a leader that a failure stops | it notes why as the version's hindrance, beside any transaction of its own and unfenced, since it is a text for people; the next commit of whoever leads takes it back |
//! | the leader of the version that serves, stopped within its transaction | (2) gives up after 300 ms: noted as the hindrance of the version that comes, which folds on and tries again every 5 s. Another leader of the one that serves has the transaction ended |
//! | who locks a version's table for longer than the store's lock time-out | the page rolls back and is tried again; noted as the version's hindrance until it goes through |
//! | the leader of an old version, stopped for so long that look-ups left it | its lease has run out. It, or another one, takes it again, and the version has to catch up before look-ups come back |
//! | who takes that lease, before the commit | nothing has changed: look-ups find neither a live lease nor that the version is to catch up |
//! | the same, after the commit | the lease is live, and the version not ready; it is not read until a leader finds that it has caught up |
//! | such a leader, stopped within its transaction on SQLite | nobody can write, so nobody takes its lease; when it goes on, the heartbeat that it carries has the version catch up likewise |
//! | a leader that is killed | [`status`] shows that nobody leads the version, and no time that is left |
//! | the old code's replica, while its table is dropped | dropping and prepare lock the same row; what started before the drop keeps it from being dropped, what starts after builds anew |
//!
//! # Values
//!
//! See [`StoredColumn`] for what can be stored. What can't (NaN, a NUL in a text, a `u64` above
//! `i64::MAX`) is the fault of the event that made the row so, and stops or parks that event, as
//! the failure policy says.
//!
//! A row that is loaded may differ from the one that was written: times are whole microseconds then,
//! and whatever a column type of your own leaves out is gone. So each event's row goes through its
//! stored form before the next event sees it, within a page as between two of them; a key does so
//! before its row is looked for. The table is the same wherever pages end.

pub(crate) mod fold;
mod lookup;
mod page;
mod prepare;
mod projection;
mod rebuild;
mod remove;
mod round_trip;
mod runner;
mod status;
mod version;

pub use crate::backend::table::Row;
pub use crate::column::{
    ColumnDef, ColumnError, ColumnKind, ColumnType, Json, NotNull, RowReader, RowWriter,
    StoredColumn,
};
pub use lookup::{Rows, by_index, by_index_range, get, get_many, list};
pub use page::{IntoPage, Page};
pub use projection::{Delivery, TableDef, TableProjection, from_row};
pub use remove::remove;
pub use runner::runner;
pub use status::{TableStatus, TableVersion, status, wait_for};
pub use version::{MAX_COLUMN_BYTES, MAX_TABLE_BYTES};
