//! Each walk-through, to its end, in plain lines.

use support::memcached::Memcached;

use crate::program::{Walk, assert_empty, walk};

/// Walks, and returns what was written. Nothing may be left in memcached, and no escape sequence in the lines.
async fn succeeds(memcached: &Memcached, arguments: &[&str]) -> String {
    let out = walk(memcached, arguments).await.succeeded();
    assert!(!out.contains('\u{1b}'), "{out:?}");
    assert!(out.contains(&format!("memcached at {}\n", memcached.address())), "{out}");
    let (expected, saw, ok) = (
        out.matches("\n   expected: ").count(),
        out.matches("\n   saw:      ").count(),
        out.matches("\n   ok\n").count(),
    );
    assert_eq!((expected, saw), (ok, ok), "each step says what it expected and saw: {out}");
    assert!(out.ends_with(&format!("\nall {ok} steps as expected\n")), "{out}");
    assert_empty(memcached.statistic("curr_items").await);
    out
}

/// Asserts that `lines` come in `out`, in this order.
#[track_caller]
fn in_order(out: &str, lines: &[&str]) {
    let mut rest = out;
    for line in lines {
        let at = rest.find(line).unwrap_or_else(|| panic!("no {line:?}, or too early: {out}"));
        rest = &rest[at + line.len()..];
    }
}

/// The two numbers of "gone after 1.9 to 2.0 s".
fn gone_after_s(out: &str) -> (f64, f64) {
    let (_, rest) = out.split_once("saw:      gone after ").unwrap();
    let (least, rest) = rest.split_once(" to ").unwrap();
    let (most, _) = rest.split_once(" s\n").unwrap();
    (least.parse().unwrap(), most.parse().unwrap())
}

#[tokio::test]
async fn ttl_counts_down_and_says_when_memcached_dropped_the_value() {
    let memcached = Memcached::start().await;
    let out = succeeds(&memcached, &["ttl", "--ttl", "3s"]).await;
    in_order(
        &out,
        &[
            "\n1. set aside:demo:",
            " for 3 s\n   expected: stored\n   saw:      stored\n   ok\n",
            "\n2. read aside:demo:",
            "   saw:      {\"greeting\":\"hello\"}\n   ok\n",
            "\n3. read aside:demo:",
            "until memcached has dropped it\n",
            " s left\n   expected: gone after 1 to 5 s\n   saw:      gone after ",
        ],
    );
    let left_s = out.lines().filter_map(|line| line.strip_suffix(" s left")?.trim().parse().ok());
    let left_s: Vec<u32> = left_s.collect();
    assert!(left_s.len() >= 2 && left_s.is_sorted_by(|one, next| one > next), "{out}");
    let (least, most) = gone_after_s(&out);
    assert!(least < most && most >= 1.0 && least <= 5.0, "{out}");
}

#[tokio::test]
async fn lifecycle_creates_reads_updates_deletes_and_lets_expire() {
    let memcached = Memcached::start().await;
    let out = succeeds(&memcached, &["lifecycle", "--ttl", "4s"]).await;
    in_order(
        &out,
        &[
            "\n1. create aside:demo:",
            "\n2. read ",
            "   saw:      {\"version\":1}\n",
            "\n3. update ",
            "\n4. read ",
            "   saw:      {\"version\":2}\n",
            "\n5. delete ",
            "   saw:      deleted\n",
            "\n6. read ",
            "   saw:      nothing\n",
            "\n7. create ",
            "\n8. read ",
            "   saw:      {\"version\":3}\n",
            " s left\n   expected: gone after 2 to 6 s\n",
            "\n10. read ",
            "   saw:      nothing\n",
        ],
    );
}

#[tokio::test]
async fn speedup_gives_both_times_and_the_gain() {
    let memcached = Memcached::start().await;
    let arguments = ["speedup", "--slow-query", "100ms", "--user", "7"];
    let out = succeeds(&memcached, &arguments).await;
    let number = |text: &str, unit: &str| -> f64 {
        let (before, _) = text.split_once(unit).unwrap_or_else(|| panic!("no {unit}: {out}"));
        before.rsplit(' ').next().unwrap().parse().unwrap()
    };
    in_order(&out, &["\n1. look user 7 up 3 times", "\n   saw:      BYPASS in ", "; BYPASS in "]);
    in_order(&out, &["\n   saw:      MISS, stored\n", "\n   saw:      HIT in ", "; HIT in "]);
    let (_, sum) = out.split_once("saw:      the same user; ").unwrap();
    let (without, with) = (number(sum, " ms without"), number(sum, " ms with:"));
    let (times, gain) = (number(sum, " times as fast"), number(sum, " %"));
    assert!(without >= 100.0 && with < without, "{out}");
    // Both are of the times before they were rounded.
    assert!((gain - (1.0 - with / without) * 100.0).abs() < 0.02, "{out}");
    assert!((times * with / without - 1.0).abs() < 0.1, "{out}");
}

#[tokio::test]
async fn speedup_leaves_the_entries_and_the_databases_of_others_alone() {
    let memcached = Memcached::start().await;
    let stored = async || memcached.ask("mg user:42 v f\r\nmn\r\n", "MN\r\n").await.unwrap();
    memcached.ask("ms user:42 5 F7\r\nAda's\r\n", "\r\n").await.unwrap();
    let before = stored().await;
    // That the database of the settings is not even made is asserted of every walk.
    walk(&memcached, &["speedup", "--slow-query", "20ms"]).await.succeeded();
    assert_eq!(stored().await, before);
    assert_eq!(memcached.statistic("curr_items").await, Some(1));
}

#[tokio::test]
async fn sessions_logs_in_reads_and_logs_out_and_never_shows_an_id() {
    let memcached = Memcached::start().await;
    let out = succeeds(&memcached, &["sessions"]).await;
    in_order(
        &out,
        &[
            "\n1. log Ada Lovelace in",
            "… (43 characters)\n",
            "under session:",
            "   saw:      {\"user_id\":42,\"username\":\"Ada Lovelace\",\"login_time\":\"",
            " s left before, ",
            "\n4. log out\n",
            "   saw:      the session is ended\n",
            "   saw:      no such session\n",
        ],
    );
    let of_id = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
    for word in out.split(|character| !of_id(character)) {
        assert!(word.len() < 32, "{word} may be an id, or the hash of one");
    }
}

#[tokio::test]
async fn stats_compares_the_counters_of_each_server() {
    let servers = [Memcached::start().await, Memcached::start().await];
    let [one, other] = servers.each_ref().map(|server| server.address().to_string());
    let out = Walk::start(&format!("{one},{other}"), &["stats"]).ended().await.succeeded();
    in_order(
        &out,
        &[
            "   saw:      2 of 2 answer\n",
            "   saw:      10 sets, 20 hits, 5 misses\n",
            &format!("\n3. ask {one} again"),
            "   expected: at least ",
            &format!("\n4. ask {other} again"),
            "   expected: at least ",
            &format!("\nserver                   {one}"),
            "\nhit rate",
            "\nverdict by memcached alone: ",
            "\nall 4 steps as expected\n",
        ],
    );
    let sets = out.lines().filter_map(|line| {
        line.strip_prefix("   expected: at least ")?.split_once(" sets")?.0.parse::<u64>().ok()
    });
    assert_eq!(sets.sum::<u64>(), 10, "{out}");
    for server in &servers {
        assert_empty(server.statistic("curr_items").await);
    }
}
