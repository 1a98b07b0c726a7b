//! A memcached that comes back: it is told what it missed, each change once, and used again whatever writers do.

use reqwest::Method;
use rustix::process::Signal;
use serde_json::json;
use support::{
    aside::{Aside, Place},
    eventually,
    link::Links,
    memcached::Memcached,
    proxy::Flow,
};
use tokio::task::JoinSet;

use crate::request::{ALL_PLACES, all_forgotten, missing, number};

const FAST: [&str; 2] = ["--slow-query", "0s"];

async fn is(aside: &Aside, server: usize, expected: &str) {
    eventually(expected, async || (aside.states().await[server] == expected).then_some(())).await;
}

/// Reads users until the server is found to be away.
async fn is_away(aside: &Aside, server: usize) {
    eventually("out of service", async || {
        aside.name(fastrand::i64(1..=10_000)).await;
        (aside.states().await[server] == "out of service").then_some(())
    })
    .await;
}

#[tokio::test]
async fn of_a_key_that_is_written_again_and_again_a_server_that_is_away_misses_one_change() {
    let mut memcached = Memcached::start().await;
    let aside = Aside::start(&["--memcached", &memcached.address().to_string()]).await;
    memcached.kill();
    is_away(&aside, 0).await;
    // 10,000 of them, so that it is worth the while.
    aside.place.execute(changes().replace("'user:' || id", "'user:7'")).await;
    let one = async || (missing(&aside.place).await == 1).then_some(());
    eventually("the last stands for all", one).await;
    memcached.restart().await;
    all_forgotten(&aside.place).await;
}

/// 10,000 changes that no server has been told of, as a bulk of writes leaves them whose writer dies.
fn changes() -> String {
    format!(
        "INSERT INTO changes (key, missing)
            SELECT 'user:' || id, (SELECT {ALL_PLACES} FROM servers) FROM users"
    )
}

#[tokio::test]
async fn a_server_is_told_once_and_only_of_keys_that_it_may_hold() {
    let servers = [Memcached::start().await, Memcached::start().await, Memcached::start().await];
    let addresses = servers.each_ref().map(|server| server.address().to_string()).join(",");
    let mut aside = Aside::start(&["--memcached", &addresses]).await;
    aside.signal(Signal::KILL);
    aside.ended().await;
    aside.place.execute(changes()).await;
    let aside = Aside::start_at(&aside.place, &["--memcached", &addresses]).await;
    all_forgotten(&aside.place).await;
    let mut deleted = 0;
    for server in &servers {
        let [hits, misses] = [server.statistic("delete_hits"), server.statistic("delete_misses")];
        deleted += hits.await.unwrap() + misses.await.unwrap();
    }
    // Each key may be on two of the three; the connections' own trials may be among them.
    assert!((20_000..20_100).contains(&deleted), "{deleted} deletes for 10,000 keys");
}

#[tokio::test]
async fn a_locked_database_does_not_keep_a_server_from_being_used_again() {
    let mut memcached = Memcached::start().await;
    let address = memcached.address().to_string();
    let aside = Aside::start(&[&["--memcached", &address][..], &FAST].concat()).await;
    aside.name(1).await;
    let lock = aside.place.lock().await;
    // So many writers wait for the lock, one after the other, that whoever waits behind them waits in vain.
    let mut writers = JoinSet::new();
    for id in 2..=17 {
        let path = format!("/users/{id}");
        let request = aside.request(Method::PATCH, &path, &json!({ "name": "Ada" }));
        writers.spawn(async move {
            loop {
                request.try_clone().unwrap().send().await.unwrap();
            }
        });
    }
    memcached.restart().await;
    eventually("a hit", async || {
        let answer = aside.get("/users/1").await;
        let hit = answer.x_cache() == "HIT" && !answer.cache_status().contains_key("detail");
        hit.then_some(())
    })
    .await;
    writers.shutdown().await;
    drop(lock);
}

#[tokio::test]
async fn what_the_cache_can_t_hold_is_not_noted() {
    let mut memcached = Memcached::start().await;
    let aside = Aside::start(&["--memcached", &memcached.address().to_string()]).await;
    memcached.kill();
    is_away(&aside, 0).await;
    for id in [1, 2, 10_001, 10_002, i64::MAX] {
        let answer = aside.send(Method::DELETE, &format!("/cache/users/{id}"), &[]).await;
        assert_eq!(answer.status, 204);
    }
    assert_eq!(missing(&aside.place).await, 2, "one for each user that there is");
    memcached.restart().await;
    all_forgotten(&aside.place).await;
}

#[tokio::test]
async fn a_server_that_missed_too_much_is_emptied_of_entries_and_of_nothing_else() {
    for arguments in [&[][..], &["-o", "no_lru_crawler"]] {
        let memcached = [Memcached::start_with(arguments).await];
        let (place, links) = (Place::seeded().await, Links::start(&memcached));
        let aside = Aside::run(&place, links.command(&place, &FAST)).await;
        let user = json!({ "user_id": 1, "username": "Ada" });
        let session = aside.send_json(Method::POST, "/sessions", &user).await.json();
        for id in 1..=20 {
            aside.name(id).await;
        }
        links.to(0).set(Flow::Cut);
        is_away(&aside, 0).await;
        place.execute("UPDATE servers SET empty_to = 0").await;
        assert_ne!(memcached[0].stored("user:1").await, "EN");
        // An entry that nobody reads any more.
        memcached[0].ask("ms user:77 2 T600\r\n{}\r\n", "HD\r\n").await.unwrap();
        links.to(0).mend();
        is(&aside, 0, "in service").await;
        assert_eq!(memcached[0].stored("user:77").await, "EN");
        let path = format!("/sessions/{}", session["id"].as_str().unwrap());
        let flushed = !arguments.is_empty();
        assert_eq!(aside.get(&path).await.status == 404, flushed, "{arguments:?}");
        let left = "SELECT count(*) FROM servers WHERE empty_to IS NOT NULL";
        eventually("it is recorded", async || (number(&place, left).await == 0).then_some(()))
            .await;
    }
}

#[tokio::test]
async fn a_server_that_missed_too_much_and_can_t_be_emptied_is_not_used() {
    let memcached = Memcached::start_with(&["-F", "-o", "no_lru_crawler"]).await;
    let address = memcached.address().to_string();
    let mut aside = Aside::start(&["--memcached", &address]).await;
    is(&aside, 0, "in service").await;
    aside.signal(Signal::KILL);
    aside.ended().await;
    aside.place.execute("UPDATE servers SET empty_to = 0").await;
    let aside = Aside::start_at(&aside.place, &["--memcached", &address]).await;
    is(&aside, 0, "out of service").await;
    assert_eq!(aside.get("/users/1").await.user(1).cache_status()["detail"], "fallback");
    let log = aside.log();
    assert!(log.contains("it neither lists its keys nor can it be flushed"), "{log}");
}
