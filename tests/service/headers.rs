//! What an answer says of itself.

use reqwest::{Method, header::HeaderName};
use support::{answer::Answer, aside::Aside, eventually, memcached::Memcached};

const SLOW_MS: f64 = 60.0;

/// Asserts what every answer for a user says, whatever the cache did.
fn has_the_headers_of_a_cached_resource(answer: &Answer) {
    let kept = if answer.status < 400 { "no-cache" } else { "no-store" };
    assert_eq!(answer.header("cache-control"), kept, "{answer:?}");
    let total = answer.server_timing()["total"];
    let time = answer.header("x-response-time").strip_suffix("ms").unwrap();
    assert!((time.parse::<f64>().unwrap() - total).abs() < 0.01, "{answer:?}");
    assert!(total <= answer.took.as_secs_f64() * 1e3, "{answer:?}");
}

#[tokio::test]
async fn a_miss_says_what_the_query_took_and_the_hit_after_it_has_the_same_body() {
    let memcached = Memcached::start().await;
    let aside =
        Aside::start(&["--memcached", &memcached.address().to_string(), "--slow-query", "60ms"])
            .await;

    let miss = aside.get("/users/42").await;
    has_the_headers_of_a_cached_resource(miss.user(42));
    assert_eq!(miss.x_cache(), "MISS");
    let status = miss.cache_status();
    assert_eq!((&status["fwd"][..], &status["stored"][..]), ("miss", "true"), "{status:?}");
    assert_eq!((&status["key"][..], status.len()), ("user:42", 3), "{status:?}");
    let timing = miss.server_timing();
    assert!(timing["db"] >= SLOW_MS && timing["total"] >= timing["db"], "{timing:?}");
    assert_eq!(timing.keys().collect::<Vec<_>>(), ["cache", "db", "total"]);
    assert_eq!(miss.age_s(), 0);
    assert_eq!(miss.header("content-type"), "application/json");
    let etag = miss.header("etag");
    assert!(etag.len() > 10 && etag.starts_with('"') && etag.ends_with('"'), "{etag}");

    let hit = aside.get("/users/42").await;
    has_the_headers_of_a_cached_resource(&hit);
    assert_eq!(hit.x_cache(), "HIT");
    let status = hit.cache_status();
    let ttl: i64 = status["ttl"].parse().unwrap();
    assert!((50..=60).contains(&ttl), "{status:?}");
    assert_eq!((&status["hit"][..], &status["key"][..]), ("true", "user:42"), "{status:?}");
    assert_eq!(status.len(), 3, "{status:?}");
    let timing = hit.server_timing();
    assert_eq!(timing.keys().collect::<Vec<_>>(), ["cache", "total"]);
    for name in ["etag", "content-type", "content-length"] {
        assert_eq!(hit.header(name), miss.header(name));
    }
    assert_eq!(hit.body, miss.body);
    // And nothing that was in the request.
    let mut names: Vec<_> = hit.headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    let of_message = ["content-length", "content-type", "date"];
    let of_cache = ["cache-control", "cache-status", "server-timing", "x-cache", "x-response-time"];
    let mut expected = [&["age", "etag"][..], &of_message, &of_cache].concat();
    expected.sort_unstable();
    assert_eq!(names, expected);
}

#[tokio::test]
async fn memcached_holds_exactly_the_body() {
    let memcached = Memcached::start().await;
    let aside = Aside::start(&["--memcached", &memcached.address().to_string()]).await;
    let answer = aside.get("/users/42").await;
    assert_eq!(memcached.value("user:42").await.unwrap().as_bytes(), answer.body);
    assert_eq!(aside.get("/users/10001").await.status, 404);
    assert_eq!(memcached.value("user:10001").await.unwrap(), "null");
}

#[tokio::test]
async fn age_and_ttl_tell_the_time_since_the_load() {
    let aside = Aside::start(&[]).await;
    aside.get("/users/1").await.user(1);
    let ttl = |answer: &Answer| answer.cache_status()["ttl"].parse::<u32>().unwrap();
    let young = aside.get("/users/1").await;
    let old = eventually("a second of age", async || {
        let answer = aside.get("/users/1").await;
        (answer.age_s() > 0).then_some(answer)
    });
    let old = old.await;
    assert_eq!(old.age_s() + ttl(&old), young.age_s() + ttl(&young));
}

#[tokio::test]
async fn head_has_the_headers_of_get_and_no_body() {
    let aside = Aside::start(&[]).await;
    let get = aside.get("/users/42").await;
    for (path, status, body_bytes) in [("/users/42", 200, get.body.len()), ("/users/10001", 404, 0)]
    {
        let request =
            format!("HEAD {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let answer = aside.exchange(request).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")) && body.is_empty(), "{answer}");
        assert!(
            body_bytes == 0 || head.contains(&format!("content-length: {body_bytes}")),
            "{head}"
        );
    }
    let head = aside.send(Method::HEAD, "/users/42", &[]).await;
    has_the_headers_of_a_cached_resource(&head);
    let hit = aside.get("/users/42").await;
    let names =
        |answer: &Answer| answer.headers.keys().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names(&head), names(&hit));
    for name in ["etag", "x-cache", "content-type", "content-length"] {
        assert_eq!(head.header(name), hit.header(name));
    }
}

#[tokio::test]
async fn that_there_is_no_such_user_is_remembered_for_the_negative_ttl() {
    let memcached = Memcached::start().await;
    let address = memcached.address().to_string();
    let aside = Aside::start(&["--memcached", &address, "--negative-ttl", "5s"]).await;
    for x_cache in ["MISS", "HIT"] {
        let answer = aside.get("/users/10001").await;
        answer.problem(404);
        has_the_headers_of_a_cached_resource(&answer);
        assert_eq!(answer.x_cache(), x_cache);
        assert_eq!(answer.header("etag"), "");
    }
    assert_eq!(aside.ledger("negative_hits").await, 1);
    eventually("forgotten", async || {
        let answer = aside.get("/users/10001").await;
        answer.problem(404);
        (answer.x_cache() == "MISS").then_some(())
    })
    .await;
    assert_eq!(aside.ledger("loads").await, 2);
}

#[tokio::test]
async fn what_describes_a_moment_is_never_kept_and_the_document_must_be_asked_for_again() {
    let aside = Aside::start(&[]).await;
    for (status, path) in [
        (200, "/readyz"),
        (200, "/healthz"),
        (200, "/stats"),
        (200, "/metrics"),
        (200, "/jobs"),
        (200, "/cache/users/1"),
        (404, "/nothing"),
        (400, "/users/x"),
        (404, "/users/10001"),
        (404, "/sessions/current"),
    ] {
        let answer = aside.get(path).await;
        assert_eq!((answer.status, answer.header("cache-control")), (status, "no-store"), "{path}");
    }
    let wrong = aside.send(Method::DELETE, "/readyz", &[]).await;
    assert_eq!((wrong.status, wrong.header("cache-control")), (405, "no-store"));

    let document = aside.get("/openapi.json").await;
    let etag = document.header("etag");
    assert_eq!((document.status, document.header("cache-control")), (200, "no-cache"));
    let unchanged = aside.send(Method::GET, "/openapi.json", &[("if-none-match", etag)]).await;
    assert_eq!((unchanged.status, unchanged.header("cache-control")), (304, "no-cache"));
}

#[tokio::test]
async fn what_browsers_and_crawlers_ask_for_by_themselves_is_no_problem() {
    let aside = Aside::start(&[]).await;
    assert_eq!(aside.get("/favicon.ico").await.status, 204);
    let robots = aside.get("/robots.txt").await;
    assert_eq!((robots.status, &robots.body[..]), (200, &b"User-agent: *\nDisallow: /\n"[..]));
}

#[tokio::test]
async fn what_is_long_and_no_entry_is_compressed_for_those_who_take_it() {
    let aside = Aside::start(&[]).await;
    let gzip = [("accept-encoding", "gzip")];
    for path in ["/openapi.json", "/metrics"] {
        let plain = aside.get(path).await;
        assert_eq!(
            (plain.header("content-encoding"), plain.header("vary")),
            ("", "accept-encoding")
        );
        let small = aside.send(Method::GET, path, &gzip).await;
        assert_eq!(small.header("content-encoding"), "gzip", "{path}");
        assert!(small.body.len() * 2 < plain.body.len(), "{path}");
    }
    for path in ["/users/1", "/users/1", "/healthz", "/nothing"] {
        let answer = aside.send(Method::GET, path, &gzip).await;
        assert_eq!((answer.header("content-encoding"), answer.header("vary")), ("", ""), "{path}");
    }
}

#[tokio::test]
async fn pages_of_the_origins_that_are_named_may_read_and_no_others() {
    let aside = Aside::start(&["--cors-origin", "https://app.example,http://localhost:3000"]).await;
    for (origin, allowed) in [
        ("https://app.example", "https://app.example"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("https://evil.example", ""),
    ] {
        let read = aside.send(Method::GET, "/users/1", &[("origin", origin)]).await;
        assert_eq!(read.user(1).header("access-control-allow-origin"), allowed, "{origin}");
        let asked = [("origin", origin), ("access-control-request-method", "DELETE")];
        let preflight = aside.send(Method::OPTIONS, "/users/1", &asked).await;
        assert_eq!(preflight.header("access-control-allow-methods"), "GET,HEAD", "{origin}");
    }
    let alone = Aside::start(&[]).await;
    let read = alone.send(Method::GET, "/users/1", &[("origin", "https://app.example")]).await;
    assert_eq!(read.user(1).header("access-control-allow-origin"), "");
}
