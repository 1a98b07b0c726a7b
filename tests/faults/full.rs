//! A memcached with too little of something.

use support::{
    aside::Aside,
    eventually,
    memcached::Memcached,
    proxy::{Flow, Proxy},
};

use crate::{
    lost::aside,
    trial::{READS, Trial},
};

/// Connections that the memcached of these tests allows.
const CONNECTIONS_MAX: &str = "24";

/// More of these than a page of memcached's holds in the class of a user.
const FOREIGN_ENTRIES: u32 = 8000;

#[tokio::test]
async fn full_and_evicting() {
    let memcached = Memcached::start_with(&["-m", "2"]).await;
    let servers = memcached.address().to_string();
    let aside = Aside::start(&["--memcached", &servers, "--memcached-timeout", "2s"]).await;
    let mut trial = Trial::start(&aside).await;
    trial.begins();
    // As long as a user, and never read.
    let body = "x".repeat(150);
    let mut rounds = 0..;
    eventually("users are evicted", async || {
        let round = rounds.next();
        let set = |entry| format!("set foreign:{round:?}:{entry} 0 0 150 noreply\r\n{body}\r\n");
        let sets: String = (0..FOREIGN_ENTRIES).map(set).collect();
        memcached.ask(&format!("{sets}mn\r\n"), "MN\r\n").await.unwrap();
        let evicted = memcached.statistic("evictions").await.unwrap();
        (evicted > u64::from(FOREIGN_ENTRIES)).then_some(())
    })
    .await;
    trial.reads(READS).await;
    trial.ends();
    let outcome = trial.recovers().await;
    let miss = r#"aside_cache_gets_total{source="users",outcome="miss"}"#;
    outcome.enter("it is full and evicts", miss);
    let failures = outcome.moved("aside_memcached_failures_total");
    assert!(failures < 0.5, "nothing else changes");
}

/// It refuses writes, and leaves out of its replies what it can make no placeholder for.
#[tokio::test]
async fn full_and_not_evicting() {
    let memcached = Memcached::start_with(&["-M", "-m", "2"]).await;
    let aside = Aside::start(&["--memcached", &memcached.address().to_string()]).await;
    aside.get("/users/1").await.user(1);
    memcached.is_filled().await;
    for id in 2..=20 {
        let answer = aside.get(&format!("/users/{id}")).await;
        let status = answer.user(id).cache_status();
        let said = ["fwd", "stored", "detail"].map(|name| status[name].as_str());
        assert_eq!(said, ["miss", "false", "not-stored"]);
    }
    assert_eq!(aside.get("/users/1").await.user(1).x_cache(), "HIT");
    let metrics = aside.metrics().await;
    for name in ["aside_memcached_failures_total", "aside_memcached_crosstalk_total"] {
        let mut lines = metrics.lines().filter(|line| line.starts_with(name)).peekable();
        assert!(lines.peek().is_some(), "{metrics}");
        assert!(lines.all(|line| line.ends_with(" 0")), "{metrics}");
    }
}

#[tokio::test]
async fn no_connection_left() {
    let memcached = Memcached::start_with(&["-c", CONNECTIONS_MAX]).await;
    let proxy = Proxy::start(&memcached.address());
    let aside = aside(&proxy.address().to_string()).await;
    let mut trial = Trial::start(&aside).await;
    trial.begins();
    // Others come first when the service has to connect again.
    proxy.set(Flow::Cut);
    let others = memcached.all_connections().await;
    proxy.mend();
    trial.is_out_of_service().await;
    trial.reads(READS).await;
    trial.ends();
    drop(others);
    let outcome = trial.recovers().await;
    outcome.enter("it has no connection left", "aside_memcached_failures_total");
}

#[tokio::test]
async fn a_service_that_finds_no_connection_left_at_its_start_serves_all_the_same() {
    let memcached = Memcached::start_with(&["-c", CONNECTIONS_MAX]).await;
    let others = memcached.all_connections().await;
    let aside = Aside::start(&["--memcached", &memcached.address().to_string()]).await;
    assert_eq!(aside.get("/users/1").await.user(1).cache_status()["detail"], "fallback");
    drop(others);
    eventually("memcached is used", async || {
        (!aside.get("/users/1").await.user(1).cache_status().contains_key("detail")).then_some(())
    })
    .await;
}
