//! Servers that answer and can't serve the lease protocol: they are kept out of service, and the log says why.

use futures_util::future::join_all;
use support::{
    aside::Aside,
    eventually,
    fake::{CONNECTIONS, Fake},
    memcached::Memcached,
};

/// Probes that are let pass before the log is counted.
const PROBES: usize = 2;

/// Says what a line is answered with in place of what a memcached says.
type Limit = fn(&str) -> Option<&'static str>;

async fn aside(address: impl ToString) -> Aside {
    Aside::start(&["--memcached", &address.to_string(), "--memcached-timeout", "2s"]).await
}

/// The number of times that the log warns of the server, and true if each is with `reason`.
fn warnings(aside: &Aside, reason: &str) -> (usize, bool) {
    let log = aside.log();
    let mut lines = log.lines().filter(|line| line.contains("memcached can't be used"));
    (lines.clone().count(), lines.all(|line| line.contains(reason) && line.contains("WARN")))
}

/// Attempts that failed, by the metric.
async fn failures(aside: &Aside) -> usize {
    let metrics = aside.metrics().await;
    let mut lines =
        metrics.lines().filter(|line| line.starts_with("aside_memcached_failures_total"));
    lines.next().unwrap().rsplit(' ').next().unwrap().parse().unwrap()
}

/// Waits until it was probed some more.
async fn is_probed(aside: &Aside) {
    let before = failures(aside).await;
    eventually("probes", async || (failures(aside).await >= before + PROBES).then_some(())).await;
}

async fn serves_from_fallback(aside: &Aside) {
    for id in 1..=3 {
        let answer = aside.get(&format!("/users/{id}")).await;
        assert_eq!(answer.user(id).cache_status()["detail"], "fallback");
    }
}

async fn serves_from_memcached(aside: &Aside) {
    eventually("memcached is used", async || {
        (!aside.get("/users/1").await.user(1).cache_status().contains_key("detail")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_server_without_versions_is_not_used_until_it_is_started_with_them() {
    let mut memcached = Memcached::start_with(&["-C"]).await;
    let aside = aside(memcached.address()).await;
    serves_from_fallback(&aside).await;
    is_probed(&aside).await;
    assert_eq!(warnings(&aside, "start it without -C"), (1, true), "{}", aside.log());
    assert!(aside.log().contains(&memcached.address().to_string()));
    assert_eq!(memcached.statistic("curr_items").await, Some(0), "a probe leaves nothing behind");
    memcached.restart_with(&[]).await;
    serves_from_memcached(&aside).await;
    assert_eq!(warnings(&aside, "start it without -C"), (1, true), "{}", aside.log());
}

#[tokio::test]
async fn a_server_that_loses_its_versions_by_a_restart_is_not_used_any_more() {
    let mut memcached = Memcached::start().await;
    let aside = aside(memcached.address()).await;
    serves_from_memcached(&aside).await;
    memcached.restart_with(&["-C"]).await;
    eventually("it is said", async || (aside.log().contains("without -C")).then_some(())).await;
    serves_from_fallback(&aside).await;
    memcached.restart_with(&[]).await;
    serves_from_memcached(&aside).await;
    // It is another fault than before by now, though the same.
    memcached.restart_with(&["-C"]).await;
    let twice = async || (warnings(&aside, "without -C") == (2, true)).then_some(());
    eventually("it is said once more", twice).await;
}

#[tokio::test]
async fn a_server_that_was_away_and_can_not_be_used_now_is_told_of() {
    let mut memcached = Memcached::start_with(&["-C"]).await;
    memcached.kill();
    let aside = aside(memcached.address()).await;
    serves_from_fallback(&aside).await;
    assert_eq!(warnings(&aside, "").0, 0, "{}", aside.log());
    memcached.restart().await;
    let said = async || (warnings(&aside, "without -C") == (1, true)).then_some(());
    eventually("it is said", said).await;
}

#[tokio::test]
async fn a_server_that_lacks_a_command_or_is_too_old_is_not_used_until_it_is_replaced() {
    let faults: [(Limit, &str); 7] = [
        (|line| (line == "version").then_some("VERSION 1.6.17\r\n"), "it is memcached 1.6.17"),
        (|line| line.starts_with("mg").then_some("ERROR\r\n"), "it refuses meta commands"),
        (|line| line.starts_with("md").then_some("ERROR\r\n"), "it refuses meta commands"),
        (|line| (line == "mn").then_some("ERROR\r\n"), "it does not answer `mn`"),
        (|line| (line == "mn").then_some(""), "it does not answer `mn`"),
        (
            |line| line.starts_with("mg").then_some("HD c0 kaside:probe:0 O1 W\r\n"),
            "start it without -C",
        ),
        (
            |line| match line {
                "version" => Some("VERSION of a proxy\r\n"),
                line => (line != "mn").then_some("ERROR\r\n"),
            },
            "it refuses meta commands",
        ),
    ];
    let told = faults.map(async |(limit, reason)| {
        let fake = Fake::start().await;
        fake.is_limited(limit);
        let aside = aside(fake.address()).await;
        serves_from_fallback(&aside).await;
        is_probed(&aside).await;
        assert_eq!(warnings(&aside, reason), (1, true), "{reason}: {}", aside.log());
        // Another reason is another warning.
        fake.is_limited(|line| (line == "version").then_some("VERSION 1.4.15\r\n"));
        let other = async || (aside.log().contains("memcached 1.4.15")).then_some(());
        eventually("the other reason is said", other).await;
        fake.is_limited(|_| None);
        fake.is_connected(CONNECTIONS).await;
        assert_eq!(warnings(&aside, "").0, 2, "{reason}: {}", aside.log());
    });
    join_all(told).await;
}

#[tokio::test]
async fn a_version_that_says_nothing_is_no_reason() {
    for version in ["VERSION unknown\r\n", "ERROR\r\n", "VERSION 1.7.0-rc1\r\n"] {
        let fake = Fake::start().await;
        fake.is_limited(move |line| (line == "version").then_some(version));
        let _aside = aside(fake.address()).await;
        fake.is_connected(CONNECTIONS).await;
    }
}

/// A fault in one reply is no word about the server.
#[tokio::test]
async fn a_probe_that_is_not_answered_by_its_own_replies_is_a_failure_like_any_other() {
    let wrongs: [Limit; 4] = [
        |line| line.starts_with("mg").then_some("HD c9 kuser:1 O1 W\r\n"),
        |line| line.starts_with("md").then_some("HD kaside:probe:0 O1\r\n"),
        |line| (line == "mn").then_some("MN\r\nMN\r\n"),
        |line| line.starts_with("mg").then_some(""),
    ];
    let failed = wrongs.into_iter().enumerate().map(async |(place, wrong)| {
        let fake = Fake::start().await;
        fake.is_limited(wrong);
        let aside = aside(fake.address()).await;
        is_probed(&aside).await;
        assert_eq!(warnings(&aside, "").0, 0, "{place}: {}", aside.log());
        serves_from_fallback(&aside).await;
        assert!(aside.log().contains("memcached is out of service"), "{place}: {}", aside.log());
        fake.is_limited(|_| None);
        fake.is_connected(CONNECTIONS).await;
    });
    join_all(failed).await;
}
