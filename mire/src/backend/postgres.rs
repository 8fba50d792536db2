//! PostgreSQL. Each statement is a file under `postgres/queries/`.

mod append;
mod columns;
mod coordination;
mod import;
mod lock_holders;
mod migrate;
mod read;
mod rows;
mod snapshot;
mod table;

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Pool, Postgres};

use super::{
    AppendMode, AppendOutcome, Backend, Db, EventLog, ImportedEvent, LogRead, NewAppend, RawEvent,
    RawSnapshot, Result, SafeHead, Sink, StoredKey, StreamRead, TailRead, TxLimits, WriteTx, shown,
};
use crate::error::EventStoreError;
use crate::stream::{ExpectedVersion, StreamName};

impl Backend for Postgres {}

/// Whether this is one append that is written once however often it is sent.
fn cannot_be_doubled(appends: &[NewAppend]) -> bool {
    let [append] = appends else {
        return false;
    };
    append.idempotency_key.is_some() || append.expected != ExpectedVersion::Any
}

/// What has a statement that opens a transaction also bound something in it.
fn limit(setting: &str, limit: Duration) -> String {
    let millis = limit.as_millis().clamp(1, i32::MAX as u128);
    format!("; SET LOCAL {setting} = {millis}")
}

/// Why there is no connection. A pool that gave up says only that; one more attempt says more.
async fn reason(error: sqlx::Error, options: &PgConnectOptions) -> sqlx::Error {
    if !matches!(error, sqlx::Error::PoolTimedOut) {
        return error;
    }
    match PgConnection::connect_with(options).await {
        Ok(_) => error,
        Err(reason) => reason,
    }
}

impl EventLog for Postgres {
    const WRITERS: usize = 3;
    const READERS: usize = 2;
    const KEEPS_RECENT: bool = true;

    type Shared = ();
    type Turn = ();

    fn shared(_pool: &Pool<Self>) -> Self::Shared {}

    async fn connect(url: &str) -> Result<Db<Self>> {
        let ours = url.starts_with("postgres:") || url.starts_with("postgresql:");
        let (options, mistake) = match url.parse::<PgConnectOptions>() {
            Ok(options) => (Some(options).filter(|_| ours), String::new()),
            Err(error) if ours => (None, format!(" ({error})")),
            Err(_) => (None, String::new()),
        };
        let Some(options) = options else {
            return Err(EventStoreError::InvalidArgument {
                name: "the URL of a PostgreSQL store",
                value: format!("`{}`{mistake}", shown(url)),
                mend: "write `postgres://user@host:5432/database`, or open a store of the type \
                       that the URL is for",
            });
        };
        match Pool::connect_with(options.clone()).await {
            Ok(pool) => Ok(Db::new(pool)),
            Err(error) => Err(EventStoreError::Unreachable {
                server: format!(
                    "PostgreSQL at `{}:{}`, database `{}`",
                    options.get_host(),
                    options.get_port(),
                    options.get_database().unwrap_or(options.get_username()),
                ),
                source: reason(error, &options).await,
            }),
        }
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
                statement.push_str(&self::limit(setting, limit));
            }
        }
        let tx = db.pool.begin_with(AssertSqlSafe(statement)).await?;
        Ok(WriteTx { tx, turn: () })
    }

    async fn append(
        db: &Db<Self>,
        appends: &[NewAppend],
        mode: AppendMode,
    ) -> Result<Vec<AppendOutcome>> {
        match append::append_alone(db, appends, mode).await {
            Err(error) if error.connection_broke() && cannot_be_doubled(appends) => {
                db.forget_kept();
                let again = append::append_alone(db, appends, mode).await;
                match again.as_deref() {
                    Ok([AppendOutcome::Written { .. } | AppendOutcome::Repeated { .. }]) => again,
                    // Perhaps with itself: whether it was written stays unknown.
                    _ => Err(error),
                }
            }
            outcomes => outcomes,
        }
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
        db: &Db<Self>,
        stream_id: &str,
        version: i64,
        snapshot_version: i32,
        state: &str,
    ) -> Result<()> {
        let mut conn = db.pool.acquire().await?;
        snapshot::save(&mut conn, stream_id, version, snapshot_version, state).await
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
