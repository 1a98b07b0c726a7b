//! A write and its line in the log: both, or neither.

use std::time::Duration;

use super::{Place, far};
use crate::{
    cache::Source,
    database::Database,
    users::{Profile, ProfileChange, User, UserSource, WriteError, rows},
};

fn named(name: &str) -> ProfileChange {
    ProfileChange { name: Some(name.to_owned()), email: None }
}

async fn user(database: &Database, id: i64) -> User {
    let body = UserSource::new(database.clone()).load(id, far()).await.unwrap().unwrap();
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test]
async fn a_write_that_fails_changes_nothing() {
    let place = Place::new();
    let database = place.open(Duration::ZERO, 1).await;
    let copy = Profile { name: "Ada".to_owned(), email: user(&database, 1).await.email };
    let taken = rows::create(&database, copy).await.unwrap_err();
    assert_eq!(taken, WriteError::EmailTaken);
    rows::update(&database, 2, named("Ada"), |_| false).await.unwrap_err();
    rows::delete(&database, 99_999, |_| true).await.unwrap_err();
    assert_eq!(database.extent().await.unwrap().last, 0);
}

#[tokio::test]
async fn a_write_is_in_the_log_under_the_key_of_its_entry() {
    let place = Place::new();
    let database = place.open(Duration::ZERO, 1).await;
    let (renamed, outdated) = rows::update(&database, 2, named("Ada"), |_| true).await.unwrap();
    assert_eq!(renamed, Some(user(&database, 2).await));
    assert_eq!((outdated.change.position, outdated.change.key.as_str()), (1, "user:2"));
    let (_, outdated) = rows::delete(&database, 2, |_| true).await.unwrap();
    assert_eq!((outdated.change.position, outdated.change.key.as_str()), (2, "user:2"));
    let profile = Profile { name: "Ada".to_owned(), email: "ada@example.com".to_owned() };
    let (created, outdated) = rows::create(&database, profile).await.unwrap();
    assert_eq!(outdated.change.key.as_str(), format!("user:{}", created.unwrap().id));
    assert_eq!(database.extent().await.unwrap().last, 3);
}
