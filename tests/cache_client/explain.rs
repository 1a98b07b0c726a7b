//! What an explanation says.

use serde_json::{Value, json};
use support::{aside::Aside, memcached::Memcached};

use crate::program::{addresses, cache, flags, run, store};

/// `GET /cache/users/{id}`.
async fn explained(aside: &Aside, id: i64) -> Value {
    let answer = aside.get(&format!("/cache/users/{id}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// The value that the program prints beside `name`.
fn printed<'a>(text: &'a str, name: &str) -> &'a str {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).trim()
}

#[tokio::test]
async fn each_state_is_told_apart_with_its_size_age_time_left_and_lease() {
    let memcached = Memcached::start().await;
    let aside = Aside::start(&["--memcached", &memcached.address().to_string()]).await;
    let body = "{\"id\":1}";
    let (entry, negative) = (flags(false, 360), flags(true, 60));
    store(&memcached, "user:1", body, &format!("T342 F{entry}")).await;
    store(&memcached, "user:2", body, &format!("T240 F{entry}")).await;
    store(&memcached, "user:3", "null", &format!("T50 F{negative}")).await;
    store(&memcached, "user:4", "hello", "T0").await;
    store(&memcached, "user:5", body, &format!("T240 F{entry}")).await;
    memcached.tell("mg user:5 t R300").await;
    memcached.tell("mg user:6 t N30").await;
    for (id, state, bytes, age_s, fresh_s, lease, read) in [
        (1, "fresh", 8, 18, 42, false, json!(false)),
        (2, "stale", 8, 120, -60, false, json!(false)),
        (3, "negative", 4, 10, 50, false, json!(false)),
        (5, "stale", 8, 120, -60, true, json!(true)),
    ] {
        let explanation = explained(&aside, id).await;
        let row = &explanation["servers"][0];
        assert_eq!((&explanation["state"], &row["state"]), (&state.into(), &state.into()));
        assert_eq!(explanation["held_by"], memcached.address().to_string());
        assert_eq!((&row["bytes"], &row["lease_given"]), (&bytes.into(), &lease.into()), "{row}");
        assert_eq!(row["was_read"], read, "{row}");
        // Some seconds may have passed.
        let near = |name: &str, expected: i64| {
            let seconds = row[name].as_i64().unwrap_or_else(|| panic!("no {name} in {row}"));
            assert!((seconds - expected).abs() <= 10, "{name} in {row}");
        };
        near("age_s", age_s);
        near("fresh_s", fresh_s);
        near("left_s", if state == "negative" { fresh_s } else { fresh_s + 300 });
    }
    let plain = &explained(&aside, 4).await["servers"][0];
    assert_eq!((&plain["state"], &plain["left_s"]), (&"plain".into(), &Value::Null), "{plain}");
    let loading = &explained(&aside, 6).await["servers"][0];
    assert_eq!((&loading["state"], &loading["lease_given"]), (&"loading".into(), &true.into()));
    let absent = explained(&aside, 7).await;
    assert_eq!((&absent["state"], &absent["held_by"]), (&"absent".into(), &Value::Null));
    aside.get("/cache/users/007").await.problem(400);
}

#[tokio::test]
async fn the_program_prints_the_same_in_aligned_lines() {
    let memcached = Memcached::start().await;
    let entry = flags(false, 360);
    store(&memcached, "user:1", "{\"id\":1}", &format!("T349 F{entry}")).await;
    store(&memcached, "calculation:1", "{\"id\":1}", &format!("T50 F{}", flags(false, 60))).await;
    let text = cache(&[&memcached], &["explain", "user:1"]).await.succeeded();
    assert_eq!(printed(&text, "key "), "user:1");
    assert_eq!(printed(&text, "server "), memcached.address().to_string());
    assert!(printed(&text, "why ").starts_with("the only server; score "), "{text}");
    assert!(printed(&text, "state ").starts_with("fresh for 4"), "{text}");
    assert_eq!(printed(&text, "size "), "8 bytes");
    assert_eq!((printed(&text, "lease "), printed(&text, "last read ")), ("not given", "never"));
    assert!(printed(&text, "time left ").starts_with("5m "), "{text}");
    // With other settings of the service, the same entry is stale.
    let longer = ["explain", "user:1", "--stale-if-error", "350s"];
    let text = cache(&[&memcached], &longer).await.succeeded();
    assert!(printed(&text, "state ").starts_with("stale since "), "{text}");
    // Calculations are never kept stale, whatever the settings.
    let text = cache(&[&memcached], &["explain", "calculation:1"]).await.succeeded();
    assert!(printed(&text, "state ").starts_with("fresh for "), "{text}");
    let text = cache(&[&memcached], &["explain", "nothing"]).await.succeeded();
    assert_eq!(printed(&text, "state "), "absent");
}

#[tokio::test]
async fn it_says_which_server_it_is_and_asks_only_those_where_the_key_may_live() {
    let mut servers =
        [Memcached::start().await, Memcached::start().await, Memcached::start().await];
    let setting = addresses(&servers.each_ref());
    let arguments = ["--memcached", &setting, "--memcached-timeout", "250ms", "--slow-query", "0s"];
    let aside = Aside::start(&arguments).await;
    aside.get("/users/1").await.user(1);
    let explanation = explained(&aside, 1).await;
    let rows = explanation["servers"].as_array().unwrap();
    let scores: Vec<_> = rows.iter().map(|row| row["score"].as_u64().unwrap()).collect();
    assert!(scores.is_sorted_by(|one, next| one > next), "{scores:?}");
    let states: Vec<_> = rows.iter().map(|row| row["state"].as_str()).collect();
    assert_eq!(states, [Some("fresh"), Some("absent"), None]);
    assert!(rows[0]["why"].as_str().unwrap().starts_with("first choice: the highest of 3"));
    assert_eq!(explanation["held_by"], rows[0]["server"]);
    // It is there and nowhere else.
    for server in &servers {
        let items = server.statistic("curr_items").await.unwrap();
        assert_eq!(items == 1, server.address().to_string() == rows[0]["server"]);
    }
    let text = run(&setting, "127.0.0.1:1", &["explain", "user:1"]).await.succeeded();
    assert_eq!(printed(&text, "server "), rows[0]["server"]);
    assert!(printed(&text, "why ").ends_with(&scores[0].to_string()), "{text}");

    // With its first choice away, the second tells; with both away, nobody can.
    let choices = [0, 1].map(|choice| rows[choice]["server"].as_str().unwrap().to_owned());
    let mut kill = |address: &str| {
        servers.iter_mut().find(|server| server.address().to_string() == address).unwrap().kill();
    };
    kill(&choices[0]);
    let explanation = explained(&aside, 1).await;
    assert_eq!(explanation["servers"][0]["error"], "it can't be reached");
    assert_eq!(explanation["state"], "absent");
    run(&setting, "127.0.0.1:1", &["explain", "user:1"]).await.succeeded();
    kill(&choices[1]);
    aside.get("/cache/users/1").await.problem(503);
    let line = run(&setting, "127.0.0.1:1", &["explain", "user:1"]).await.failed(1);
    assert!(line.contains(&choices[0]) && line.contains("it can't be reached"), "{line}");
}

#[tokio::test]
async fn without_memcached_the_own_memory_is_explained() {
    let aside = Aside::start(&["--slow-query", "0s"]).await;
    assert_eq!(explained(&aside, 1).await["state"], "absent");
    let body = aside.get("/users/1").await.body;
    let explanation = explained(&aside, 1).await;
    assert_eq!(explanation["state"], "fresh");
    assert_eq!(explanation["memory"]["bytes"], body.len());
    assert_eq!(explanation["servers"], json!([]));
}
