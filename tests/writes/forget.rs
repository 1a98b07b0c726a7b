//! What a write leaves in the cache: nothing, at once, or as soon as memcached can be reached.

use reqwest::Method;
use serde_json::json;
use support::{
    aside::{Aside, Place},
    eventually,
    link::Links,
    memcached::Memcached,
    proxy::Flow,
};

use crate::request::{all_forgotten, assert_written, missing};

/// Waits until the service says `state` of its one memcached.
async fn memcached_is(aside: &Aside, state: &str) {
    eventually(state, async || (aside.states().await[0] == state).then_some(())).await;
}

/// Reads until the service has found out that memcached is away.
async fn out_of_service(aside: &Aside) {
    eventually("out of service", async || {
        aside.get("/users/9999").await.user(9999);
        (aside.states().await[0] == "out of service").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_write_through_one_replica_is_seen_by_the_next_read_through_another() {
    let (memcached, place) = (Memcached::start().await, Place::seeded().await);
    let arguments = &["--memcached", &memcached.address().to_string(), "--slow-query", "2ms"];
    let a = Aside::start_at(&place, arguments).await;
    let b = Aside::start_at(&place, arguments).await;
    let (mut writer, mut reader) = (&a, &b);
    for round in 0..200 {
        let id = 1 + round % 3;
        reader.name(id).await;
        let new = format!("Name {round}");
        assert_written(&writer.rename(id, &new).await, &format!("user:{id}"), "forgotten");
        assert_eq!(reader.name(id).await, new, "round {round}");
        assert_eq!(writer.name(id).await, new, "round {round}");
        (writer, reader) = (reader, writer);
    }
    // The same for users that come and go.
    for round in 0..20 {
        let path = format!("/users/{}", 10_001 + round);
        reader.get(&path).await.problem(404);
        let new = json!({ "name": "Ada", "email": format!("ada.{round}@example.com") });
        assert_eq!(writer.send_json(Method::POST, "/users", &new).await.status, 201);
        reader.get(&path).await.user(10_001 + round);
        assert_eq!(writer.send(Method::DELETE, &path, &[]).await.status, 204);
        reader.get(&path).await.problem(404);
        (writer, reader) = (reader, writer);
    }
    all_forgotten(&place).await;
}

#[tokio::test]
async fn a_write_whose_delete_hangs_is_acknowledged_as_pending_and_delivered_later() {
    let memcached = Memcached::start().await;
    let arguments =
        ["--memcached", &memcached.address().to_string(), "--memcached-timeout", "100ms"];
    let aside = Aside::start(&arguments).await;
    aside.name(1).await;
    memcached.stop();
    assert_written(&aside.rename(1, "Ada").await, "user:1", "pending");
    assert_eq!(missing(&aside.place).await, 1);
    let read = aside.get("/users/1").await;
    assert_eq!(read.user(1).json()["name"], "Ada", "this replica knows of its own write");
    assert_eq!(read.cache_status()["detail"], "fallback");
    memcached.go_on();
    all_forgotten(&aside.place).await;
    assert_eq!(aside.name(1).await, "Ada");
}

#[tokio::test]
async fn memcached_is_not_used_again_before_it_has_forgotten_what_it_missed() {
    let memcached = Memcached::start().await;
    let arguments = [
        "--memcached",
        &memcached.address().to_string(),
        "--memcached-timeout",
        "250ms",
        "--slow-query",
        "0s",
    ];
    let aside = Aside::start(&arguments).await;
    let ids = 1..=20;
    for id in ids.clone() {
        aside.name(id).await;
    }
    memcached.stop();
    out_of_service(&aside).await;
    for id in ids.clone() {
        assert_written(&aside.rename(id, "Ada").await, &format!("user:{id}"), "pending");
    }
    memcached.go_on();
    assert!(!memcached.stored("user:20").await.contains("Ada"), "it still has the old value");
    memcached_is(&aside, "in service").await;
    for id in ids {
        assert_eq!(aside.name(id).await, "Ada");
    }
    all_forgotten(&aside.place).await;
}

#[tokio::test]
async fn a_write_while_memcached_is_dead_is_delivered_to_the_one_that_takes_its_place() {
    let mut memcached = Memcached::start().await;
    let aside = Aside::start(&["--memcached", &memcached.address().to_string()]).await;
    aside.name(1).await;
    memcached.kill();
    assert_written(&aside.rename(1, "Ada").await, "user:1", "pending");
    assert_eq!(aside.name(1).await, "Ada");
    memcached.restart().await;
    all_forgotten(&aside.place).await;
    assert_eq!(aside.name(1).await, "Ada");
    eventually("the next write reaches it", async || {
        let written = aside.rename(1, "Grace").await;
        (written.cache_status()["detail"] == "forgotten").then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_a_cut_off_replica_cant_forget_another_forgets() {
    let (memcached, place) = ([Memcached::start().await], Place::seeded().await);
    let links = [0; 2].map(|_| Links::start(&memcached));
    let a = Aside::run(&place, links[0].command(&place, &[])).await;
    let b = Aside::run(&place, links[1].command(&place, &[])).await;
    let old = b.name(1).await;
    assert!(memcached[0].stored("user:1").await.contains(&old));
    links[0].to(0).set(Flow::Cut);
    assert_written(&a.rename(1, "Ada").await, "user:1", "pending");
    eventually("the write is seen", async || (b.name(1).await == "Ada").then_some(())).await;
    all_forgotten(&place).await;
    links[0].to(0).mend();
    eventually("the cut is mended", async || {
        let written = a.rename(1, "Grace").await;
        (written.cache_status()["detail"] == "forgotten").then_some(())
    })
    .await;
    assert_eq!(b.name(1).await, "Grace");
}

#[tokio::test]
async fn what_a_dead_writer_has_left_over_is_swept_up() {
    let memcached = Memcached::start().await;
    let aside = Aside::start(&["--memcached", &memcached.address().to_string()]).await;
    aside.name(1).await;
    // As a replica leaves it that commits a write and is killed.
    aside
        .place
        .execute(
            "BEGIN;
             UPDATE users SET name = 'Ada' WHERE id = 1;
             INSERT INTO changes (key, missing) VALUES ('user:1', 1);
             COMMIT",
        )
        .await;
    eventually("the write is seen", async || (aside.name(1).await == "Ada").then_some(())).await;
    all_forgotten(&aside.place).await;
}
