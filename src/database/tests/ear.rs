//! Being told of changes by PostgreSQL.

use std::time::Duration;

use sqlx::{Connection, Executor, postgres::PgListener};
use support::eventually;
use tokio::time::{Instant, sleep, timeout};

use super::{Place, change};
use crate::database::{Watch, postgres::AWAKE_MIN};

/// Looks as long as it stays awake by itself, and is not told by `until`.
async fn falls_asleep(watch: &mut Watch, until: Instant) -> bool {
    while !watch.is_asleep() && Instant::now() < until {
        watch.news().await.unwrap();
        sleep(Duration::from_millis(20)).await;
    }
    watch.is_asleep()
}

#[tokio::test]
async fn who_sleeps_is_woken_by_the_first_change() {
    let place = Place::on_server().await;
    let (ours, theirs) = (place.open(Duration::ZERO, 1).await, place.open(Duration::ZERO, 1).await);
    let mut watch = ours.watch().await.unwrap();
    for id in 1..=2 {
        assert!(falls_asleep(&mut watch, super::far()).await);
        // A look changes nothing about that, nor does another program that writes.
        watch.news().await.unwrap();
        place.execute("UPDATE users SET name = 'Ada' WHERE id = 1").await;
        watch.news().await.unwrap();
        assert!(watch.is_asleep());
        change(&theirs, id).await;
        timeout(Duration::from_secs(30), watch.told_of()).await.expect("it is told");
        let keys = watch.news().await.unwrap().unwrap().keys.unwrap();
        assert_eq!(keys[0].as_str(), format!("user:{id}"));
        assert!(!watch.is_asleep());
    }
}

#[tokio::test]
async fn nobody_falls_asleep_while_a_transaction_may_rely_on_their_being_awake() {
    let place = Place::on_server().await;
    let database = place.open(Duration::ZERO, 1).await;
    let mut watch = database.watch().await.unwrap();
    change(&database, 1).await;
    // It notes a change, and tells nobody: the one before was just made.
    let mut other = place.client().await;
    let mut slow = other.begin().await.unwrap();
    slow.execute("INSERT INTO changes (key, missing) VALUES ('user:2', 0)").await.unwrap();
    assert!(!falls_asleep(&mut watch, Instant::now() + AWAKE_MIN * 2).await);
    slow.commit().await.unwrap();
    let keys = watch.news().await.unwrap().unwrap().keys.unwrap();
    assert_eq!(keys[0].as_str(), "user:2");
    assert!(falls_asleep(&mut watch, super::far()).await);
}

#[tokio::test]
async fn of_changes_that_follow_each_other_only_the_first_tells_of_itself() {
    let place = Place::on_server().await;
    let database = place.open(Duration::ZERO, 1).await;
    let mut listener = PgListener::connect(&place.url()).await.unwrap();
    listener.listen("aside").await.unwrap();
    for id in 1..=20 {
        change(&database, id).await;
    }
    place.execute("NOTIFY aside, 'the end'").await;
    let mut told = 0;
    while listener.recv().await.unwrap().payload() != "the end" {
        told += 1;
    }
    // One, unless this machine stood still for a second between two of them.
    assert!((1..10).contains(&told), "{told}");
}

#[tokio::test]
async fn who_lost_the_connection_is_awake_and_takes_nothing_for_known() {
    let place = Place::on_server().await;
    let database = place.open(Duration::ZERO, 1).await;
    let mut watch = database.watch().await.unwrap();
    assert!(falls_asleep(&mut watch, super::far()).await);
    place
        .execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE application_name = 'aside' AND datname = current_database()",
        )
        .await;
    timeout(Duration::from_secs(30), watch.told_of()).await.expect("it is told of the end");
    assert!(!watch.is_asleep());
    // It may be another server's log.
    let news = eventually("the news", async || watch.news().await.ok()?);
    assert!(news.await.keys.is_none());
    let changed = eventually("the change is made", async || {
        let key = crate::cache::Key::numbered("user", 1);
        database.outdate(0, &[(key, crate::cache::Places::NONE)]).await.ok()
    });
    let key = changed.await[0].change.key.clone();
    assert_eq!(watch.news().await.unwrap().unwrap().keys.unwrap(), [key]);
}
