//! What is under way when the service is told to stop, and nobody waits for it.

use std::time::Duration;

use support::{aside::Aside, eventually, memcached::Memcached, raw::RawClient};

const RUNNING: &str = r#"aside_loads_running{source="users"} "#;

/// Asks for the user `id`, and leaves as soon as so many loads run, this one included. (A placeholder in memcached would
/// not do: whoever leaves before the service has heard of it gives it back.)
async fn leave(aside: &Aside, id: i64, running: &str) {
    let mut client = RawClient::connect(aside.address).await;
    client.send(format!("GET /users/{id} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
    eventually("the load runs", async || {
        let metrics = aside.metrics().await;
        let line = metrics.lines().find_map(|line| line.strip_prefix(RUNNING));
        (line == Some(running)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn on_sigterm_a_refresh_and_a_load_whose_client_has_left_are_finished_and_stored() {
    let memcached = Memcached::start().await;
    let address = memcached.address().to_string();
    let slow = ["--memcached", &address, "--slow-query=3s", "--ttl=1s"];
    let mut aside = Aside::start(&[&slow[..], &["--stale-while-revalidate=60s"]].concat()).await;
    aside.get("/users/1").await.user(1);
    // Not through the service, so that what is loaded from now on can be told from what is stored.
    aside.place.execute("UPDATE users SET name = 'Ada' WHERE id IN (1, 2)").await;
    eventually("a refresh", async || {
        (aside.get("/users/1").await.user(1).x_cache() == "STALE").then_some(())
    })
    .await;
    leave(&aside, 2, "2").await;
    assert_eq!(aside.terminate().await.code(), Some(0));
    for key in ["user:1", "user:2"] {
        let stored = memcached.value(key).await;
        assert!(stored.as_ref().is_some_and(|user| user.contains("Ada")), "{key}: {stored:?}");
    }
}

#[tokio::test]
async fn on_sigterm_a_load_that_fails_gives_its_lease_back() {
    let memcached = Memcached::start().await;
    let address = memcached.address().to_string();
    let fails = ["--memcached", &address, "--slow-query=60s", "--query-timeout=3s"];
    let mut aside = Aside::start(&fails).await;
    leave(&aside, 7, "1").await;
    assert_eq!(aside.terminate().await.code(), Some(0));
    assert_eq!(memcached.value("user:7").await, None, "others wait for it");
}

#[tokio::test]
async fn a_load_that_takes_longer_than_the_grace_is_given_up() {
    let memcached = Memcached::start().await;
    let address = memcached.address().to_string();
    let slow = ["--memcached", &address, "--slow-query=60s", "--query-timeout=60s"];
    let mut aside = Aside::start(&[&slow[..], &["--shutdown-grace=500ms"]].concat()).await;
    leave(&aside, 7, "1").await;
    let stopped_at = tokio::time::Instant::now();
    assert_eq!(aside.terminate().await.code(), Some(0));
    assert!(stopped_at.elapsed() >= Duration::from_millis(500), "{:?}", stopped_at.elapsed());
    assert!(aside.log().contains("given up"), "{}", aside.log());
}
