//! A walk-through that can't begin, or does not come to its end.

use futures_util::future::join_all;
use rustix::process::Signal;
use support::memcached::Memcached;

use crate::program::{Walk, assert_empty, walk};

const WALKS: [&str; 5] = ["ttl", "lifecycle", "speedup", "sessions", "stats"];

#[tokio::test]
async fn without_memcached_one_line_says_how_to_start_one() {
    let (one, mut other) = (Memcached::start().await, Memcached::start().await);
    let [here, away] = [&one, &other].map(|memcached| memcached.address().to_string());
    other.kill();
    let (host, port) = away.split_once(':').unwrap();
    let said =
        format!("memcached at {away} does not answer; start it: memcached -l {host} -p {port}");
    for name in WALKS {
        for setting in [away.clone(), format!("{here},{away}")] {
            let run = Walk::start(&setting, &[name]).ended().await;
            assert_eq!(run.out, "", "{name}");
            assert_eq!(run.failed(1), said, "{name}");
        }
    }
}

#[tokio::test]
async fn a_stopped_memcached_is_none() {
    let memcached = Memcached::start().await;
    memcached.stop();
    let line = walk(&memcached, &["ttl", "--memcached-timeout", "20ms"]).await.failed(1);
    assert!(line.contains("does not answer; start it: "), "{line}");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    for name in WALKS {
        let line = Walk::start("none", &[name]).ended().await.failed(2);
        assert!(line.contains("--memcached") && line.contains("none"), "{line}");
    }
    for name in ["ttl", "lifecycle"] {
        for ttl in ["1s", "61s", "2500ms", "0s", "x"] {
            let line = Walk::start("127.0.0.1:1", &[name, "--ttl", ttl]).ended().await.failed(2);
            assert!(line.contains("--ttl") && line.contains("2s to 1m"), "{line}");
        }
    }
    let line = Walk::start("127.0.0.1:1", &["speedup", "--user", "10001"]).ended().await.failed(2);
    assert!(line.contains("--user") && line.contains("10001"), "{line}");
}

#[tokio::test]
async fn a_memcached_that_is_killed_meanwhile_ends_the_walk() {
    let walks = [
        (&["ttl"][..], "3. read"),
        (&["lifecycle"], "9. read"),
        (&["sessions"], "3. read"),
        (&["speedup", "--slow-query", "1s"], "1. look"),
    ];
    let ended = walks.map(async |(arguments, moment)| {
        let mut memcached = Memcached::start().await;
        let mut walk = Walk::start(&memcached.address().to_string(), arguments);
        walk.says(moment).await;
        memcached.kill();
        let line = walk.ended().await.failed(1);
        assert_eq!(line, "memcached does not answer any more", "{arguments:?}");
    });
    join_all(ended).await;
}

#[tokio::test]
async fn a_signal_ends_it_and_what_it_has_stored_is_removed() {
    let memcached = Memcached::start().await;
    let address = memcached.address().to_string();
    for (arguments, moment) in [
        (&["ttl", "--ttl", "1m"][..], "3. read"),
        (&["lifecycle", "--ttl", "1m"], "9. read"),
        (&["sessions"], "3. read"),
        (&["speedup", "--slow-query", "1h"], "1. look"),
    ] {
        for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
            let mut walk = Walk::start(&address, arguments);
            walk.says(moment).await;
            walk.signal(signal);
            let run = walk.ended().await;
            assert_eq!((run.code, run.err.as_str()), (code, ""), "{arguments:?}");
            assert_empty(memcached.statistic("curr_items").await);
        }
    }
}

#[tokio::test]
async fn whoever_stops_reading_ends_it_quietly() {
    let memcached = Memcached::start().await;
    let mut walk = Walk::start(&memcached.address().to_string(), &["ttl", "--ttl", "1m"]);
    walk.says("3. read").await;
    let run = walk.left_unread().await;
    assert_eq!((run.code, run.err.as_str()), (141, ""));
    assert_empty(memcached.statistic("curr_items").await);
}
