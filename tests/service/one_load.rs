//! One load for one cold key, whatever becomes of those who asked.

use rustix::process::Signal;
use support::{
    aside::{Aside, Place},
    eventually,
    memcached::Memcached,
};
use tokio::task::JoinSet;

/// A load takes so long that a busy machine can do meanwhile what has to be done.
const SLOW: &[&str] = &["--slow-query", "3s", "--query-timeout", "60s"];

#[tokio::test]
async fn concurrent_requests_for_a_cold_id_share_one_load() {
    let memcached = Memcached::start().await;
    let address = memcached.address().to_string();
    let aside = Aside::start(&[&["--memcached", &address], SLOW].concat()).await;
    let gets: JoinSet<_> = (0..20)
        .map(|_| {
            support::answer::Answer::to(
                aside.client.get(format!("http://{}/users/7", aside.address)),
            )
        })
        .collect();
    let mut collapsed = 0;
    for answer in gets.join_all().await {
        let answer = answer.unwrap();
        assert_eq!(answer.user(7).x_cache(), "MISS");
        collapsed += u32::from(answer.cache_status().contains_key("collapsed"));
        assert!(answer.server_timing().contains_key("db"));
    }
    assert_eq!((collapsed, aside.ledger("loads").await), (19, 1));
}

#[tokio::test]
async fn the_load_of_a_client_that_left_goes_on() {
    let memcached = Memcached::start().await;
    let address = memcached.address().to_string();
    let aside = Aside::start(&[&["--memcached", &address], SLOW].concat()).await;
    let leaver = tokio::spawn(aside.client.get(format!("http://{}/users/7", aside.address)).send());
    memcached.is_loading("user:7").await;
    leaver.abort();
    let stayer = aside.get("/users/7").await;
    stayer.user(7);
    assert_eq!(aside.get("/users/7").await.x_cache(), "HIT");
    assert_eq!(aside.ledger("loads").await, 1);
}

#[tokio::test]
async fn a_replica_that_dies_with_the_lease_is_replaced_at_the_deadline() {
    let memcached = Memcached::start().await;
    let address = memcached.address().to_string();
    let place = Place::seeded().await;
    let slow = ["--memcached", &address, "--slow-query", "60s", "--query-timeout", "60s"];
    let quick = ["--memcached", &address, "--query-timeout", "2s"];
    let mut holder = Aside::start_at(&place, &slow).await;
    let other = Aside::start_at(&place, &quick).await;
    let lost = tokio::spawn(holder.client.get(format!("http://{}/users/7", holder.address)).send());
    memcached.is_loading("user:7").await;
    holder.signal(Signal::KILL);
    holder.ended().await;
    assert!(lost.await.unwrap().is_err());
    let answer = other.get("/users/7").await;
    assert_eq!(answer.user(7).x_cache(), "MISS");
    assert_eq!(other.get("/users/7").await.user(7).x_cache(), "HIT");
}

#[tokio::test]
async fn a_query_past_its_deadline_is_504_and_gives_its_place_back() {
    let memcached = Memcached::start().await;
    let address = memcached.address().to_string();
    let arguments = [
        ["--memcached", &address],
        ["--slow-query", "60s"],
        ["--query-timeout", "200ms"],
        ["--max-queries", "1"],
    ];
    let aside = Aside::start(arguments.as_flattened()).await;
    let answer = aside.get("/users/7").await;
    answer.problem(504);
    assert_eq!(answer.x_cache(), "MISS");
    // With one place and a query of a minute, a second 504 shows that the first query was interrupted.
    eventually("the place is free", async || {
        (aside.get("/users/8").await.status == 504).then_some(())
    })
    .await;
    assert_eq!(aside.get("/readyz").await.status, 200);
}

#[tokio::test]
async fn replicas_may_start_together_on_a_database_that_is_not_there_yet() {
    let (place, memcached) = (Place::empty(), Memcached::start().await);
    let servers = memcached.address().to_string();
    let arguments = ["--memcached", &servers];
    let (one, two, three) = tokio::join!(
        Aside::start_at(&place, &arguments),
        Aside::start_at(&place, &arguments),
        Aside::start_at(&place, &arguments)
    );
    for aside in [one, two, three] {
        aside.get("/users/10000").await.user(10000);
        aside.get("/users/10001").await.problem(404);
    }
}
