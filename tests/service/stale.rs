//! Entries past their fresh life, and a database that fails.

use support::{aside::Aside, eventually, memcached::Memcached};

#[tokio::test]
async fn a_stale_entry_is_served_at_once_and_refreshed_behind_it() {
    let memcached = Memcached::start().await;
    let address = memcached.address().to_string();
    let arguments = ["--memcached", &address, "--ttl=1s", "--stale-while-revalidate=60s"];
    let aside = Aside::start(&arguments).await;
    aside.get("/users/1").await.user(1);
    let stale = eventually("stale", async || {
        let answer = aside.get("/users/1").await;
        (answer.user(1).x_cache() == "STALE").then_some(answer)
    })
    .await;
    let status = stale.cache_status();
    assert!(status.contains_key("hit") && status["ttl"].starts_with('-'), "{status:?}");
    assert!(!stale.server_timing().contains_key("db"));
    eventually("refreshed", async || {
        (aside.get("/users/1").await.x_cache() == "HIT").then_some(())
    })
    .await;
    let refreshed = memcached.value("user:1").await.unwrap();
    assert_eq!(refreshed.as_bytes(), stale.body);
}

#[tokio::test]
async fn a_database_that_fails_makes_entries_stale_and_no_errors() {
    let memcached = Memcached::start().await;
    let address = memcached.address().to_string();
    let arguments =
        ["--memcached", &address, "--ttl=1s", "--stale-while-revalidate=0s", "--stale-if-error=5m"];
    let aside = Aside::start(&arguments).await;
    let fresh = aside.get("/users/1").await;
    fresh.user(1);
    aside.place.execute("ALTER TABLE users RENAME TO elsewhere").await;
    let stale = eventually("stale", async || {
        let answer = aside.get("/users/1").await;
        assert_eq!(answer.user(1).body, fresh.body);
        (answer.x_cache() == "STALE").then_some(answer)
    })
    .await;
    assert!(stale.cache_status()["ttl"].starts_with('-'), "{stale:?}");
    for _ in 0..20 {
        let answer = aside.get("/users/1").await;
        assert_eq!(answer.user(1).x_cache(), "STALE");
    }
    let failure = aside.get("/users/2").await;
    let told = failure.problem(500);
    assert!(!told.contains("users") && !told.contains("SQL") && !told.contains("table"), "{told}");
    assert!(aside.log().contains("no such table"), "{}", aside.log());
    aside.place.execute("ALTER TABLE elsewhere RENAME TO users").await;
    eventually("fresh again", async || {
        (aside.get("/users/1").await.x_cache() == "HIT").then_some(())
    })
    .await;
}
