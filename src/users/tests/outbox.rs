//! Intents to forget a key, written by one process and fulfilled by any.

use super::{Place, far};
use crate::users::{Profile, ProfileChange};
use std::time::Duration;

fn named(name: &str) -> ProfileChange {
    ProfileChange { name: Some(name.to_owned()), email: None }
}

#[tokio::test]
async fn an_intent_lasts_until_it_is_fulfilled() {
    let place = Place::new();
    let database = place.open(Duration::ZERO, 1).await;
    let written = database.update(1, named("Ada"), |_| true).await.unwrap();
    assert_eq!(database.intents("", 10).await.unwrap(), std::slice::from_ref(&written.intent));
    database.fulfilled(&[written.intent]).await.unwrap();
    assert_eq!(database.intents("", 10).await.unwrap(), []);
}

#[tokio::test]
async fn a_write_that_fails_leaves_no_intent() {
    let place = Place::new();
    let database = place.open(Duration::ZERO, 1).await;
    let taken = database.load(1, far()).await.unwrap().unwrap().email;
    let copy = Profile { name: "Ada".to_owned(), email: taken };
    database.create(copy).await.unwrap_err();
    database.update(2, named("Ada"), |_| false).await.unwrap_err();
    database.delete(99_999, |_| true).await.unwrap_err();
    assert_eq!(database.intents("", 10).await.unwrap(), []);
}

/// Two replicas sweep up the intent of one write. The slower must not remove that of the next.
#[tokio::test]
async fn an_intent_is_not_removed_for_an_earlier_write_of_the_same_key() {
    let place = Place::new();
    let database = place.open(Duration::ZERO, 1).await;
    let first = database.update(1, named("Ada"), |_| true).await.unwrap().intent;
    let second = database.update(1, named("Grace"), |_| true).await.unwrap().intent;
    database.fulfilled(std::slice::from_ref(&first)).await.unwrap();
    assert_eq!(database.intents("", 10).await.unwrap(), std::slice::from_ref(&second));
    // The row is gone in between, and a new one begins.
    database.fulfilled(std::slice::from_ref(&second)).await.unwrap();
    let third = database.update(1, named("Edsger"), |_| true).await.unwrap().intent;
    database.fulfilled(&[first, second]).await.unwrap();
    assert_eq!(database.intents("", 10).await.unwrap(), [third]);
}
