//! The list of servers, one for all processes on a database.

use std::{pin::pin, time::Duration};

use futures_util::poll;
use support::eventually;

use super::{Place, change};
use crate::{
    cache::Places,
    database::{Database, ServingError},
};

async fn serve(database: &Database, servers: &str, adopt: bool) -> Result<Vec<String>, String> {
    let servers: Vec<_> = servers.split_terminator(',').map(str::to_owned).collect();
    let serving = database.serve(&servers, adopt).await.map_err(|error| error.to_string())?;
    Ok(serving.servers)
}

/// The servers that are to be emptied before they are used.
async fn emptied(database: &Database, servers: &[String]) -> String {
    let mut emptied = Vec::new();
    for (place, server) in (0..).zip(servers) {
        if database.empty_to(place).await.unwrap().is_some() {
            emptied.push(server.as_str());
        }
    }
    emptied.join(",")
}

#[tokio::test]
async fn the_first_process_gives_the_list_and_others_must_have_the_same() {
    let place = Place::either().await;
    let database = place.open(Duration::ZERO, 1).await;
    assert_eq!(serve(&database, "a:1,b:1", false).await.unwrap(), ["a:1", "b:1"]);
    assert_eq!(serve(&database, "b:1,a:1", false).await.unwrap(), ["a:1", "b:1"], "no order");
    for (ours, text) in [("a:1", "a:1"), ("a:1,c:1", "a:1,c:1"), ("", "none")] {
        let refused = serve(&database, ours, false).await.unwrap_err();
        let begin =
            format!("'--memcached {text}' is not the list of servers of this database, a:1,b:1: ");
        assert!(refused.starts_with(&begin) && refused.contains("--adopt-servers"), "{refused}");
        assert!(!refused.contains(char::is_control), "{refused}");
    }
    assert_eq!(serve(&database, "a:1,b:1", false).await.unwrap(), ["a:1", "b:1"]);
}

#[tokio::test]
async fn a_process_alone_waits_for_the_end_of_the_one_before() {
    let place = Place::either().await;
    let [first, second] =
        [place.open(Duration::ZERO, 1).await, place.open(Duration::ZERO, 1).await];
    let alone = first.serve(&[], false).await.unwrap();
    let mut waiting = pin!(second.serve(&[], false));
    assert!(poll!(&mut waiting).is_pending());
    drop(alone);
    waiting.await.unwrap();
}

/// Keys that one list gives to a server and another does not: what is written meanwhile, that one is not told.
#[tokio::test]
async fn a_server_that_may_hold_what_it_was_not_told_of_is_emptied_first() {
    let place = Place::either().await;
    let database = place.open(Duration::ZERO, 1).await;
    for (list, after) in [
        ("a:1,b:1", ""),
        ("b:1,c:1,a:1", "c:1"),
        ("a:1,b:1", "a:1,b:1"),
        ("a:1,b:1,d:1", "a:1,b:1,d:1"),
        ("", ""),
        ("a:1", "a:1"),
    ] {
        let servers = serve(&database, list, true).await.unwrap();
        assert_eq!(emptied(&database, &servers).await, after, "{list}");
    }
    let list = database.extent(0, Places::NONE).await.unwrap().list;
    database.emptied(list, 0, -1).await.unwrap();
    assert!(database.empty_to(0).await.unwrap().is_some(), "it was before the list");
    database.emptied(list - 1, 0, i64::MAX).await.unwrap();
    assert!(database.empty_to(0).await.unwrap().is_some(), "it was another list's first");
    database.emptied(list, 0, 0).await.unwrap();
    assert_eq!(database.empty_to(0).await.unwrap(), None);
}

#[tokio::test]
async fn a_process_with_the_old_list_records_nothing_and_its_changes_are_for_the_new_one() {
    let place = Place::either().await;
    let database = place.open(Duration::ZERO, 1).await;
    serve(&database, "a:1", false).await.unwrap();
    serve(&database, "b:1,c:1", true).await.unwrap();
    let outdated = change(&database, 1).await;
    assert_eq!(outdated.list, 2);
    database.record(1, Places::only(0), &[1]).await.unwrap();
    assert_eq!(database.missing(Places::only(0)).await.unwrap(), 1);
    assert_eq!(database.missing(Places::only(1)).await.unwrap(), 1);
}

#[tokio::test]
async fn the_list_is_not_replaced_while_somebody_writes_for_the_old_one() {
    let place = Place::on_server().await;
    let database = place.open(Duration::ZERO, 1).await;
    serve(&database, "a:1", false).await.unwrap();
    let writing = database.begin().await.unwrap();
    let adopting = tokio::spawn({
        let database = database.clone();
        async move { serve(&database, "b:1", true).await }
    });
    let mut other = place.client().await;
    let waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
    eventually("it waits", async || {
        let waiting: i64 = sqlx::query_scalar(waits).fetch_one(&mut other).await.unwrap();
        (waiting > 0).then_some(())
    })
    .await;
    database.commit(writing).await.unwrap();
    assert_eq!(adopting.await.unwrap().unwrap(), ["b:1"]);
}

#[tokio::test]
async fn a_server_that_missed_too_much_is_told_nothing_until_it_was_emptied() {
    let place = Place::either().await;
    let database = place.open(Duration::ZERO, 1).await;
    serve(&database, "a:1,b:1", false).await.unwrap();
    change(&database, 1).await;
    database.give_up(1, 1, Places::only(1)).await.unwrap();
    assert_eq!(database.empty_to(1).await.unwrap(), Some(1));
    assert_eq!(
        (
            database.missing(Places::only(0)).await.unwrap(),
            database.missing(Places::only(1)).await.unwrap()
        ),
        (1, 0)
    );
    change(&database, 2).await;
    assert_eq!(
        database.missing(Places::only(1)).await.unwrap(),
        1,
        "what comes after it is told of"
    );
}

#[tokio::test]
async fn only_one_process_may_keep_the_entries_in_its_own_memory() {
    let place = Place::either().await;
    let (one, other) = (place.open(Duration::ZERO, 1).await, place.open(Duration::ZERO, 1).await);
    let serving = one.serve(&[], false).await.unwrap();
    assert_eq!(other.serve(&[], false).await.unwrap_err(), ServingError::NotAlone);
    drop(serving);
    other.serve(&[], false).await.unwrap();
}
