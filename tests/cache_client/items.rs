//! `aside cache set`, `get` and `delete`.

use support::{aside::Aside, memcached::Memcached};

use crate::program::{addresses, cache, fed, run, store};

#[tokio::test]
async fn a_value_is_set_got_and_deleted_on_its_home() {
    let servers = [Memcached::start().await, Memcached::start().await];
    let both = servers.each_ref();
    assert_eq!(cache(&both, &["set", "greeting", "hello\nwörld\t"]).await.succeeded(), "");
    let got = cache(&both, &["get", "greeting"]).await.succeeded();
    assert_eq!(got, "hello\nwörld\t", "a pipe is given the bytes as they are");
    let mut copies = 0;
    for server in &servers {
        let line = server.stored("greeting").await;
        copies += usize::from(line.starts_with("VA 13"));
    }
    assert_eq!(copies, 1, "an item lives on one server");
    assert_eq!(cache(&both, &["delete", "greeting"]).await.succeeded(), "deleted\n");
    assert_eq!(cache(&both, &["delete", "greeting"]).await.succeeded(), "was not there\n");
    let line = cache(&both, &["get", "greeting"]).await.failed(1);
    assert_eq!(line, "nothing is stored under greeting");
}

#[tokio::test]
async fn a_value_lives_for_its_ttl_or_a_minute() {
    let memcached = Memcached::start().await;
    let left_s = async |key: &str| {
        let line = memcached.tell(&format!("mg {key} t")).await;
        line.strip_prefix("HD t").unwrap().parse::<i64>().unwrap()
    };
    cache(&[&memcached], &["set", "a", "-1", "--ttl", "2h"]).await.succeeded();
    assert!((7190..=7200).contains(&left_s("a").await));
    cache(&[&memcached], &["set", "b", "x"]).await.succeeded();
    assert!((50..=60).contains(&left_s("b").await));
    let help = cache(&[&memcached], &["set", "--help"]).await.succeeded();
    assert!(help.contains("[default: 60s]") && help.contains("standard input"), "{help}");
    let line = cache(&[&memcached], &["set", "c", "x", "--ttl", "0s"]).await.failed(2);
    assert!(line.contains("--ttl") && line.contains("1s to 30d"), "{line}");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_in_one_line_before_anything_is_sent() {
    let memcached = Memcached::start().await;
    let long = "k".repeat(251);
    for key in ["", "a b", "a\r\nflush_all", "ü", "a\u{1b}[2J", &long] {
        for arguments in
            [&["get", key][..], &["set", key, "x"], &["delete", key], &["explain", key]]
        {
            let line = cache(&[&memcached], arguments).await.failed(2);
            assert!(line.contains("<KEY>") && line.contains("1 to 250"), "{line}");
            assert!(!line.contains('\u{1b}'), "{line}");
        }
    }
    let line = cache(&[&memcached], &["set", "a", ""]).await.failed(2);
    assert!(line.contains("<VALUE>") && line.contains("1 to 1000000 bytes"), "{line}");
    for arguments in [&["get", "a"][..], &["set", "a", "x"], &["delete", "a"], &["stats"]] {
        let line = run("none", "127.0.0.1:1", arguments).await.failed(2);
        assert!(line.contains("--memcached") && line.contains("none"), "{line}");
        let line = run(":x", "127.0.0.1:1", arguments).await.failed(2);
        assert!(line.contains("host:port"), "{line}");
    }
}

#[tokio::test]
async fn a_value_is_read_from_standard_input_as_it_is_up_to_a_million_bytes() {
    let memcached = Memcached::start().await;
    let address = addresses(&[&memcached]);
    let set = async |input: &[u8]| fed(&address, "127.0.0.1:1", &["set", "a", "-"], input).await;
    for bytes in [900_000, 1_000_000] {
        assert_eq!(set(&vec![b'x'; bytes]).await.succeeded(), "");
        let kept = cache(&[&memcached], &["get", "a"]).await.succeeded();
        assert!(kept == "x".repeat(bytes), "{} of {bytes} bytes", kept.len());
    }
    for input in [vec![b'y'; 1_000_001], vec![b'y'; 2_000_000], Vec::new()] {
        let line = set(&input).await.failed(2);
        assert!(line.contains("<VALUE>") && line.contains("1 to 1000000 bytes"), "{line}");
    }
    let kept = cache(&[&memcached], &["get", "a"]).await.succeeded();
    assert_eq!(kept.len(), 1_000_000, "what is refused leaves the value as it was");
    set("\0\r\nü\n".as_bytes()).await.succeeded();
    assert_eq!(cache(&[&memcached], &["get", "a"]).await.succeeded(), "\0\r\nü\n");
    set(b"\xff\xfe").await.succeeded();
    assert_eq!(memcached.tell("mg a s").await, "HD s2", "bytes need be no UTF-8");
}

#[tokio::test]
async fn a_memcached_that_is_away_is_said_in_one_line() {
    let mut memcached = Memcached::start().await;
    let address = addresses(&[&memcached]);
    for stop in [true, false] {
        if stop {
            memcached.stop()
        } else {
            memcached.kill()
        }
        for arguments in [&["get", "a"][..], &["set", "a", "x"], &["delete", "a"]] {
            let arguments = [arguments, &["--memcached-timeout", "100ms"]].concat();
            let line = cache(&[&memcached], &arguments).await.failed(1);
            assert_eq!(line, format!("memcached at {address} does not answer"));
        }
    }
}

#[tokio::test]
async fn set_wins_over_a_lease_and_a_placeholder_is_no_value() {
    let memcached = Memcached::start().await;
    let holder = memcached.tell("mg a c N30").await;
    let cas = holder.split(' ').find_map(|flag| flag.strip_prefix('c')).unwrap().to_owned();
    let line = cache(&[&memcached], &["get", "a"]).await.failed(1);
    assert!(line.contains("being loaded"), "{line}");
    cache(&[&memcached], &["set", "a", "ours"]).await.succeeded();
    let fill = format!("ms a 6 C{cas} T60\r\ntheirs");
    assert_eq!(memcached.tell(&fill).await, "EX");
    assert_eq!(cache(&[&memcached], &["get", "a"]).await.succeeded(), "ours");
}

#[tokio::test]
async fn an_entry_of_the_cache_reads_as_the_body_and_is_deleted_wherever_it_stands() {
    let servers = [Memcached::start().await, Memcached::start().await];
    let setting = addresses(&servers.each_ref());
    let aside = Aside::start(&["--memcached", &setting]).await;
    let body = aside.get("/users/1").await.user(1).body.clone();
    let got = cache(&servers.each_ref(), &["get", "user:1"]).await.succeeded();
    assert_eq!(got.as_bytes(), body);
    // As a replica leaves it that could not reach the first choice.
    for server in &servers {
        store(server, "user:1", "{\"id\":1}", "T60").await;
    }
    cache(&servers.each_ref(), &["delete", "user:1"]).await.succeeded();
    for server in &servers {
        assert_eq!(server.tell("me user:1").await, "EN");
    }
}
