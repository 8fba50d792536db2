//! The server that everything is measured on, and a database of its own for each system.

use std::str::FromStr;

use anyhow::{Context, bail};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};
use url::Url;
use uuid::Uuid;

/// A server that makes commits durable; nothing is measured on any other.
pub struct Server {
    url: Url,
    pool: PgPool,
    pub version: String,
}

impl Server {
    pub async fn connect() -> anyhow::Result<Self> {
        let url = std::env::var("DATABASE_URL").context(
            "DATABASE_URL is not set: run `cargo xtask bench`, which brings a server along",
        )?;
        let url = Url::parse(&url).context("DATABASE_URL is not a URL")?;
        let pool = PgPoolOptions::new()
            .max_connections(2)
            .connect_with(PgConnectOptions::from_str(url.as_str())?)
            .await
            .context("can't connect to the server that DATABASE_URL names")?;
        for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
            let value: String = sqlx::query_scalar("SELECT current_setting($1)")
                .bind(setting)
                .fetch_one(&pool)
                .await?;
            if value != "on" {
                bail!(
                    "`{setting}` is `{value}` on this server: figures without durable commits say \
                     nothing; switch it on, or unset DATABASE_URL for a private server"
                );
            }
        }
        let version = sqlx::query_scalar("SELECT current_setting('server_version')")
            .fetch_one(&pool)
            .await?;
        Ok(Self { url, pool, version })
    }

    /// An empty database.
    pub async fn database(&self) -> anyhow::Result<Database> {
        let name = format!("mire_bench_{}", Uuid::new_v4().simple());
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .execute(&self.pool)
            .await?;
        let mut url = self.url.clone();
        url.set_path(&name);
        Ok(Database {
            name,
            url: url.into(),
            server: self.pool.clone(),
            server_url: self.url.to_string(),
        })
    }

    /// Writes down what earlier measurements left in memory, so that the next one does not pay for
    /// it.
    pub async fn settle(&self) -> anyhow::Result<()> {
        sqlx::raw_sql("CHECKPOINT")
            .execute(&self.pool)
            .await
            .context("the server's user may not run CHECKPOINT, which stands between two rounds")?;
        Ok(())
    }
}

/// A database of one system.
pub struct Database {
    pub name: String,
    pub url: String,
    server: PgPool,
    server_url: String,
}

impl Database {
    pub async fn drop(self) -> anyhow::Result<()> {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&self.server)
            .await?;
        Ok(())
    }

    /// A connection beside the system's own.
    pub async fn connect(&self) -> anyhow::Result<PgConnection> {
        Ok(PgConnection::connect(&self.url).await?)
    }

    /// A connection to another database of the same server.
    pub async fn server_connection(&self) -> anyhow::Result<PgConnection> {
        Ok(PgConnection::connect(&self.server_url).await?)
    }

    /// Brings the planner's statistics up to date, as autovacuum does sooner or later.
    pub async fn analyze(&self) -> anyhow::Result<()> {
        let mut conn = self.connect().await?;
        sqlx::raw_sql("VACUUM ANALYZE").execute(&mut conn).await?;
        Ok(())
    }
}
