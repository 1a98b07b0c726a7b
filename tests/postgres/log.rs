//! The log of changes: heard of by each process, whatever the order in which transactions commit.

use std::{sync::Arc, time::Duration};

use aside::database::{Database, News, Watch};
use sqlx::{Connection, Executor, PgConnection};
use support::{
    aside::Aside,
    eventually,
    memcached::Memcached,
    servers::{Server, new_database, shared_postgres},
};

use crate::home::{connect, serve, server};

/// Writes to the log as a trigger or another process would.
async fn note(connection: &mut PgConnection, key: &'static str) {
    let note = "INSERT INTO changes (key, missing) VALUES ($1, 0)";
    sqlx::query(note).bind(key).execute(connection).await.unwrap();
}

async fn heard(watch: &mut Watch) -> Option<Vec<String>> {
    let News { keys, .. } = watch.news().await.unwrap()?;
    let mut keys: Vec<_> = keys?.iter().map(ToString::to_string).collect();
    keys.sort();
    Some(keys)
}

#[tokio::test]
async fn a_change_that_commits_after_later_ones_is_heard_of_once() {
    let server = shared_postgres().await;
    let url = server.url_of(&new_database(&server, "template0").await);
    let database = Database::open(&url, Duration::ZERO, 1).await.unwrap();
    let (mut early, mut late) = (connect(&url).await, connect(&url).await);
    let mut watch = database.watch().await.unwrap();
    // It is given the first position, and keeps it to itself.
    let mut slow = early.begin().await.unwrap();
    note(&mut slow, "user:1").await;
    note(&mut late, "user:2").await;
    note(&mut late, "user:3").await;
    assert_eq!(heard(&mut watch).await.unwrap(), ["user:2", "user:3"]);
    note(&mut late, "user:4").await;
    assert_eq!(heard(&mut watch).await.unwrap(), ["user:4"]);
    slow.commit().await.unwrap();
    assert_eq!(heard(&mut watch).await.unwrap(), ["user:1"]);
    assert_eq!(heard(&mut watch).await.unwrap(), [""; 0]);
    // What is rolled back never was.
    let mut undone = early.begin().await.unwrap();
    note(&mut undone, "user:5").await;
    undone.rollback().await.unwrap();
    assert_eq!(heard(&mut watch).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn more_changes_than_can_be_told_are_all_of_them() {
    let server = shared_postgres().await;
    let url = server.url_of(&new_database(&server, "template0").await);
    let database = Database::open(&url, Duration::ZERO, 1).await.unwrap();
    let mut watch = database.watch().await.unwrap();
    let bulk =
        "INSERT INTO changes (key, missing) SELECT 'user:' || n, 0 FROM generate_series(1, 1001) n";
    connect(&url).await.execute(bulk).await.unwrap();
    assert_eq!(heard(&mut watch).await, None);
    // Nor can those be told that were removed before they were heard of.
    assert_eq!(heard(&mut watch).await.unwrap(), [""; 0]);
    let pruned = "INSERT INTO changes (key, missing) VALUES ('user:1', 0);
        UPDATE serving SET pruned = pg_current_xact_id()::text::bigint; DELETE FROM changes";
    connect(&url).await.execute(pruned).await.unwrap();
    assert_eq!(heard(&mut watch).await, None);
}

/// A service with a new database and a memcached, which go with the first, and the database's URL.
async fn with_memcached() -> ((Arc<Server>, Memcached), String, Aside) {
    let (server, memcached) = (shared_postgres().await, Memcached::start().await);
    let url = server.url_of(&new_database(&server, "template0").await);
    let address = memcached.address().to_string();
    let aside = serve(&url, &["--memcached", &address, "--slow-query", "0s"]).await;
    ((server, memcached), url, aside)
}

#[tokio::test]
async fn what_a_dead_writer_has_left_over_is_delivered_by_another() {
    let (_servers, url, aside) = with_memcached().await;
    let old = aside.name(1).await;
    let mut other = connect(&url).await;
    // A transaction as a replica commits it before it is killed.
    let dead = "BEGIN; UPDATE users SET name = 'Ada' WHERE id = 1;
        INSERT INTO changes (key, missing) VALUES ('user:1', 1); COMMIT";
    other.execute(dead).await.unwrap();
    let new = eventually("it is delivered", async || {
        let name = aside.name(1).await;
        (name != old).then_some(name)
    })
    .await;
    assert_eq!(new, "Ada");
}

/// A crash, or another server in its place, may take back what was recorded of the log: what is missing then is delivered
/// once more, wherever this process was.
#[tokio::test]
async fn what_is_missing_again_after_a_crash_is_delivered_again() {
    let (mut server, memcached) = (server().await, Memcached::start().await);
    let address = memcached.address().to_string();
    let aside = serve(&server.url(), &["--memcached", &address, "--slow-query", "0s"]).await;
    let left = "SELECT count(*) FROM changes WHERE missing <> 0";
    let none_is_left = async |url: &str| {
        let mut other = connect(url).await;
        eventually("all is forgotten", async || {
            let left: i64 = sqlx::query_scalar(left).fetch_one(&mut other).await.unwrap();
            (left == 0).then_some(())
        })
        .await;
    };
    for id in 1..=3 {
        aside.rename(id, "Ada").await;
    }
    none_is_left(&server.url()).await;
    // Long enough for sweeps to have passed by what they found.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    server.crash();
    server.restart().await;
    connect(&server.url()).await.execute("UPDATE changes SET missing = 1").await.unwrap();
    none_is_left(&server.url()).await;
}

#[tokio::test]
async fn what_commits_late_is_delivered_though_later_changes_were() {
    let (_servers, url, aside) = with_memcached().await;
    let old = aside.name(1).await;
    let mut other = connect(&url).await;
    let mut slow = other.begin().await.unwrap();
    slow.execute("INSERT INTO changes (key, missing) VALUES ('user:1', 1)").await.unwrap();
    slow.execute("UPDATE users SET name = 'Late' WHERE id = 1").await.unwrap();
    for id in 2..=4 {
        aside.rename(id, "Ada").await;
        // Enough for a sweep to pass by what it has found.
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    assert_eq!(aside.name(1).await, old);
    slow.commit().await.unwrap();
    eventually("it is delivered", async || (aside.name(1).await == "Late").then_some(())).await;
}
