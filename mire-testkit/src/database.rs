//! A database a test.

use std::env;
use std::str::FromStr;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection, PgPool};
use tokio::time::timeout;
use url::Url;
use uuid::Uuid;

use crate::{ClusterOptions, PrivateCluster};

/// How long a server may take to answer before it counts as out of reach.
const PATIENCE: Duration = Duration::from_secs(20);

/// The connections that a test's pool may open; many tests run at once on one server.
const POOL_SIZE: u32 = 10;

/// A database that only one test uses. Dropping it drops the database, best effort.
#[derive(Debug)]
pub struct TestDatabase {
    server: String,
    name: String,
    url: String,
    pool: PgPool,
}

/// Creates a fresh database on the server that `DATABASE_URL` names, or else on a private cluster
/// that the tests of this process share.
///
/// # Panics
///
/// When there is no server, or when it doesn't let us create databases. It is for tests;
/// [`TestDatabase::create`] answers with an error.
pub async fn test_database() -> TestDatabase {
    TestDatabase::create()
        .await
        .unwrap_or_else(|error| panic!("no database for this test: {error:#}"))
}

impl TestDatabase {
    /// Creates a fresh database; see [`test_database`].
    ///
    /// # Errors
    ///
    /// When there is no server, or when it doesn't let us create databases.
    pub async fn create() -> anyhow::Result<Self> {
        let server = match given_server()? {
            Some(url) => url,
            None => shared_cluster()?,
        };
        Self::create_on(&server).await
    }

    /// Creates a fresh database on the server that `server` names, such as a [`PrivateCluster`].
    ///
    /// # Errors
    ///
    /// When the server can't be reached, or doesn't let us create databases.
    pub async fn create_on(server: &str) -> anyhow::Result<Self> {
        Self::create_as(server, "").await
    }

    /// Creates a fresh database whose default collation sorts text as English does, and not by its
    /// bytes. `None` when the server can't: before PostgreSQL 15.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create).
    pub async fn create_english() -> anyhow::Result<Option<Self>> {
        let server = match given_server()? {
            Some(url) => url,
            None => shared_cluster()?,
        };
        let number: i32 = sqlx::query_scalar("SELECT current_setting('server_version_num')::int")
            .fetch_one(&mut connect(&server).await?)
            .await?;
        if number < 150_000 {
            return Ok(None);
        }
        let options = "TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'en-US'";
        Self::create_as(&server, options).await.map(Some)
    }

    async fn create_as(server: &str, options: &str) -> anyhow::Result<Self> {
        let name = format!("mire_test_{}", Uuid::new_v4().simple());
        let url = with_database(server, &name)?;
        let mut conn = connect(server).await?;
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name} {options}")))
            .execute(&mut conn)
            .await
            .with_context(|| format!("can't create a database on {}", without_password(server)))?;
        let pool = PgPoolOptions::new()
            .max_connections(POOL_SIZE)
            .connect_lazy(&url)?;
        Ok(Self {
            server: server.to_owned(),
            name,
            url,
            pool,
        })
    }

    /// The database's URL, for pools and processes of the test's own.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A pool of ten connections, opened when they are needed.
    pub fn pool(&self) -> PgPool {
        self.pool.clone()
    }

    /// The database's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // The test's own runtime can't be waited for from here, hence another one.
        let dropper = thread::spawn(move || -> anyhow::Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let mut conn = connect(&server).await?;
                let sql = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                timeout(
                    PATIENCE,
                    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn),
                )
                .await??;
                Ok(())
            })
        });
        if let Ok(Err(error)) = dropper.join() {
            // A test that stopped its server is no failure; a database left behind is worth a word.
            eprintln!("database {} was not dropped: {error:#}", self.name);
        }
    }
}

/// The server that `DATABASE_URL` names, if it is set.
///
/// # Errors
///
/// When it isn't the URL of a PostgreSQL.
pub fn given_server() -> anyhow::Result<Option<String>> {
    let url = env::var("DATABASE_URL").unwrap_or_default();
    if url.is_empty() {
        return Ok(None);
    }
    with_database(&url, "postgres")?;
    Ok(Some(url))
}

/// Checks that a server can be reached, and that its user may create databases.
///
/// # Errors
///
/// When it isn't so, with what to do about it.
pub async fn check_server(url: &str) -> anyhow::Result<()> {
    let mut conn = connect(url).await?;
    let (user, may): (String, bool) = sqlx::query_as(
        "SELECT rolname::text, rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user",
    )
    .fetch_one(&mut conn)
    .await?;
    if !may {
        bail!(
            "user `{user}` may not create databases on {}, and each test needs one of its own: run \
             `ALTER ROLE \"{user}\" CREATEDB` there, or unset DATABASE_URL for a private cluster",
            without_password(url)
        );
    }
    Ok(())
}

fn shared_cluster() -> anyhow::Result<String> {
    static SHARED: OnceLock<Result<PrivateCluster, String>> = OnceLock::new();
    let start = || PrivateCluster::start(ClusterOptions::new()).map_err(|e| format!("{e:#}"));
    match SHARED.get_or_init(start) {
        Ok(cluster) => Ok(cluster.url()),
        Err(error) => bail!("{error}"),
    }
}

async fn connect(url: &str) -> anyhow::Result<PgConnection> {
    let options = PgConnectOptions::from_str(url)?;
    let connected = match timeout(PATIENCE, options.connect()).await {
        Ok(connected) => connected.map_err(anyhow::Error::from),
        Err(_) => Err(anyhow::anyhow!("no answer in {} s", PATIENCE.as_secs())),
    };
    connected.with_context(|| {
        format!(
            "can't connect to {}: start that server, or unset DATABASE_URL for a private cluster",
            without_password(url)
        )
    })
}

/// The same URL with another database.
fn with_database(url: &str, database: &str) -> anyhow::Result<String> {
    let mut parsed = Url::parse(url)
        .ok()
        .filter(|url| matches!(url.scheme(), "postgres" | "postgresql"))
        .with_context(|| {
            format!(
                "`{}` is not the URL of a PostgreSQL: the tests need one such as \
                 `postgres://user@host/postgres`",
                without_password(url)
            )
        })?;
    parsed.set_path(database);
    Ok(parsed.into())
}

fn without_password(url: &str) -> String {
    let Ok(mut url) = Url::parse(url) else {
        return url.to_owned();
    };
    if url.password().is_some() {
        // It can't fail for a URL that has a password already.
        let _ = url.set_password(Some("…"));
    }
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_database_changes() {
        assert_eq!(
            with_database(
                "postgres://me:pw@db.example:5433/old?sslmode=require",
                "new"
            )
            .unwrap(),
            "postgres://me:pw@db.example:5433/new?sslmode=require"
        );
        assert_eq!(
            with_database("postgresql://localhost", "new").unwrap(),
            "postgresql://localhost/new"
        );
    }

    #[test]
    fn a_url_of_something_else_is_refused() {
        for url in ["sqlite:bank.db", "localhost", "mysql://localhost/x"] {
            let error = with_database(url, "new").unwrap_err().to_string();
            assert!(error.contains(url), "{error}");
            assert!(error.contains("postgres://user@host/postgres"), "{error}");
        }
    }

    #[test]
    fn messages_hide_the_password() {
        let shown = without_password("postgres://me:secret@host/db");
        assert!(!shown.contains("secret"), "{shown}");
        assert!(shown.contains("me"), "{shown}");
    }

    #[tokio::test]
    async fn an_unreachable_server_is_named_with_the_mend() {
        let error = check_server("postgres://me:secret@127.0.0.1:1/postgres")
            .await
            .unwrap_err();
        let text = format!("{error:#}");
        assert!(
            text.contains("127.0.0.1:1") && text.contains("unset DATABASE_URL"),
            "{text}"
        );
        assert!(!text.contains("secret"), "{text}");
    }
}
