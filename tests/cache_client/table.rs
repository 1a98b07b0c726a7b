//! `aside cache stats`.

use futures_util::future::join_all;
use support::{aside::Aside, memcached::Memcached};

use crate::program::{addresses, cache, run};

/// The cells of the line that begins with `name`.
fn cells<'a>(table: &'a str, name: &str) -> Vec<&'a str> {
    let line = table.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name} in {table}")).split_whitespace().collect()
}

#[tokio::test]
async fn the_table_has_a_column_for_each_server_and_the_ledger_of_the_service_below() {
    let (one, mut other) = (Memcached::start().await, Memcached::start().await);
    let setting = addresses(&[&one, &other]);
    let aside = Aside::start(&["--memcached", &setting, "--slow-query", "0s"]).await;
    for id in (1..=60).chain(1..=60) {
        aside.get(&format!("/users/{id}")).await.user(id);
    }
    let listen = aside.address.to_string();
    let counted = async || {
        let names = ["curr_items", "bytes", "limit_maxbytes", "get_misses", "evictions"];
        let figures = names.map(|name| one.statistic(name));
        join_all(figures).await.into_iter().map(Option::unwrap).collect::<Vec<_>>()
    };
    let before = counted().await;
    let table = run(&setting, &listen, &["stats"]).await.succeeded();
    let after = counted().await;
    assert_eq!(cells(&table, "server "), setting.split(',').collect::<Vec<_>>());
    // A connection of the service's that is made now counts a miss.
    for (name, counted) in ["items ", "bytes ", "of limit ", "misses ", "evictions "]
        .into_iter()
        .zip(before.into_iter().zip(after))
    {
        let cell = cells(&table, name)[0].parse().unwrap();
        assert!((counted.0..=counted.1).contains(&cell), "{name} {counted:?} {table}");
    }
    for name in ["version ", "uptime ", "filled ", "connections ", "hit rate ", "leases "] {
        assert!(cells(&table, name).len() >= 2, "{name} in {table}");
    }
    assert!(
        table.contains("gets      120 = 60 hits + 0 stale + 60 misses + 0 bypasses\n"),
        "{table}"
    );
    let verdict = aside.get("/stats").await.json()["verdict"].as_str().unwrap().to_owned();
    assert!(table.ends_with(&format!("\nverdict: {verdict}\n")), "{table}");

    other.kill();
    let table = run(&setting, &listen, &["stats"]).await.succeeded();
    assert_eq!(cells(&table, "version ")[1], "-");
    assert!(table.contains(&format!("{}: it can't be reached\n", other.address())), "{table}");
}

#[tokio::test]
async fn without_a_service_it_says_so_and_judges_by_memcached_alone() {
    let memcached = Memcached::start().await;
    let table = cache(&[&memcached], &["stats"]).await.succeeded();
    assert!(table.contains("\nno service answers at 127.0.0.1:1\n"), "{table}");
    assert!(table.contains("\nverdict by memcached alone: too few gets to say"), "{table}");
    // Two hundred keys, each looked up under a lease and filled: to memcached they are hits.
    for number in 0..200 {
        let look = format!("mg k{number} v N30\r\nms k{number} 1 T60\r\nx\r\nmn\r\n");
        memcached.ask(&look, "MN\r\n").await.unwrap();
    }
    let table = cache(&[&memcached], &["stats"]).await.succeeded();
    assert_eq!(cells(&table, "leases "), ["200"]);
    assert!(table.contains("alone: below 80 %: it answered 0.00 % of "), "{table}");
}

#[tokio::test]
async fn what_answers_at_the_address_but_is_no_service_of_ours_is_none() {
    let memcached = Memcached::start().await;
    let setting = addresses(&[&memcached]);
    let table = run(&setting, &setting, &["stats"]).await.succeeded();
    assert!(table.contains(&format!("\nno service answers at {setting}\n")), "{table}");
}

#[tokio::test]
async fn without_any_memcached_it_fails() {
    let mut memcached = Memcached::start().await;
    memcached.kill();
    let run = cache(&[&memcached], &["stats"]).await;
    assert!(run.out.contains("it can't be reached"), "{run:?}");
    assert_eq!(run.failed(1), "no memcached answers");
    // A stopped one accepts connections.
    memcached.restart().await;
    memcached.stop();
    let stopped = cache(&[&memcached], &["stats", "--memcached-timeout", "50ms"]).await;
    assert!(stopped.out.contains("it does not answer"), "{stopped:?}");
    stopped.failed(1);
}
