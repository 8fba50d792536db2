//! PostgreSQL. Each statement is a file under `postgres/queries/`.

mod append;
mod coordination;
mod import;
mod migrate;
mod read;
mod rows;
mod snapshot;
mod table;

use std::time::Duration;

use sqlx::{AssertSqlSafe, PgConnection, Pool, Postgres};

use super::{
    AppendMode, AppendOutcome, Backend, Db, EventLog, ImportedEvent, LogRead, NewAppend, RawEvent,
    RawSnapshot, Result, SafeHead, Sink, StoredKey, StreamRead, TailRead, TxLimits, WriteTx,
};
use crate::error::EventStoreError;
use crate::stream::StreamName;

impl Backend for Postgres {}

impl EventLog for Postgres {
    const WRITERS: usize = 3;
    const READERS: usize = 2;
    const KEEPS_RECENT: bool = true;

    type Shared = ();

    fn shared(_pool: &Pool<Self>) -> Self::Shared {}

    async fn connect(url: &str) -> Result<Db<Self>> {
        if !(url.starts_with("postgres:") || url.starts_with("postgresql:")) {
            return Err(EventStoreError::InvalidArgument {
                name: "the URL of a PostgreSQL store",
                value: format!("`{url}`"),
                mend: "write `postgres://user@host/database`, or open a store of the type that \
                       the URL is for",
            });
        }
        Ok(Db::new(Pool::connect(url).await?))
    }

    async fn migrate(db: &Db<Self>, lock_timeout: Duration) -> Result<()> {
        migrate::migrate(db, lock_timeout).await
    }

    async fn begin(db: &Db<Self>, limits: TxLimits) -> Result<WriteTx<Self>> {
        // Appends need READ COMMITTED whatever the server's default is.
        let mut statement = String::from("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE");
        let limits = [
            ("idle_in_transaction_session_timeout", limits.idle),
            ("lock_timeout", limits.lock),
        ];
        for (setting, limit) in limits {
            if let Some(limit) = limit {
                let millis = limit.as_millis().clamp(1, i32::MAX as u128);
                statement.push_str(&format!("; SET LOCAL {setting} = {millis}"));
            }
        }
        let tx = db.pool.begin_with(AssertSqlSafe(statement)).await?;
        Ok(WriteTx { tx, turn: None })
    }

    async fn turn(_db: &Db<Self>) -> Result<Option<tokio::sync::OwnedSemaphorePermit>> {
        Ok(None)
    }

    async fn append(
        db: &Db<Self>,
        appends: &[NewAppend],
        mode: AppendMode,
    ) -> Result<Vec<AppendOutcome>> {
        append::append_alone(db, appends, mode).await
    }

    async fn append_in_tx(
        conn: &mut PgConnection,
        appends: &[NewAppend],
        mode: AppendMode,
    ) -> Result<Vec<AppendOutcome>> {
        append::append(conn, appends, mode, None).await
    }

    async fn lock_stream(conn: &mut PgConnection, stream_id: &str) -> Result<Option<i64>> {
        append::lock_stream(conn, stream_id).await
    }

    async fn claim_stream(conn: &mut PgConnection, stream: &StreamName) -> Result<i64> {
        append::claim_stream(conn, stream).await
    }

    async fn stream_version(conn: &mut PgConnection, stream_id: &str) -> Result<Option<i64>> {
        read::stream_version(conn, stream_id).await
    }

    async fn read_stream(
        conn: &mut PgConnection,
        read: StreamRead<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<Option<i64>> {
        read::read_stream(conn, read, sink).await
    }

    async fn fold_stream(
        conn: &mut PgConnection,
        tail: &TailRead,
        limit: i64,
        sink: &mut Sink<'_>,
    ) -> Result<Option<i64>> {
        read::fold_stream(conn, tail, limit, sink).await
    }

    async fn fold_streams(
        conn: &mut PgConnection,
        tails: &[TailRead],
        limit: i64,
        sink: &mut (dyn FnMut(usize, RawEvent<'_>) -> Result<()> + Send),
    ) -> Result<Vec<Option<i64>>> {
        read::fold_streams(conn, tails, limit, sink).await
    }

    async fn first_orphan(
        conn: &mut PgConnection,
        events: &[(&str, i64)],
    ) -> Result<Option<(usize, i64)>> {
        read::first_orphan(conn, events).await
    }

    async fn safe_head(conn: &mut PgConnection) -> Result<SafeHead> {
        read::safe_head(conn).await
    }

    async fn read_log(
        conn: &mut PgConnection,
        read: LogRead<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<()> {
        read::read_log(conn, read, sink).await
    }

    async fn load_snapshot(
        conn: &mut PgConnection,
        stream_id: &str,
    ) -> Result<Option<RawSnapshot>> {
        snapshot::load(conn, stream_id).await
    }

    async fn save_snapshot(
        conn: &mut PgConnection,
        stream_id: &str,
        version: i64,
        snapshot_version: i32,
        state: &str,
    ) -> Result<()> {
        snapshot::save(conn, stream_id, version, snapshot_version, state).await
    }

    async fn import_head(conn: &mut PgConnection) -> Result<i64> {
        import::head(conn).await
    }

    async fn import(db: &Db<Self>, after: i64, events: &[ImportedEvent]) -> Result<()> {
        import::import(db, after, events).await
    }

    async fn export_keys(
        conn: &mut PgConnection,
        after: (&str, &str),
        up_to: i64,
        limit: i64,
    ) -> Result<Vec<StoredKey>> {
        import::export_keys(conn, after, up_to, limit).await
    }

    async fn import_keys(db: &Db<Self>, keys: &[StoredKey]) -> Result<()> {
        import::import_keys(db, keys).await
    }
}
