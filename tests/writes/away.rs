//! What a write leaves to be done while one of several memcached servers is away.

use support::{aside::Aside, eventually, memcached::Memcached};

use crate::request::{ALL_PLACES, all_forgotten, assert_written, missing};

/// The first user whose key lives on `first`, and on `second` while that is away.
async fn user_on(aside: &Aside, first: &Memcached, second: &Memcached) -> i64 {
    for id in 1.. {
        let places = aside.get(&format!("/cache/users/{id}")).await.json();
        let is = |rank: usize, server: &Memcached| {
            places["servers"][rank]["server"] == server.address().to_string()
        };
        if is(0, first) && is(1, second) {
            return id;
        }
    }
    unreachable!()
}

/// Notes that `id` must be forgotten, as a replica leaves it that commits a write and is killed.
async fn note(aside: &Aside, id: i64) {
    let note =
        format!("INSERT INTO changes (key, missing) SELECT 'user:{id}', {ALL_PLACES} FROM servers");
    aside.place.execute(note).await;
}

#[tokio::test]
async fn a_key_that_can_t_be_forgotten_everywhere_is_not_forgotten_anew_with_each_sweep() {
    let (one, two) = (Memcached::start().await, Memcached::start().await);
    let mut away = Memcached::start().await;
    let servers = [&one, &two, &away].map(|server| server.address().to_string());
    let aside = Aside::start(&["--memcached", &servers.join(",")]).await;
    let written = user_on(&aside, &one, &away).await;
    let swept = user_on(&aside, &one, &two).await;
    away.kill();
    let write = aside.rename(written, "Ada").await;
    assert_written(&write, &format!("user:{written}"), "pending");
    eventually("out of service", async || {
        (aside.states().await[2] == "out of service").then_some(())
    })
    .await;

    let before = aside.ledger("loads").await;
    for _ in 0..4 {
        note(&aside, swept).await;
        // The sweep that forgets what it can has seen the other key, too.
        eventually("a sweep", async || {
            assert_eq!(aside.name(written).await, "Ada");
            (missing(&aside.place).await == 1).then_some(())
        })
        .await;
    }
    let loads = aside.ledger("loads").await - before;
    assert!(loads <= 2, "{loads} loads: one after the write, one after the only try of the sweeps");

    away.restart().await;
    all_forgotten(&aside.place).await;
    assert_eq!(aside.name(written).await, "Ada");
}
