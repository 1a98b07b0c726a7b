//! A write and its line in the log: both, or neither.

use std::{sync::Arc, time::Duration};

use super::{Place, far};
use crate::{
    cache::{Memory, Origin, Source, forget},
    database::Database,
    delivery::{Delivery, Log},
    users::{Profile, ProfileChange, User, UserSource, Users, WriteError},
};

fn named(name: &str) -> ProfileChange {
    ProfileChange { name: Some(name.to_owned()), email: None }
}

/// The users of a process that has no memcached.
async fn users(database: &Database) -> Users {
    let memory = Memory::new(1 << 20, Duration::MAX, Origin::Memory);
    let serving = database.serve(&[], false).await.unwrap();
    let opened =
        Log::open(database.clone(), serving, memory.clone(), Box::new(|_: &str| true)).await;
    let (log, notes) = opened.unwrap();
    let delivery = Delivery::start(Arc::new(log), notes, forget(memory), None);
    Users::new(database.clone(), delivery)
}

async fn user(database: &Database, id: i64) -> User {
    let body = UserSource::new(database.clone()).load(id, far()).await.unwrap().body.unwrap();
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test]
async fn a_write_that_fails_changes_nothing() {
    let place = Place::either().await;
    let database = place.open(Duration::ZERO, 1).await;
    let users = users(&database).await;
    let copy = Profile { name: "Ada".to_owned(), email: user(&database, 1).await.email };
    assert_eq!(users.clone().create(copy).await, Err(WriteError::EmailTaken));
    users.clone().update(2, named("Ada"), |_| false).await.unwrap_err();
    users.delete(99_999, |_| true).await.unwrap_err();
    assert_eq!(database.logged().await, [""; 0]);
}

#[tokio::test]
async fn a_write_is_in_the_log_under_the_key_of_its_entry() {
    let place = Place::either().await;
    let database = place.open(Duration::ZERO, 1).await;
    let users = users(&database).await;
    let renamed = users.clone().update(2, named("Ada"), |_| true).await.unwrap();
    assert_eq!(renamed.user, Some(user(&database, 2).await));
    assert!(renamed.is_forgotten);
    users.clone().delete(3, |_| true).await.unwrap();
    let profile = Profile { name: "Ada".to_owned(), email: "ada@example.com".to_owned() };
    let created = users.create(profile).await.unwrap();
    assert_eq!(database.logged().await, ["user:2", "user:3", created.key.as_str()]);
    assert_eq!(created.key.as_str(), format!("user:{}", created.user.unwrap().id));
}
