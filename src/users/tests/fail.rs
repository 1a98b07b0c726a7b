//! Loads from a database in trouble.

use std::time::Duration;

use sqlx::Executor;
use tokio::time::Instant;

use super::{Place, far, fast};
use crate::{
    cache::{LoadError, Source},
    users::UserSource,
};

#[tokio::test]
async fn with_every_connection_taken_a_load_is_unavailable_in_time() {
    let place = Place::new();
    let database = place.open(Duration::ZERO, 2).await;
    let users = UserSource::new(database.clone());
    let taken =
        [database.readers().acquire().await.unwrap(), database.readers().acquire().await.unwrap()];
    let started = Instant::now();
    let outcome = users.load(1, far()).await;
    assert!(matches!(outcome, Err(LoadError::Unavailable(_))), "{outcome:?}");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    drop(taken);
    assert!(users.load(1, far()).await.unwrap().body.is_some());
}

#[tokio::test]
async fn a_file_that_becomes_corrupt_is_an_error_of_one_line() {
    let place = Place::new();
    fast(&place).await.database.close().await;
    let users = fast(&place).await;
    place.corrupt();
    let outcome = users.load(1, far()).await;
    let Err(LoadError::Failed(text)) = outcome else { panic!("{outcome:?}") };
    assert!(text.contains("malformed") && !text.contains(char::is_control), "{text:?}");
}

#[tokio::test]
async fn a_table_that_vanishes_is_an_error() {
    let place = Place::new();
    let users = fast(&place).await;
    place.connect().await.execute("DROP TABLE users").await.unwrap();
    let outcome = users.load(1, far()).await;
    assert!(matches!(outcome, Err(LoadError::Failed(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_closed_database_is_unavailable() {
    let place = Place::new();
    let users = fast(&place).await;
    users.database.close().await;
    let outcome = users.load(1, far()).await;
    assert!(matches!(outcome, Err(LoadError::Unavailable(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_file_removed_between_connections_is_not_made_anew() {
    let place = Place::new();
    let database = place.open(Duration::ZERO, 2).await;
    let taken = database.readers().acquire().await.unwrap();
    std::fs::remove_file(place.path()).unwrap();
    let outcome = UserSource::new(database).load(1, far()).await;
    assert!(matches!(outcome, Err(LoadError::Unavailable(_))), "{outcome:?}");
    assert!(!place.path().exists());
    drop(taken);
}
