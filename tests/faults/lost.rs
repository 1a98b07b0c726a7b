//! Servers that are killed and come back.

use support::{aside::Aside, memcached::Memcached};

use crate::trial::{READS, Trial};

/// The default deadline, and queries that are slow enough to be missed.
pub(crate) const SETTINGS: [&str; 4] = ["--memcached-timeout", "50ms", "--slow-query", "5ms"];

/// A service with the default deadline in front of `servers`.
pub(crate) async fn aside(servers: &str) -> Aside {
    Aside::start(&[&["--memcached", servers], &SETTINGS[..]].concat()).await
}

#[tokio::test]
async fn killed_and_started_again() {
    let mut memcached = Memcached::start().await;
    let aside = aside(&memcached.address().to_string()).await;
    let mut trial = Trial::start(&aside).await;
    trial.begins();
    memcached.kill();
    trial.is_out_of_service().await;
    trial.reads(READS).await;
    trial.ends();
    memcached.restart().await;
    let outcome = trial.recovers().await;
    outcome.enter("the only memcached is killed", "aside_memcached_failures_total");
}

#[tokio::test]
async fn one_of_three_killed_and_started_again() {
    let mut servers =
        [Memcached::start().await, Memcached::start().await, Memcached::start().await];
    let addresses = servers.each_ref().map(|server| server.address().to_string());
    let aside = aside(&addresses.join(",")).await;
    let mut trial = Trial::start(&aside).await;
    trial.begins();
    servers[1].kill();
    trial.is_out_of_service().await;
    trial.reads(READS).await;
    trial.ends();
    servers[1].restart().await;
    let outcome = trial.recovers().await;
    outcome.enter("one of three is killed", "aside_memcached_failures_total");
}

#[tokio::test]
async fn restarted_at_once_and_empty() {
    let mut memcached = Memcached::start().await;
    let aside = aside(&memcached.address().to_string()).await;
    let mut trial = Trial::start(&aside).await;
    trial.begins();
    memcached.restart().await;
    trial.ends();
    let outcome = trial.recovers().await;
    outcome.enter("it is restarted, and empty", "aside_memcached_failures_total");
    // Once into this process's memory and once into memcached, at most.
    let loads = outcome.moved("aside_loads_total{");
    let keys = outcome.keys();
    assert!(loads <= 2.0 * keys, "{loads} loads of {keys} keys");
}
