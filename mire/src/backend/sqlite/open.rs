//! Opening a store by its URL.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, Sqlite};
use uuid::Uuid;

use super::Shared;
use crate::backend::{Db, Result};
use crate::error::EventStoreError;

/// One connection writes; the others read beside it.
const CONNECTIONS: u32 = 8;

pub(crate) async fn open(url: &str) -> Result<Db<Sqlite>> {
    if !url.starts_with("sqlite:") {
        return Err(EventStoreError::InvalidArgument {
            name: "the URL of an SQLite store",
            value: format!("`{}`", crate::backend::shown(url)),
            mend: "write `sqlite:bank.db` for a file or `sqlite::memory:`, or open a store of the \
                   type that the URL is for",
        });
    }
    // A driver's database in memory is one to each connection, or locks readers out while someone
    // writes. A file that nobody syncs behaves like every other one and is as fast.
    let memory = matches!(url, "sqlite::memory:" | "sqlite://:memory:");
    let folder = memory.then(PrivateFolder::new).transpose()?.map(Arc::new);
    let options = match &folder {
        Some(folder) => SqliteConnectOptions::new()
            .filename(folder.0.join("mire.db"))
            .create_if_missing(true)
            .synchronous(SqliteSynchronous::Off),
        None => SqliteConnectOptions::from_str(url)?
            .create_if_missing(!url.contains("mode="))
            .synchronous(SqliteSynchronous::Full),
    };
    let file = options.get_filename().to_owned();
    let pool = SqlitePoolOptions::new()
        .max_connections(CONNECTIONS)
        // The folder goes with the last connection's pool, whoever holds that.
        .after_release(move |conn, _| {
            let _folder = &folder;
            // SQLite ends a transaction by itself when the disk is full, and the driver does not
            // notice; such a connection is closed.
            let usable = !conn.is_in_transaction();
            Box::pin(async move { Ok(usable) })
        })
        .connect_with(options)
        .await
        .map_err(|error| unusable(error.into(), &file))?;
    Ok(Db::with_shared(pool, Shared::new(memory)))
}

/// Names the file, where it is at fault.
pub(super) fn unusable(error: EventStoreError, file: &Path) -> EventStoreError {
    /// SQLITE_READONLY and SQLITE_CANTOPEN. A full disk is another matter.
    const NOT_WRITABLE: [u32; 2] = [8, 14];
    /// SQLITE_NOTADB.
    const NOT_A_DATABASE: u32 = 26;
    let EventStoreError::Database(source) = error else {
        return error;
    };
    let file = file.to_owned();
    match result_code(&source) {
        Some(code) if NOT_WRITABLE.contains(&code) => EventStoreError::File { file, source },
        Some(NOT_A_DATABASE) => EventStoreError::NotADatabase { file, source },
        _ => EventStoreError::Database(source),
    }
}

/// SQLite's primary result code: the low byte.
fn result_code(error: &sqlx::Error) -> Option<u32> {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)?;
    Some(code.parse::<u32>().ok()? & 0xff)
}

/// A folder that is deleted with its last owner.
struct PrivateFolder(PathBuf);

impl PrivateFolder {
    fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("mire-memory-{}", Uuid::new_v4().simple()));
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&path).map_err(sqlx::Error::Io)?;
        Ok(Self(path))
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::debug!(folder = %self.0.display(), %error, "a store in memory left its folder behind");
        }
    }
}
