//! What a request may ask of the cache: the six directives of RFC 9111 §5.2.1.

use reqwest::Method;
use support::{aside::Aside, eventually, memcached::Memcached};

#[tokio::test]
async fn no_cache_asks_the_database_and_stores_its_answer() {
    let memcached = Memcached::start().await;
    let aside = Aside::start(&["--memcached", &memcached.address().to_string()]).await;
    aside.get("/users/1").await.user(1);
    let answer = aside.get_with("/users/1", "no-cache").await;
    assert_eq!(answer.user(1).x_cache(), "BYPASS");
    let status = answer.cache_status();
    assert_eq!((&status["fwd"][..], &status["stored"][..]), ("request", "true"), "{status:?}");
    assert!(answer.server_timing().contains_key("db"));
    assert_eq!(aside.ledger("loads").await, 2);

    let cold = aside.get_with("/users/2", "no-cache").await;
    assert_eq!(cold.user(2).cache_status()["stored"], "true");
    assert_eq!(aside.get("/users/2").await.x_cache(), "HIT");
}

#[tokio::test]
async fn no_store_leaves_no_trace_in_the_cache() {
    let memcached = Memcached::start().await;
    let aside = Aside::start(&["--memcached", &memcached.address().to_string()]).await;
    let answer = aside.get_with("/users/1", "no-store").await;
    assert_eq!(answer.user(1).x_cache(), "BYPASS");
    let status = answer.cache_status();
    assert_eq!((&status["fwd"][..], &status["stored"][..]), ("request", "false"), "{status:?}");
    assert_eq!(memcached.value("user:1").await, None);

    let kept = aside.get("/users/1").await;
    assert_eq!(kept.x_cache(), "MISS");
    assert_eq!(aside.get_with("/users/1", "no-store").await.x_cache(), "BYPASS");
    assert_eq!(memcached.value("user:1").await.unwrap().as_bytes(), kept.body);
}

#[tokio::test]
async fn max_age_refuses_what_is_older_and_min_fresh_what_is_about_to_go_stale() {
    let aside = Aside::start(&[]).await;
    aside.get("/users/1").await.user(1);
    eventually("a second of age", async || (aside.get("/users/1").await.age_s() > 0).then_some(()))
        .await;
    for (directives, x_cache) in [
        ("max-age=3600", "HIT"),
        ("min-fresh=20", "HIT"),
        ("MAX-AGE=\"3600\", min-fresh=20, max-stale", "HIT"),
        ("max-age=-1, max-age=x, min-fresh, private, =, unknown=5", "HIT"),
        ("max-age=0", "BYPASS"),
        ("min-fresh=3600", "BYPASS"),
    ] {
        let answer = aside.get_with("/users/1", directives).await;
        assert_eq!(answer.user(1).x_cache(), x_cache, "{directives}");
        if x_cache == "BYPASS" {
            assert_eq!(answer.cache_status()["fwd"], "request", "{directives}");
            assert_eq!(answer.age_s(), 0, "{directives}");
        }
    }
    assert_eq!(aside.get("/users/1").await.x_cache(), "HIT");
}

#[tokio::test]
async fn several_fields_of_directives_count_as_one() {
    let aside = Aside::start(&[]).await;
    aside.get("/users/1").await.user(1);
    let fields = [("cache-control", "max-age=3600"), ("cache-control", "no-cache")];
    assert_eq!(aside.send(Method::GET, "/users/1", &fields).await.x_cache(), "BYPASS");
}

#[tokio::test]
async fn max_stale_takes_what_is_stale_without_asking_the_database() {
    let memcached = Memcached::start().await;
    let aside = Aside::start(&[
        "--memcached",
        &memcached.address().to_string(),
        "--ttl=1s",
        "--stale-while-revalidate=0s",
        "--stale-if-error=60s",
    ])
    .await;
    aside.get("/users/1").await.user(1);
    let stale = eventually("stale", async || {
        let answer = aside.get_with("/users/1", "max-stale=50, only-if-cached").await;
        (answer.user(1).x_cache() == "STALE").then_some(answer)
    });
    let stale = stale.await;
    let status = stale.cache_status();
    assert!(status["ttl"].starts_with('-') && status.contains_key("hit"), "{status:?}");
    assert!(!stale.server_timing().contains_key("db"));
    assert_eq!(aside.get_with("/users/1", "max-stale").await.x_cache(), "STALE");
    eventually("refreshed for those who took it stale", async || {
        (aside.get_with("/users/1", "max-stale").await.x_cache() == "HIT").then_some(())
    })
    .await;

    let strict = eventually("stale again", async || {
        let answer = aside.get_with("/users/1", "max-stale=0").await;
        (answer.user(1).x_cache() != "HIT").then_some(answer)
    });
    let strict = strict.await;
    assert_eq!(strict.x_cache(), "MISS");
    assert_eq!(strict.cache_status()["fwd"], "stale");
}

#[tokio::test]
async fn only_if_cached_is_504_for_what_is_not_there_and_takes_no_lease() {
    let memcached = Memcached::start().await;
    let aside = Aside::start(&["--memcached", &memcached.address().to_string()]).await;
    for directives in ["only-if-cached", "only-if-cached, no-cache", "only-if-cached, no-store"] {
        let answer = aside.get_with("/users/1", directives).await;
        answer.problem(504);
        let status = answer.cache_status();
        assert!(!status.contains_key("hit") && !status.contains_key("fwd"), "{status:?}");
        assert_eq!(memcached.value("user:1").await, None, "{directives}");
    }
    let next = aside.get("/users/1").await;
    assert_eq!(next.user(1).x_cache(), "MISS");
    assert!(!next.cache_status().contains_key("collapsed"));
    assert_eq!(aside.get_with("/users/1", "only-if-cached").await.user(1).x_cache(), "HIT");
    aside.get_with("/users/1", "only-if-cached, no-cache").await.problem(504);
    assert_eq!(aside.ledger("loads").await, 1);
}
