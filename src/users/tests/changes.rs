//! The log of changes, written by one process and delivered by any.

use std::time::Duration;

use super::{Place, far};
use crate::{
    cache::Places,
    users::{Change, Database, Profile, ProfileChange},
};

fn named(name: &str) -> ProfileChange {
    ProfileChange { name: Some(name.to_owned()), email: None }
}

/// A database that two servers serve.
async fn served(place: &Place) -> Database {
    let database = place.open(Duration::ZERO, 1).await;
    let servers = ["a:1", "b:1"].map(str::to_owned);
    database.serve(&servers, false).await.unwrap();
    database
}

async fn rename(database: &Database, id: i64, name: &str) -> Change {
    database.update(id, named(name), |_| true).await.unwrap().outdated.change
}

/// What each of the two servers has not forgotten yet.
async fn missed(database: &Database) -> [Vec<Change>; 2] {
    let at = async |place| database.missed(place, 0, i64::MAX).await.unwrap().changes;
    [at(0).await, at(1).await]
}

async fn record(database: &Database, place: u16, change: &Change) {
    database.record(1, Places::only(place), &[change.position]).await.unwrap();
}

#[tokio::test]
async fn a_change_is_missed_by_each_server_until_that_one_has_forgotten_it() {
    let place = Place::new();
    let database = served(&place).await;
    assert_eq!(database.extent().await.unwrap().last, 0);
    let change = rename(&database, 1, "Ada").await;
    assert_eq!(missed(&database).await, [vec![change.clone()], vec![change.clone()]]);
    record(&database, 1, &change).await;
    assert_eq!(missed(&database).await, [vec![change.clone()], vec![]]);
    assert_eq!(database.missing().await.unwrap(), 1);
    record(&database, 0, &change).await;
    assert_eq!(missed(&database).await, [vec![], vec![]]);
    assert_eq!(database.missing().await.unwrap(), 0);
    // Those who follow the log hear of it all the same.
    assert_eq!(database.changes(0, i64::MAX).await.unwrap().changes, [change]);
}

#[tokio::test]
async fn a_write_that_fails_changes_nothing() {
    let place = Place::new();
    let database = served(&place).await;
    let taken = database.load(1, far()).await.unwrap().unwrap().email;
    let copy = Profile { name: "Ada".to_owned(), email: taken };
    database.create(copy).await.unwrap_err();
    database.update(2, named("Ada"), |_| false).await.unwrap_err();
    database.delete(99_999, |_| true).await.unwrap_err();
    assert_eq!(database.extent().await.unwrap().last, 0);
}

#[tokio::test]
async fn of_the_changes_of_one_key_only_the_last_is_missed() {
    let place = Place::new();
    let database = served(&place).await;
    let first = rename(&database, 1, "Ada").await;
    let other = rename(&database, 2, "Edsger").await;
    let second = rename(&database, 1, "Grace").await;
    assert_eq!(missed(&database).await[0], [other.clone(), second.clone()]);
    // A replica that is slow to record the earlier one takes nothing from the later.
    record(&database, 0, &first).await;
    assert_eq!(missed(&database).await[0], [other, second]);
}

#[tokio::test]
async fn an_entry_is_outdated_without_a_write_only_if_there_is_such_a_user() {
    let place = Place::new();
    let database = served(&place).await;
    assert_eq!(database.outdate(10_001).await.unwrap(), None);
    assert_eq!(database.missing().await.unwrap(), 0);
    let outdated = database.outdate(42).await.unwrap().unwrap();
    assert_eq!((outdated.change.key.as_str(), outdated.list), ("user:42", 1));
}

#[tokio::test]
async fn the_log_is_pruned_behind_what_is_forgotten_everywhere() {
    let place = Place::new();
    let database = served(&place).await;
    let left = rename(&database, 1, "Ada").await;
    // As 20,000 writes of other users would leave it, of which every second was never recorded.
    place
        .execute(
            "INSERT INTO changes (key, missing)
             WITH RECURSIVE n(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM n WHERE n < 20001)
             SELECT 'user:' || n, (n % 2) * 3 FROM n",
        )
        .await;
    let last = rename(&database, 2, "Grace").await;
    record(&database, 0, &last).await;
    record(&database, 1, &last).await;
    let extent = database.extent().await.unwrap();
    assert_eq!((extent.last, extent.pruned), (20_002, 10_002));
    let kept = "SELECT count(*) FROM changes WHERE missing = 0";
    let mut connection = place.connect().await;
    let kept: i64 = sqlx::query_scalar(kept).fetch_one(&mut connection).await.unwrap();
    assert_eq!(kept, 5_000, "half of the last 10,000");
    let page = database.missed(0, 0, i64::MAX).await.unwrap();
    assert_eq!((&page.changes[0], page.changes.len(), page.is_full), (&left, 1_000, true));
    assert_eq!(database.missed_at(1).await.unwrap(), 10_001, "none that is missed is removed");
}

#[tokio::test]
async fn a_watch_hears_of_commits_and_of_nothing_else() {
    let place = Place::new();
    let database = served(&place).await;
    let mut watch = database.watch().await.unwrap();
    assert!(watch.has_changed().await.unwrap(), "at first nothing is known");
    database.load(1, far()).await.unwrap();
    assert!(!watch.has_changed().await.unwrap());
    rename(&database, 1, "Ada").await;
    assert!(watch.has_changed().await.unwrap());
    assert!(!watch.has_changed().await.unwrap());
    place.execute("UPDATE users SET name = 'Grace' WHERE id = 1").await;
    assert!(watch.has_changed().await.unwrap(), "another program's");
}
