//! Several replicas on one database.

use rustix::process::Signal;
use support::{
    aside::{Aside, Place},
    memcached::Memcached,
};

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
