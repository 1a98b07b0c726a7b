//! Every walk-through sees it when something else happens than it expects, says what, and still cleans up.

use aside::cache::{Flags, SCHEMA};
use support::memcached::Memcached;

use crate::{
    program::{Walk, assert_empty},
    saboteur::{Sabotage, key_of, once, sabotaged},
};

/// Walks while somebody else's command slips in, and returns what the steps saw that differed.
async fn seen(arguments: &[&str], sabotage: Sabotage) -> Vec<String> {
    let memcached = Memcached::start().await;
    let way = sabotaged(&memcached, sabotage);
    let saw = Walk::start(&way.address().to_string(), arguments).ended().await.differed();
    assert_empty(memcached.statistic("curr_items").await);
    saw
}

fn delete(key: &str) -> String {
    format!("md {key}")
}

#[tokio::test]
async fn ttl_sees_a_value_that_goes_too_early() {
    let saw = seen(&["ttl", "--ttl", "5s"], once("mg aside:demo:", 3, delete)).await;
    assert_eq!(saw.len(), 1);
    assert!(saw[0].starts_with("saw:      gone after "), "{saw:?}");
}

#[tokio::test]
async fn ttl_sees_a_value_that_stays_too_long() {
    let saw =
        seen(&["ttl", "--ttl", "3s"], once("mg aside:demo:", 2, |key| format!("mg {key} T60")))
            .await;
    assert_eq!(saw.len(), 1);
    assert!(saw[0].starts_with("saw:      still there after "), "{saw:?}");
}

#[tokio::test]
async fn lifecycle_sees_a_value_that_is_lost_and_one_that_comes_back() {
    let arguments = ["lifecycle", "--ttl", "4s"];
    let back = |key: &str| format!("ms {key} 3 T60\r\nold");
    let (lost, back) = tokio::join!(
        seen(&arguments, once("mg aside:demo:", 2, delete)),
        seen(&arguments, once("mg aside:demo:", 3, back))
    );
    assert_eq!(lost, ["saw:      nothing", "saw:      it was not there"]);
    assert_eq!(back, ["saw:      old"]);
}

#[tokio::test]
async fn speedup_sees_a_miss_where_a_hit_should_be_and_an_entry_that_was_not_stored() {
    let arguments = ["speedup", "--slow-query", "50ms"];
    let saw = seen(&arguments, once("mg aside:demo:", 2, delete)).await;
    assert_eq!(saw.len(), 1);
    assert!(saw[0].starts_with("saw:      MISS, stored in "), "{saw:?}");
    let saw = seen(&arguments, once("ms aside:demo:", 1, |_| "flush_all".to_owned())).await;
    assert_eq!(saw[0], "saw:      MISS, not stored");
}

#[tokio::test]
async fn speedup_sees_another_user_under_the_key() {
    let of_another = |key: &str| {
        let flags = Flags { schema: SCHEMA, negative: false, lifetime_s: 60 }.pack();
        format!("ms {key} 8 T60 F{flags}\r\n{{\"id\":1}}")
    };
    let saw =
        seen(&["speedup", "--slow-query", "50ms"], once("mg aside:demo:", 2, of_another)).await;
    assert_eq!(saw.len(), 1);
    assert!(saw[0].starts_with("saw:      not the same user each time;"), "{saw:?}");
}

#[tokio::test]
async fn sessions_sees_a_session_that_is_lost() {
    let saw = seen(&["sessions"], once("mg session:", 1, delete)).await;
    assert_eq!(
        saw,
        [
            "saw:      nothing",
            "saw:      no such session; no s left before, no s after",
            "saw:      there was none"
        ]
    );
}

#[tokio::test]
async fn sessions_sees_a_session_that_is_not_renewed() {
    let mut is_renewed = false;
    let sabotage = Box::new(move |line: &str| {
        if !line.starts_with("mg session:") {
            return None;
        }
        let undo = is_renewed.then(|| format!("mg {} T30", key_of(line)));
        is_renewed = line.contains(" T60");
        undo
    });
    let saw = seen(&["sessions"], sabotage).await;
    assert_eq!(saw.len(), 1);
    assert!(saw[0].ends_with(" s left before, 30 s after"), "{saw:?}");
}

#[tokio::test]
async fn stats_sees_counters_that_do_not_count() {
    let saw = seen(&["stats"], once("stats", 2, |_| "stats reset".to_owned())).await;
    assert_eq!(saw.len(), 1);
    assert!(saw[0].starts_with("saw:      0 sets, 0 hits, "), "{saw:?}");
}
