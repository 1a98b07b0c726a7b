//! A machine that is too busy to run the service: the time that passes so is not held against memcached.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use futures_util::future::{join, join_all};
use rustix::process::Signal;
use support::{aside::Aside, eventually, memcached::Memcached};
use tokio::time::sleep;

/// Three deadlines of an operation.
const STARVED: Duration = Duration::from_millis(150);

const CLIENTS: usize = 16;

#[tokio::test]
async fn a_server_is_not_blamed_for_the_time_in_which_the_service_does_not_run() {
    let memcached = Memcached::start().await;
    let aside = Aside::start(&["--memcached", &memcached.address().to_string()]).await;
    eventually("a hit", async || {
        (aside.get("/users/1").await.header("x-cache") == "HIT").then_some(())
    })
    .await;
    let is_over = AtomicBool::new(false);
    let clients = join_all((0..CLIENTS).map(async |_| {
        while !is_over.load(Ordering::Relaxed) {
            let answer = aside.get("/users/1").await;
            let status = answer.header("cache-status");
            assert!(status.contains("hit") && !status.contains("fallback"), "{status}");
        }
    }));
    let starved = async {
        for pause_ms in 1..=20 {
            sleep(Duration::from_millis(pause_ms)).await;
            aside.signal(Signal::STOP);
            sleep(STARVED).await;
            aside.signal(Signal::CONT);
        }
        is_over.store(true, Ordering::Relaxed);
    };
    join(clients, starved).await;
    let metrics = aside.metrics().await;
    let failures = metrics.lines().find(|line| line.starts_with("aside_memcached_failures_total"));
    assert!(failures.is_some_and(|line| line.ends_with(" 0")), "{failures:?}");
}
