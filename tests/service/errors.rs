//! Requests that are no good, and what is told of them.

use reqwest::Method;
use support::{aside::Aside, memcached::Memcached};

/// A text that no answer may repeat.
const MARKER: &str = "marker8472";

/// Sends `path` as it is: a client library would tidy it up.
async fn raw(aside: &Aside, method: &str, path: &str) -> (u16, String) {
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let answer = aside.exchange(request).await;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("{path}: {answer}")), answer)
}

#[tokio::test]
async fn an_id_that_is_none_is_400_and_the_largest_is_404() {
    let memcached = Memcached::start().await;
    let aside = Aside::start(&["--memcached", &memcached.address().to_string()]).await;
    let long = "1".repeat(10 * 1024);
    for id in [
        "0",
        "-1",
        "+1",
        "007",
        "1e3",
        "9223372036854775808",
        "%00",
        "%2e%2e",
        "%F0%9F%98%80",
        "1%0d%0aflush_all",
        "1%20",
        MARKER,
        &long,
    ] {
        let (status, answer) = raw(&aside, "GET", &format!("/users/{id}")).await;
        assert_eq!(status, 400, "{id}");
        assert!(answer.contains("content-type: application/problem+json"), "{id}: {answer}");
        assert!(!answer.contains(MARKER), "{answer}");
    }
    aside.get("/users/9223372036854775807").await.problem(404);
    assert_eq!(memcached.statistic("cmd_flush").await, Some(0));
    aside.get("/users/1").await.user(1);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems_that_repeat_nothing() {
    let aside = Aside::start(&[]).await;
    for path in ["/users", "/users/", "/users/1/2", "/marker8472", "/users/1/marker8472?a=b"] {
        let answer = aside.get(path).await;
        let status = if path == "/users" { 405 } else { 404 };
        answer.problem(status);
        assert!(!String::from_utf8_lossy(&answer.body).contains(MARKER));
    }
    for (path, method) in [("/users/1", "MARKER8472"), ("/healthz", "POST"), ("/stats", "DELETE")] {
        let answer = aside.send(Method::from_bytes(method.as_bytes()).unwrap(), path, &[]).await;
        answer.problem(405);
        assert!(answer.header("allow").contains("GET"), "{answer:?}");
    }
}

#[tokio::test]
async fn no_request_makes_a_new_series_and_each_get_is_in_the_ledger_once() {
    let aside = Aside::start(&[]).await;
    let series =
        async || aside.metrics().await.lines().filter(|line| !line.starts_with('#')).count();
    let before = series().await;
    for number in 0..500 {
        aside.get(&format!("/{number}")).await;
        aside.get(&format!("/users/x{number}")).await;
        aside
            .send(Method::from_bytes(format!("M{number}").as_bytes()).unwrap(), "/users/1", &[])
            .await;
    }
    for (directives, repeat) in [("", 5), ("no-store", 3), ("only-if-cached", 2)] {
        for _ in 0..repeat {
            aside.get_with("/users/1", directives).await;
        }
    }
    assert_eq!(series().await, before);
    let ledger = aside.get("/stats").await.json()["service"].clone();
    let count = |name: &str| ledger[name].as_u64().unwrap();
    assert_eq!(count("gets"), 10, "{ledger}");
    assert_eq!(
        count("hits") + count("stale") + count("misses") + count("bypasses"),
        10,
        "{ledger}"
    );
    assert_eq!((count("bypasses"), count("misses"), count("hits")), (3, 1, 6), "{ledger}");
}
