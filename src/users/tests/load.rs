//! What a load returns, how long it takes, and how it ends early.

use std::time::Duration;

use sqlx::Row;
use tokio::time::{Instant, timeout};

use super::{Place, far, fast};
use crate::{
    cache::{LoadError, Source},
    users::{User, UserSource, source},
};

#[tokio::test]
async fn a_user_is_loaded_as_the_json_that_clients_see() {
    let place = Place::new();
    let users = fast(&place).await;
    let body = users.load(42, far()).await.unwrap().body.unwrap();
    let text = std::str::from_utf8(&body).unwrap();
    let user: User = serde_json::from_slice(&body).unwrap();
    let User { id, name, email, created_at, updated_at } = &user;
    assert_eq!(
        text,
        format!(
            r#"{{"id":{id},"name":"{name}","email":"{email}","created_at":"{created_at}","updated_at":"{updated_at}"}}"#
        )
    );
    assert_eq!((*id, users.key(&42).as_str()), (42, "user:42"));
    for unknown in [0, -1, 10_001, i64::MAX, i64::MIN] {
        assert_eq!(users.load(unknown, far()).await.unwrap().body, None);
    }
}

#[tokio::test]
async fn an_unknown_id_takes_as_long_as_a_known_one() {
    let place = Place::new();
    let slow_query = Duration::from_millis(55);
    let users = UserSource::new(place.open(slow_query, 1).await);
    for (id, known) in [(1, true), (10_001, false)] {
        let started = Instant::now();
        assert_eq!(users.load(id, far()).await.unwrap().body.is_some(), known);
        assert!(started.elapsed() >= slow_query, "{id} took {:?}", started.elapsed());
    }
}

#[tokio::test]
async fn the_plan_sleeps_first_and_then_finds_the_user_by_key() {
    let place = Place::new();
    let database = place.open(Duration::ZERO, 1).await;
    let plan =
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", source::QUERY.sqlite)))
            .fetch_all(database.readers())
            .await
            .unwrap();
    let plan: Vec<String> = plan.iter().map(|row| row.get("detail")).collect();
    let line = |text: &str| plan.iter().position(|line| line.starts_with(text));
    let scan = line("SCAN slice").unwrap_or_else(|| panic!("{plan:?}"));
    let search = line("SEARCH u USING INTEGER PRIMARY KEY").unwrap_or_else(|| panic!("{plan:?}"));
    assert!(line("MATERIALIZE work").unwrap() < scan && scan < search, "{plan:?}");
}

#[tokio::test]
async fn a_query_past_its_deadline_is_interrupted_and_its_connection_serves_the_next() {
    let place = Place::new();
    let database = place.open(Duration::from_secs(10), 1).await;
    let users = UserSource::new(database.clone());
    let started = Instant::now();
    let outcome = users.load(1, started + Duration::from_millis(50)).await;
    assert!(matches!(outcome, Err(LoadError::Timeout)), "{outcome:?}");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    count_for_long(database.readers()).await;
    assert_eq!(database.readers().size(), 1);
}

#[tokio::test]
async fn a_query_whose_future_was_dropped_ends_at_its_deadline_too() {
    let place = Place::new();
    let database = place.open(Duration::from_secs(10), 1).await;
    let users = UserSource::new(database.clone());
    let started = Instant::now();
    let load = users.load(1, started + Duration::from_millis(100));
    assert!(timeout(Duration::from_millis(30), load).await.is_err());
    count_for_long(database.readers()).await;
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(database.readers().size(), 1);
}

/// Enough instructions that a deadline left behind on the connection would interrupt them.
async fn count_for_long(readers: &sqlx::SqlitePool) {
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM users WHERE name <> ''")
        .fetch_one(readers)
        .await
        .unwrap();
    assert_eq!(count, 10_000);
}

#[tokio::test]
async fn a_deadline_that_has_passed_begins_no_query() {
    let place = Place::new();
    let database = place.open(Duration::from_secs(10), 1).await;
    let held = database.readers().acquire().await.unwrap();
    let outcome = UserSource::new(database.clone()).load(1, Instant::now()).await;
    assert!(matches!(outcome, Err(LoadError::Timeout)), "{outcome:?}");
    drop(held);
}
