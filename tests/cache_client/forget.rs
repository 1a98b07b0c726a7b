//! `DELETE /cache/users/{id}` and `DELETE /cache`.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use support::{
    aside::Aside,
    eventually,
    memcached::Memcached,
    proxy::{Flow, Proxy},
};

use crate::{
    program::{addresses, store},
    unnoticed::until_a_second_old,
};

#[tokio::test]
async fn one_entry_is_forgotten_as_a_write_does_it() {
    let memcached = Memcached::start().await;
    let aside = Aside::start(&["--memcached", &memcached.address().to_string()]).await;
    aside.get("/users/1").await.user(1);
    let answer = aside.send(Method::DELETE, "/cache/users/1", &[]).await;
    assert_eq!((answer.status, &answer.cache_status()["detail"][..]), (204, "forgotten"));
    assert_eq!(memcached.tell("me user:1").await, "EN");
    assert_eq!(aside.get("/users/1").await.user(1).x_cache(), "MISS");
    aside.send(Method::DELETE, "/cache/users/0", &[]).await.problem(400);
}

#[tokio::test]
async fn what_cant_be_forgotten_now_is_forgotten_when_the_server_is_back() {
    let memcached = Memcached::start().await;
    let way = Proxy::start(&memcached.address());
    let aside = Aside::start(&["--memcached", &way.address().to_string()]).await;
    aside.get("/users/1").await.user(1);
    way.set(Flow::Cut);
    let answer = aside.send(Method::DELETE, "/cache/users/1", &[]).await;
    assert_eq!((answer.status, &answer.cache_status()["detail"][..]), (204, "pending"));
    assert_ne!(memcached.tell("me user:1").await, "EN");
    way.mend();
    eventually("it is forgotten", async || {
        (memcached.tell("me user:1").await == "EN").then_some(())
    })
    .await;
}

#[tokio::test]
async fn all_entries_are_forgotten_and_what_is_not_ours_stays() {
    let servers = [Memcached::start().await, Memcached::start().await];
    let setting = addresses(&servers.each_ref());
    let unhurried = ["--memcached-timeout", "5s", "--query-timeout", "60s"];
    let arguments = [["--memcached", &setting, "--slow-query", "0s"], unhurried].concat();
    let aside = Aside::start(&arguments).await;
    let others =
        ["session:0123456789abcdef", "users:1", "user:x", "user:007", "user", "xuser:1", "a%3A1"];
    for key in others {
        store(&servers[0], key, "theirs", "T600").await;
    }
    // More than one batch of the listing, on both servers, and a load of the other source under way.
    let ids: Vec<i64> = (1..=3000).collect();
    for ids in ids.chunks(100) {
        let read = async |id: &i64| {
            aside.get(&format!("/users/{id}")).await.user(*id);
        };
        join_all(ids.iter().map(read)).await;
    }
    servers[0].tell("mg calculation:7 t N600").await;
    let answer = aside.send(Method::DELETE, "/cache", &[]).await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "forgotten": 3001 })));
    for server in &servers {
        let listed = server.ask("lru_crawler metadump all\r\n", "END\r\n").await.unwrap();
        let theirs = if std::ptr::eq(server, &raw const servers[0]) { others.len() } else { 0 };
        assert_eq!(listed.matches("key=").count(), theirs, "{listed}");
    }
    for key in others {
        assert!(servers[0].stored(key).await.contains("theirs"), "{key}");
    }
    assert_eq!(aside.get("/users/1").await.user(1).x_cache(), "MISS");
    let answer = aside.send(Method::DELETE, "/cache", &[]).await;
    assert_eq!(answer.json(), json!({ "forgotten": 1 }));
}

#[tokio::test]
async fn an_entry_that_was_just_read_is_forgotten_too() {
    let memcached = Memcached::start().await;
    let aside = Aside::start(&["--memcached", &memcached.address().to_string()]).await;
    store(&memcached, "user:1", "{\"id\":1}", "T60").await;
    memcached.tell("mg user:1 t").await;
    // By then memcached has moved it to the queue of cold items. A read takes it from there, behind the reader's
    // back, and meanwhile it is in no listing.
    until_a_second_old(&memcached, "user:1").await;
    memcached.tell("mg user:1 t").await;
    let answer = aside.send(Method::DELETE, "/cache", &[]).await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "forgotten": 1 })));
    assert_eq!(memcached.tell("me user:1").await, "EN");
}

#[tokio::test]
async fn a_server_that_is_away_or_does_not_list_its_keys_is_told_of() {
    let (listing, mut away) = (Memcached::start().await, Memcached::start().await);
    let setting = addresses(&[&listing, &away]);
    let arguments = ["--memcached", &setting, "--memcached-timeout", "250ms"];
    let aside = Aside::start(&arguments).await;
    away.kill();
    aside.send(Method::DELETE, "/cache", &[]).await.problem(503);
    away.restart().await;
    away.stop();
    aside.send(Method::DELETE, "/cache", &[]).await.problem(503);

    let silent = Memcached::start_with(&["-X"]).await;
    let aside = Aside::start(&["--memcached", &silent.address().to_string()]).await;
    aside.get("/users/1").await.user(1);
    let detail = aside.send(Method::DELETE, "/cache", &[]).await.problem(503);
    assert!(detail.contains("does not list its keys") && detail.contains("At least 0"), "{detail}");
    assert!(aside.log().contains("it does not list its keys"), "{}", aside.log());
    assert_eq!(aside.get("/users/1").await.user(1).x_cache(), "HIT");
}

#[tokio::test]
async fn the_own_memory_is_cleared_whether_it_stands_in_or_is_all_there_is() {
    let alone = Aside::start(&["--slow-query", "0s"]).await;
    for id in [1, 2, 1] {
        alone.get(&format!("/users/{id}")).await.user(id);
    }
    let answer = alone.send(Method::DELETE, "/cache", &[]).await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "forgotten": 2 })));
    assert_eq!(alone.get("/users/1").await.user(1).x_cache(), "MISS");

    let mut memcached = Memcached::start().await;
    let aside = Aside::start(&["--memcached", &memcached.address().to_string()]).await;
    memcached.kill();
    eventually("it stands in", async || {
        let answer = aside.get("/users/1").await;
        let stood_in = answer.cache_status().get("detail").is_some_and(|why| why == "fallback");
        (answer.x_cache() == "HIT" && stood_in).then_some(())
    })
    .await;
    aside.send(Method::DELETE, "/cache", &[]).await.problem(503);
    assert_eq!(aside.get("/users/1").await.user(1).x_cache(), "MISS");
}
