//! The log of changes, written by one process and delivered by any.

use std::time::Duration;

use support::aside::on_postgres;
use tokio::time::timeout;

use super::{Place, change, sqlite};
use crate::{
    cache::{Change, Places},
    database::{Database, News, Sql},
};

/// The places of the two servers.
const BOTH: Places = Places::from_bits(3);

/// A database that two servers serve.
async fn served(place: &Place) -> Database {
    let database = place.open(Duration::ZERO, 1).await;
    let servers = ["a:1", "b:1"].map(str::to_owned);
    database.serve(&servers, false).await.unwrap();
    database
}

async fn changed(database: &Database, id: i64) -> Change {
    change(database, id).await.change
}

/// The keys that each of the two servers has not forgotten yet.
async fn missed(database: &Database) -> [Vec<Change>; 2] {
    let at = async |place| database.changes(place, 0, i64::MAX).await.unwrap().changes;
    [at(0).await, at(1).await]
}

async fn record(database: &Database, place: u16, change: &Change) {
    database.record(1, Places::only(place), &[change.position]).await.unwrap();
}

#[tokio::test]
async fn a_change_is_missed_by_each_server_until_that_one_has_forgotten_it() {
    let place = Place::either().await;
    let database = served(&place).await;
    assert_eq!(database.extent(0, BOTH).await.unwrap().last, 0);
    let change = changed(&database, 1).await;
    assert_eq!(missed(&database).await, [vec![change.clone()], vec![change.clone()]]);
    record(&database, 1, &change).await;
    assert_eq!(missed(&database).await, [vec![change.clone()], vec![]]);
    assert_eq!(database.missing(BOTH).await.unwrap(), 1);
    record(&database, 0, &change).await;
    assert_eq!(missed(&database).await, [vec![], vec![]]);
    assert!(!database.extent(0, BOTH).await.unwrap().is_missed, "a bit of no server means nothing");
    assert_eq!(database.missing(BOTH).await.unwrap(), 0);
    // Those who follow the log hear of it all the same.
    assert_eq!(database.logged().await, [change.key.as_str()]);
}

#[tokio::test]
async fn of_the_changes_of_one_key_that_a_server_has_missed_the_last_may_stand_for_all() {
    let place = Place::either().await;
    let database = served(&place).await;
    let first = changed(&database, 1).await;
    let other = changed(&database, 2).await;
    let second = changed(&database, 1).await;
    // The other server has forgotten the later one, and then an earlier one may still be missed.
    record(&database, 1, &second).await;
    let all = [first.clone(), other.clone(), second.clone()];
    database.supersede(2, 0).await.unwrap();
    assert_eq!(missed(&database).await[0], all, "it is not the list in force");
    for place in [0, 1] {
        database.supersede(1, place).await.unwrap();
    }
    assert_eq!(missed(&database).await, [vec![other.clone(), second], vec![first, other]]);
}

#[tokio::test]
async fn the_log_is_pruned_behind_what_is_forgotten_everywhere() {
    let place = Place::either().await;
    let database = served(&place).await;
    let left = changed(&database, 1).await;
    // As 20,000 writes of other users would leave it, of which every second was never recorded.
    place
        .execute(
            "INSERT INTO changes (key, missing)
             WITH RECURSIVE n(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM n WHERE n < 20001)
             SELECT 'user:' || n, (n % 2) * 3 FROM n",
        )
        .await;
    let last = changed(&database, 2).await;
    record(&database, 0, &last).await;
    record(&database, 1, &last).await;
    database.prune(BOTH).await.unwrap();
    let extent = database.extent(0, BOTH).await.unwrap();
    assert_eq!(extent.last, 20_002);
    // By position in SQLite; PostgreSQL goes by transactions.
    let pruned = Sql::both("SELECT pruned FROM serving");
    let pruned: i64 = database.log.row(pruned, &[]).await.unwrap().get(0).unwrap();
    assert_eq!(pruned == 10_002, !on_postgres());
    assert!(pruned > 0);
    let kept = Sql::both("SELECT count(*) FROM changes WHERE missing & 3 = 0");
    let kept: i64 = database.log.row(kept, &[]).await.unwrap().get(0).unwrap();
    assert_eq!(kept, 5_000, "half of the last 10,000");
    let page = database.changes(0, 0, i64::MAX).await.unwrap();
    assert_eq!((&page.changes[0], page.changes.len(), page.is_full), (&left, 1_000, true));
    assert_eq!(
        database.missing(Places::only(1)).await.unwrap(),
        10_001,
        "none that is missed is removed"
    );
}

#[tokio::test]
async fn a_watch_tells_of_each_change_once_and_of_nothing_else() {
    let place = Place::either().await;
    let database = served(&place).await;
    changed(&database, 1).await;
    let mut watch = database.watch().await.unwrap();
    let mut told = async || {
        let Some(News { keys, list }) = watch.news().await.unwrap() else { return vec![] };
        assert_eq!(list, 1);
        keys.expect("all of them").iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(told().await, [""; 0], "what was before is no news");
    database.ready().await.unwrap();
    assert_eq!(told().await, [""; 0], "nobody has written");
    changed(&database, 2).await;
    changed(&database, 1).await;
    assert_eq!(told().await, ["user:2", "user:1"]);
    assert_eq!(told().await, [""; 0]);
    place.execute("INSERT INTO changes (key, missing) VALUES ('user:3', 0)").await;
    assert_eq!(told().await, ["user:3"], "another program's");
}

#[tokio::test]
async fn a_file_that_nobody_has_written_is_not_read() {
    let place = Place::new();
    let database = served(&place).await;
    let mut watch = database.watch().await.unwrap();
    watch.news().await.unwrap().expect("the first look");
    assert!(watch.news().await.unwrap().is_none());
    changed(&database, 1).await;
    watch.news().await.unwrap().expect("another connection has written");
}

#[tokio::test]
async fn who_watches_a_file_is_told_when_it_is_written() {
    let place = Place::new();
    let (ours, theirs) = (served(&place).await, served(&place).await);
    let mut watch = ours.watch().await.unwrap();
    for id in 1..=3 {
        changed(&theirs, id).await;
        timeout(Duration::from_secs(30), watch.told_of()).await.expect("it is told");
    }
}

#[tokio::test]
async fn what_could_not_be_read_is_told_later_though_nobody_commits_meanwhile() {
    let place = Place::new();
    let database = served(&place).await;
    let mut watch = database.watch().await.unwrap();
    watch.news().await.unwrap();
    changed(&database, 1).await;
    // It keeps one connection, and finds none of the others free.
    let log = sqlite(&database.log);
    let taken = [log.acquire().await.unwrap(), log.acquire().await.unwrap()];
    watch.news().await.unwrap_err();
    drop(taken);
    let keys = watch.news().await.unwrap().unwrap().keys.unwrap();
    assert_eq!(keys[0].as_str(), "user:1");
}

#[tokio::test]
async fn what_a_watch_can_not_tell_it_says() {
    let place = Place::new();
    let database = served(&place).await;
    let mut watch = database.watch().await.unwrap();
    place
        .execute(
            "INSERT INTO changes (key, missing)
             WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1001)
             SELECT 'user:' || n, 0 FROM n",
        )
        .await;
    assert!(watch.news().await.unwrap().unwrap().keys.is_none(), "they are too many");
    changed(&database, 1).await;
    assert_eq!(watch.news().await.unwrap().unwrap().keys.unwrap().len(), 1);
    changed(&database, 1).await;
    place.execute("DELETE FROM changes; UPDATE serving SET pruned = 1003").await;
    assert!(watch.news().await.unwrap().unwrap().keys.is_none(), "one was removed");
}
