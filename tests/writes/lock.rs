//! Another process keeps the database locked.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use sqlx::SqliteConnection;
use support::{answer::Answer, aside::Aside};
use tokio::{task::JoinSet, time::Instant};

/// The time that a write may wait for the lock and for the writes before it.
const BUDGET: Duration = Duration::from_secs(2);

/// The time that it is locked, at the least.
const LOCKED: Duration = Duration::from_secs(3);

/// The time that a busy machine may add. A write that never gives up takes longer: it takes the client's whole patience.
const SLACK: Duration = Duration::from_secs(10);

async fn locked(aside: &Aside) -> SqliteConnection {
    let mut other = aside.place.connect().await;
    sqlx::raw_sql("BEGIN EXCLUSIVE; UPDATE users SET name = 'Eve'")
        .execute(&mut other)
        .await
        .unwrap();
    other
}

#[tokio::test]
async fn while_it_is_locked_reads_go_on_and_writes_wait_no_longer_than_their_budget() {
    let aside = Aside::start(&["--slow-query", "1ms"]).await;
    let before = aside.name(1).await;
    let mut other = locked(&aside).await;
    let begun_at = Instant::now();
    let mut writes = JoinSet::new();
    let mut id = 0;
    while begun_at.elapsed() < LOCKED || !writes.is_empty() {
        if begun_at.elapsed() < LOCKED && writes.len() < 6 {
            let write = json!({ "name": "Ada" });
            let write = aside.request(Method::PATCH, &format!("/users/{}", 1 + id % 9), &write);
            writes.spawn(async move { Answer::to(write).await.unwrap() });
        }
        // One that is cached, and one that is not.
        assert_eq!(aside.name(1).await, before);
        id = id % 10_000 + 1;
        let read = aside.get(&format!("/users/{id}")).await;
        assert!(read.user(id).took < SLACK, "{read:?}");
        while let Some(refused) = writes.try_join_next() {
            let refused = refused.unwrap();
            refused.problem(503);
            assert_eq!(refused.header("retry-after"), "1");
            assert!(refused.took < BUDGET + SLACK, "{:?}", refused.took);
        }
    }
    assert!(id > 10, "reads went on: {id}");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    aside.rename(1, "Ada").await;
    assert_eq!(aside.name(1).await, "Ada");
}

#[tokio::test]
async fn a_write_that_meets_a_lock_waits_for_it() {
    let aside = Aside::start(&["--slow-query", "1ms"]).await;
    let mut other = locked(&aside).await;
    let write = aside.request(Method::PATCH, "/users/1", &json!({ "name": "Ada" }));
    let write = tokio::spawn(Answer::to(write));
    // Few enough that they fit into what the write waits.
    for id in 1..=10 {
        aside.get(&format!("/users/{id}")).await.user(id);
    }
    assert!(!write.is_finished(), "it waits");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    let written = write.await.unwrap().unwrap();
    assert_eq!(written.user(1).body, aside.get("/users/1").await.body);
    let email = json!({ "email": "ada@example.com" });
    aside.send_json(Method::PATCH, "/users/1", &email).await.user(1);
}
