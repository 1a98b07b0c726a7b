//! A server that is killed, stopped, restarted, or ends connections.

use reqwest::Method;
use serde_json::json;
use sqlx::Executor;
use support::{eventually, memcached::Memcached};

use crate::home::{connect, serve, server};

#[tokio::test]
async fn while_the_server_is_dead_the_cache_answers_and_then_all_is_as_before() {
    let (mut server, memcached) = (server().await, Memcached::start().await);
    let address = memcached.address().to_string();
    let arguments = ["--memcached", &address, "--slow-query", "0s", "--ttl", "2s"];
    let aside = serve(&server.url(), &arguments).await;
    let before = aside.name(1).await;
    server.kill();
    eventually("unready", async || (aside.get("/readyz").await.status == 503).then_some(())).await;
    // Stale before long, and still the answer.
    eventually("stale", async || {
        let answer = aside.get("/users/1").await;
        assert_eq!(answer.user(1).json()["name"], before.as_str());
        (answer.x_cache() == "STALE").then_some(())
    })
    .await;
    aside.get("/users/2").await.problem(503);
    let write = aside.send_json(Method::PATCH, "/users/1", &json!({ "name": "Ada" })).await;
    write.problem(503);
    server.restart().await;
    eventually("ready", async || (aside.get("/readyz").await.status == 200).then_some(())).await;
    aside.rename(1, "Ada").await;
    assert_eq!(aside.name(1).await, "Ada");
    aside.get("/users/2").await.user(2);
    assert!(!aside.log().contains("panicked"), "{}", aside.log());
}

#[tokio::test]
async fn connections_that_the_server_ends_are_made_anew() {
    let server = server().await;
    let aside = serve(&server.url(), &["--slow-query", "0s"]).await;
    let mut other = connect(&server.url()).await;
    for round in 0..5 {
        aside.get(&format!("/users/{}", 1 + round)).await.user(1 + round);
        let terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE application_name = 'aside'";
        other.execute(terminate).await.unwrap();
        aside.get(&format!("/users/{}", 101 + round)).await.user(101 + round);
        aside.rename(1 + round, "Ada").await;
    }
}

#[tokio::test]
async fn a_server_that_stops_answering_holds_up_no_hit_and_is_used_again() {
    let (server, memcached) = (server().await, Memcached::start().await);
    let address = memcached.address().to_string();
    let arguments = ["--memcached", &address, "--slow-query", "0s", "--query-timeout", "1s"];
    let aside = serve(&server.url(), &arguments).await;
    aside.name(1).await;
    server.stop();
    eventually("unready", async || (aside.get("/readyz").await.status == 503).then_some(())).await;
    for id in 2..12 {
        let answer = aside.get(&format!("/users/{id}")).await;
        assert!([503, 504].contains(&answer.status), "{answer:?}");
        assert_eq!(aside.get("/users/1").await.x_cache(), "HIT");
    }
    let write = aside.send_json(Method::PATCH, "/users/1", &json!({ "name": "Ada" })).await;
    write.problem(503);
    server.go_on();
    eventually("ready", async || (aside.get("/readyz").await.status == 200).then_some(())).await;
    aside.get("/users/20").await.user(20);
    eventually("written", async || {
        let name = json!({ "name": "Grace" });
        let write = aside.send_json(Method::PATCH, "/users/1", &name).await;
        (write.status == 200).then_some(())
    })
    .await;
    assert_eq!(aside.name(1).await, "Grace");
}
