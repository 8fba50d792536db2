//! The kit on a real server.

use mire_testkit::{
    ClusterOptions, PrivateCluster, StopMode, TestDatabase, check_server, test_database,
};
use sqlx::{Connection, PgConnection};

async fn exists(server: &str, database: &str) -> bool {
    let mut conn = PgConnection::connect(server).await.unwrap();
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(database)
        .fetch_one(&mut conn)
        .await
        .unwrap()
}

async fn show(database: &TestDatabase, setting: &str) -> String {
    sqlx::query_scalar("SELECT current_setting($1)")
        .bind(setting)
        .fetch_one(&database.pool())
        .await
        .unwrap()
}

#[tokio::test]
async fn each_test_database_is_its_own_and_is_dropped() {
    let (one, two) = tokio::join!(test_database(), test_database());
    assert_ne!(one.name(), two.name());
    sqlx::raw_sql("CREATE TABLE only_here ()")
        .execute(&one.pool())
        .await
        .unwrap();
    let seen: Option<String> = sqlx::query_scalar("SELECT to_regclass('only_here')::text")
        .fetch_one(&two.pool())
        .await
        .unwrap();
    assert_eq!(seen, None);

    let name = one.name().to_owned();
    assert!(exists(two.url(), &name).await);
    // Its pool still has an open connection, which must not hold the drop up.
    let pool = one.pool();
    drop(one);
    assert!(!exists(two.url(), &name).await);
    drop(pool);
}

#[tokio::test]
async fn a_private_cluster_stops_crashes_and_starts_again() {
    let options = ClusterOptions::new().setting("work_mem", "5MB");
    let cluster = PrivateCluster::start(options).unwrap();
    let (url, folder) = (cluster.url(), cluster.data_dir());
    let database = TestDatabase::create_on(&url).await.unwrap();
    assert_eq!(show(&database, "work_mem").await, "5MB");
    assert_eq!(show(&database, "fsync").await, "on");
    assert_eq!(show(&database, "max_connections").await, "300");

    for mode in [StopMode::Fast, StopMode::Immediate] {
        sqlx::raw_sql("CREATE TABLE IF NOT EXISTS kept ()")
            .execute(&database.pool())
            .await
            .unwrap();
        cluster.stop(mode).unwrap();
        let error = check_server(&url).await.unwrap_err();
        assert!(format!("{error:#}").contains("can't connect"), "{error:#}");
        assert!(cluster.stop(mode).is_err(), "it is stopped already");

        cluster.start_again().unwrap();
        assert_eq!(cluster.url(), url);
        assert!(exists(&url, database.name()).await);
    }
    assert!(
        cluster.log().contains("not properly shut down"),
        "{}",
        cluster.log()
    );

    assert!(cluster.bin_dir().join("initdb").exists());
    drop(database);
    drop(cluster);
    assert!(!folder.exists());
    assert!(check_server(&url).await.is_err());
}

#[tokio::test]
async fn the_right_to_create_databases_is_checked() {
    let cluster = PrivateCluster::start(ClusterOptions::new()).unwrap();
    check_server(&cluster.url()).await.unwrap();

    let mut conn = PgConnection::connect(&cluster.url()).await.unwrap();
    sqlx::raw_sql("CREATE ROLE guest LOGIN")
        .execute(&mut conn)
        .await
        .unwrap();
    let guest = cluster.url().replace("postgres@", "guest@");
    let error = check_server(&guest).await.unwrap_err().to_string();
    assert!(error.contains("ALTER ROLE \"guest\" CREATEDB"), "{error}");

    sqlx::raw_sql("ALTER ROLE guest CREATEDB")
        .execute(&mut conn)
        .await
        .unwrap();
    check_server(&guest).await.unwrap();
    let database = TestDatabase::create_on(&guest).await.unwrap();
    assert!(exists(&guest, database.name()).await);
}

#[test]
fn a_setting_that_the_server_refuses_shows_its_log() {
    let options = ClusterOptions::new().setting("shared_buffers", "plenty");
    let error = PrivateCluster::start(options).unwrap_err();
    assert!(format!("{error:#}").contains("shared_buffers"), "{error:#}");
}
