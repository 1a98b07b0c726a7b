//! Servers that answer late, or not at all.

use std::time::Duration;

use support::{memcached::Memcached, proxy::Proxy};

use crate::{
    fault::Fault,
    lost::aside,
    trial::{Outcome, READS, Trial},
};

/// More attempts than pauses that double leave room for, from the beginning of a fault to its end.
const FAILURES_MAX: f64 = 40.0;

/// A fault that puts the server out of service, and its end.
pub(crate) async fn breaks(fault: Fault) -> Outcome {
    let memcached = Memcached::start().await;
    let proxy = Proxy::start(&memcached.address());
    let aside = aside(&proxy.address().to_string()).await;
    let mut trial = Trial::start(&aside).await;
    trial.begins();
    fault.on(&proxy);
    trial.is_out_of_service().await;
    trial.reads(READS).await;
    trial.ends();
    proxy.mend();
    let outcome = trial.recovers().await;
    let failures = outcome.moved("aside_memcached_failures_total");
    assert!(failures < FAILURES_MAX, "{failures} attempts: probes do not go out one at a time");
    outcome
}

#[tokio::test]
async fn stopped_and_continued() {
    let memcached = Memcached::start().await;
    let aside = aside(&memcached.address().to_string()).await;
    let mut trial = Trial::start(&aside).await;
    trial.begins();
    memcached.stop();
    trial.is_out_of_service().await;
    trial.reads(READS).await;
    trial.ends();
    memcached.go_on();
    let outcome = trial.recovers().await;
    outcome.enter("it is stopped (SIGSTOP)", "aside_memcached_failures_total");
    let crosstalk = outcome.moved("aside_memcached_crosstalk_total");
    assert!(crosstalk < 0.5, "a late reply was read by a later request");
}

#[tokio::test]
async fn late_by_four_deadlines() {
    let outcome = breaks(Fault::Late(Duration::from_millis(200))).await;
    outcome.enter("it answers 200 ms late", "aside_memcached_failures_total");
    let crosstalk = outcome.moved("aside_memcached_crosstalk_total");
    assert!(crosstalk < 0.5, "a late reply was read by a later request");
}

#[tokio::test]
async fn late_by_little_more_than_a_deadline() {
    let outcome = breaks(Fault::Late(Duration::from_millis(75))).await;
    outcome.enter("it answers 75 ms late", "aside_memcached_failures_total");
}

#[tokio::test]
async fn accepting_and_never_answering() {
    let outcome = breaks(Fault::BlackHole).await;
    let row = "it accepts connections and never answers";
    outcome.enter(row, "aside_memcached_failures_total");
}
