//! `GET /stats`: what each server counts, the ledger, and the verdict.

use futures_util::future::join_all;
use serde_json::Value;
use support::{aside::Aside, eventually, memcached::Memcached, raw::RawClient};

use crate::program::{addresses, flags, store};

/// Figures that are shared for a moment must have been looked at anew: waits until `check` finds them so.
async fn rows<T>(aside: &Aside, what: &str, check: impl Fn(&[Value]) -> Option<T>) -> T {
    let look = async || check(aside.get("/stats").await.json()["memcached"].as_array().unwrap());
    eventually(what, look).await
}

#[tokio::test]
async fn each_server_tells_what_it_counts() {
    let servers = [Memcached::start().await, Memcached::start_on_socket().await];
    let setting = addresses(&[&servers[0], &servers[1]]);
    let aside = Aside::start(&["--memcached", &setting, "--slow-query", "0s"]).await;
    for id in (1..=40).chain(1..=40) {
        aside.get(&format!("/users/{id}")).await.user(id);
    }
    let items = |row: &Value| row["curr_items"].as_u64().unwrap_or(0);
    let rows = rows(&aside, "forty items", |rows| {
        (rows.iter().map(items).sum::<u64>() == 40).then(|| rows.to_vec())
    })
    .await;
    for (row, server) in rows.iter().zip(&servers) {
        assert_eq!(row["server"], server.address().to_string());
        assert_eq!((&row["state"], &row["error"]), (&"in service".into(), &Value::Null));
        assert!(row["version"].as_str().unwrap().starts_with("1."), "{row}");
        for name in ["curr_items", "bytes", "limit_maxbytes", "get_misses", "evictions"] {
            assert_eq!(row[name].as_u64(), server.statistic(name).await, "{name} of {row}");
        }
        assert!(row["uptime"].is_u64() && row["curr_connections"].as_u64() >= Some(3), "{row}");
        let [hits, misses] = ["get_hits", "get_misses"].map(|name| row[name].as_f64().unwrap());
        let rate = row["hit_rate"].as_f64().unwrap();
        assert!((rate - 100.0 * hits / (hits + misses)).abs() < 0.01, "{row}");
        // Each id was a miss once and then a hit; both connections for changes were probed.
        let leases = row["curr_items"].as_u64().unwrap() + 2;
        assert_eq!(row["leases"], leases, "{row}");
    }
}

#[tokio::test]
async fn memcached_counts_a_look_that_takes_a_lease_as_a_hit() {
    let memcached = Memcached::start().await;
    let counted = async |command: &str| {
        let count = async || {
            let hits = memcached.statistic("get_hits").await.unwrap();
            (hits, memcached.statistic("get_misses").await.unwrap())
        };
        let before = count().await;
        memcached.ask(&format!("{command}\r\nmn\r\n"), "MN\r\n").await.unwrap();
        let after = count().await;
        (after.0 - before.0, after.1 - before.1)
    };
    assert_eq!(counted("mg a v t f c N30").await, (1, 0), "absent: the lease is won");
    assert_eq!(counted("mg a v t f c N30").await, (1, 0), "a placeholder");
    store(&memcached, "a", "x", "T60").await;
    assert_eq!(counted("mg a v t f c N30 R100").await, (1, 0), "stale");
    assert_eq!(counted("mg b v t f c").await, (0, 1), "absent, and no lease is asked for");
}

#[tokio::test]
async fn the_ledger_adds_up_whatever_becomes_of_a_get() {
    let memcached = Memcached::start().await;
    let setting = memcached.address().to_string();
    let aside = Aside::start(&["--memcached", &setting, "--slow-query", "0s"]).await;
    let stale = format!("T295 F{}", flags(false, 360));
    let body = r#"{"id":3,"name":"a","email":"b","created_at":"c","updated_at":"d"}"#;
    store(&memcached, "user:3", body, &stale).await;
    assert_eq!(aside.get("/users/3").await.x_cache(), "STALE");
    for path in ["/users/1", "/users/1", "/users/999999", "/users/999999", "/users/x"] {
        aside.get(path).await;
    }
    aside.get_with("/users/2", "no-store").await;
    aside.get_with("/users/1", "no-cache").await;
    aside.get_with("/users/9", "only-if-cached").await;
    let ledger = aside.get("/stats").await.json()["service"].clone();
    let count = |name: &str| ledger[name].as_u64().unwrap();
    let [gets, hits, stale] = ["gets", "hits", "stale"].map(count);
    let [misses, bypasses, negative] = ["misses", "bypasses", "negative_hits"].map(count);
    assert_eq!((gets, gets), (hits + stale + misses + bypasses, 8), "{ledger}");
    assert!(stale == 1 && negative == 1 && misses >= 2 && bypasses >= 1, "{ledger}");
}

#[tokio::test]
async fn a_stopped_server_is_a_row_with_an_error_in_time_and_holds_up_no_hit_on_another() {
    let servers = [Memcached::start().await, Memcached::start().await];
    let setting = addresses(&[&servers[0], &servers[1]]);
    let arguments = ["--memcached", &setting, "--memcached-timeout", "100ms", "--slow-query", "0s"];
    let aside = Aside::start(&arguments).await;
    servers[0].stop();
    // Figures from before may be shared for a second yet.
    let silent = |rows: &[Value]| (rows[0]["error"] == "it does not answer").then(|| rows.to_vec());
    let rows_then = rows(&aside, "an error row", silent).await;
    assert!(rows_then[1]["version"].is_string() && rows_then[0]["version"].is_null());
    let report = aside.get("/stats").await;
    assert!(report.took.as_secs() < 10, "{report:?}");
    // Once it is known to be away it holds up no report any more: it is not asked.
    eventually("out of service", async || {
        for id in 1..=10 {
            aside.get(&format!("/users/{id}")).await.user(id);
        }
        let row = aside.get("/stats").await.json()["memcached"][0].clone();
        (row["error"] == "it is out of service" && row["state"] == "out of service").then_some(())
    })
    .await;
    servers[0].go_on();
    rows(&aside, "figures again", |rows| rows[0]["version"].as_str().map(|_| ())).await;
}

#[tokio::test]
async fn a_killed_server_is_a_row_with_an_error() {
    let mut memcached = Memcached::start().await;
    let aside = Aside::start(&["--memcached", &memcached.address().to_string()]).await;
    memcached.kill();
    let row = async || aside.get("/stats").await.json()["memcached"][0].clone();
    // At first perhaps nobody has noticed but whoever asks for figures; with reads, it is found to be away.
    let away = ["it can't be reached", "it is out of service"];
    let error = row().await["error"].as_str().unwrap_or_default().to_owned();
    assert!(away.contains(&error.as_str()), "{error}");
    eventually("an error row", async || {
        aside.get("/users/1").await.user(1);
        let row = row().await;
        (row["error"] == "it is out of service" && row["hit_rate"].is_null()).then_some(())
    })
    .await;
    assert!(aside.get("/stats").await.json()["verdict"].is_string());
}

#[tokio::test]
async fn however_many_ask_at_once_a_server_is_looked_at_once_a_second() {
    let memcached = Memcached::start().await;
    let aside = Aside::start(&["--memcached", &memcached.address().to_string()]).await;
    aside.get("/stats").await;
    let connections = async || memcached.statistic("total_connections").await.unwrap();
    let before = connections().await;
    let begun_at = tokio::time::Instant::now();
    join_all((0..200).map(|_| aside.get("/stats"))).await;
    let looks_max = 1 + begun_at.elapsed().as_secs() + 1;
    // One of the connections is that of the count itself.
    let made = connections().await - before - 1;
    assert!(made <= looks_max, "{made} connections for 200 requests");
}

#[tokio::test]
async fn whoever_leaves_does_not_make_a_look_begin_again() {
    let memcached = Memcached::start().await;
    let setting = memcached.address().to_string();
    let aside = Aside::start(&["--memcached", &setting, "--memcached-timeout", "1s"]).await;
    let before = memcached.statistic("total_connections").await.unwrap();
    memcached.stop();
    for _ in 0..20 {
        let mut client = RawClient::connect(aside.address).await;
        client.send(b"GET /stats HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        aside.get("/healthz").await;
        drop(client);
        aside.get("/healthz").await;
    }
    memcached.go_on();
    aside.get("/stats").await;
    let made = memcached.statistic("total_connections").await.unwrap() - before - 1;
    assert!(made <= 2, "{made} connections");
}

#[tokio::test]
async fn the_verdict_says_why_with_the_figure_that_made_it_say_so() {
    let memcached = Memcached::start().await;
    let setting = memcached.address().to_string();
    let aside = Aside::start(&["--memcached", &setting, "--slow-query", "0s"]).await;
    let verdict = async || aside.get("/stats").await.json()["verdict"].as_str().unwrap().to_owned();
    assert_eq!(verdict().await, "too few gets to say: 0, and it takes 100");
    for id in 1..=120 {
        aside.get(&format!("/users/{id}")).await.user(id);
    }
    let seldom = "below 80 %: it answered 0.00 % of 120 gets; data is seldom asked for twice: \
                  120 entries were stored for these gets";
    eventually(seldom, async || (verdict().await == seldom).then_some(())).await;
    for _ in 0..600 {
        aside.get("/users/1").await.user(1);
    }
    assert_eq!(verdict().await, "the cache earns its keep: it answered 83.33 % of 720 gets");
}

#[tokio::test]
async fn without_memcached_there_are_no_rows() {
    let aside = Aside::start(&[]).await;
    aside.get("/users/1").await.user(1);
    let report = aside.get("/stats").await.json();
    assert_eq!(report["memcached"], Value::Array(Vec::new()));
    assert_eq!(report["service"]["misses"], 1);
}

#[tokio::test]
async fn a_server_that_is_full_makes_the_verdict_say_so() {
    let memcached = Memcached::start_with(&["-m", "2"]).await;
    let setting = memcached.address().to_string();
    let aside = Aside::start(&["--memcached", &setting, "--slow-query", "0s"]).await;
    // As long as a user, and never read.
    let filler = "x".repeat(150);
    let mut numbers = 0_u64..;
    while memcached.statistic("evictions").await.unwrap() < 100 {
        let set = |number| format!("set filler:{number} 0 0 150 noreply\r\n{filler}\r\n");
        let sets: String = numbers.by_ref().take(2000).map(set).collect();
        memcached.ask(&format!("{sets}mn\r\n"), "MN\r\n").await.unwrap();
    }
    for id in 1..=100 {
        aside.get(&format!("/users/{id}")).await.user(id);
    }
    eventually("the verdict", async || {
        let verdict = aside.get("/stats").await.json()["verdict"].as_str().unwrap().to_owned();
        let evictions = memcached.statistic("evictions").await.unwrap();
        verdict
            .ends_with(&format!("its memory is too small: {evictions} entries were evicted"))
            .then_some(())
    })
    .await;
}
