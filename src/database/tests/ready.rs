//! Ready, and each reason not to be.

use std::time::Duration;

use sqlx::Executor;

use super::{Place, sqlite};
use crate::database::NotReady;

#[tokio::test]
async fn a_database_whose_queries_are_all_taken_is_ready() {
    let place = Place::new();
    let database = place.open(Duration::ZERO, 1).await;
    let taken = database.readers().acquire().await.unwrap();
    assert_eq!(database.ready().await, Ok(()));
    drop(taken);
}

#[tokio::test]
async fn a_file_that_is_gone_or_another_is_not_ready() {
    let place = Place::new();
    let database = place.open(Duration::ZERO, 1).await;
    let copy = place.path().with_extension("copy");
    std::fs::copy(place.path(), &copy).unwrap();
    std::fs::remove_file(place.path()).unwrap();
    assert_eq!(database.ready().await, Err(NotReady::Gone));
    std::fs::rename(copy, place.path()).unwrap();
    assert_eq!(database.ready().await, Err(NotReady::Replaced));
}

#[tokio::test]
async fn a_file_that_became_corrupt_is_not_ready_even_if_it_was_read_before() {
    let place = Place::new();
    let database = place.open(Duration::ZERO, 1).await;
    assert_eq!(database.ready().await, Ok(()));
    place.corrupt();
    assert_eq!(database.ready().await, Err(NotReady::Corrupt));
}

#[tokio::test]
async fn a_database_without_the_table_is_not_ready_and_heals_with_it() {
    let place = Place::new();
    let database = place.open(Duration::ZERO, 1).await;
    let mut other = place.connect().await;
    other.execute("ALTER TABLE users RENAME TO people").await.unwrap();
    assert_eq!(database.ready().await, Err(NotReady::Failing));
    other.execute("ALTER TABLE people RENAME TO users").await.unwrap();
    assert_eq!(database.ready().await, Ok(()));
}

#[tokio::test]
async fn a_database_that_keeps_the_last_look_waiting_is_not_ready() {
    let place = Place::new();
    let database = place.open(Duration::ZERO, 1).await;
    let waiting = sqlite(&database.probe).acquire().await.unwrap();
    assert_eq!(database.ready().await, Err(NotReady::Silent));
    drop(waiting);
    assert_eq!(database.ready().await, Ok(()));
}
