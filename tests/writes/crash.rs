//! What a killed service leaves behind.

use std::collections::HashMap;

use reqwest::Method;
use rustix::process::Signal;
use serde_json::json;
use support::{
    answer::Answer,
    aside::{Aside, Place, on_postgres},
    eventually,
    link::Links,
    memcached::Memcached,
    proxy::{Flow, Way},
};
use tokio::task::JoinSet;

use crate::request::{all_forgotten, missing, number};

#[tokio::test]
async fn killed_between_commit_and_delete_it_serves_the_new_value_from_its_next_start_on() {
    let (memcached, place) = ([Memcached::start().await], Place::seeded().await);
    // The deadline is longer than the test: whatever waits for memcached waits until the end.
    let arguments = ["--memcached-timeout", "60s"];
    let links = Links::start(&memcached);
    let mut aside = Aside::run(&place, links.command(&place, &arguments)).await;
    let old = aside.name(1).await;
    // Whichever of its connections the delete takes, memcached hears nothing of it.
    links.to(0).set(Flow::Held(Way::There));
    let write = aside.request(Method::PATCH, "/users/1", &json!({ "name": "Ada" }));
    let writer = tokio::spawn(async move { Answer::to(write).await.is_ok() });
    let committed = async || (missing(&place).await == 1).then_some(());
    eventually("it is committed", committed).await;
    aside.signal(Signal::KILL);
    aside.ended().await;
    assert!(!writer.await.unwrap(), "nothing was acknowledged");
    // What was held is gone with its link.
    drop(links);
    let stored = memcached[0].stored("user:1").await;
    assert!(stored.contains(&old), "the delete has reached memcached: {stored}");

    let links = Links::start(&memcached);
    let aside = Aside::run(&place, links.command(&place, &arguments)).await;
    assert_eq!(aside.name(1).await, "Ada");
    all_forgotten(&place).await;
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_kill() {
    let mut aside = Aside::start(&["--slow-query", "0s"]).await;
    let mut acknowledged = HashMap::new();
    for round in 0..3 {
        let mut writers = JoinSet::new();
        for writer in 0..4 {
            let post = aside.client.post(format!("http://{}/users", aside.address));
            writers.spawn(async move {
                let mut created = Vec::new();
                // Until the service is killed.
                for count in 0.. {
                    let name = format!("Name {round} {writer} {count}");
                    let email = format!("{round}.{writer}.{count}@example.com");
                    let post = post.try_clone().unwrap();
                    let new = post.json(&json!({ "name": name, "email": email }));
                    let Ok(answer) = Answer::to(new).await else { break };
                    // On a machine that stands still for a while: not acknowledged.
                    if answer.status == 503 {
                        continue;
                    }
                    assert_eq!(answer.status, 201, "{answer:?}");
                    created.push((answer.header("location").to_owned(), answer.body));
                }
                created
            });
        }
        let before = users(&aside).await;
        eventually("writes", async || (users(&aside).await > before + 100).then_some(())).await;
        aside.signal(Signal::KILL);
        aside.ended().await;
        acknowledged.extend(writers.join_all().await.into_iter().flatten());
        aside = Aside::start_at(&aside.place, &["--slow-query", "0s"]).await;
        for (location, body) in &acknowledged {
            assert_eq!(aside.get(location).await.body, body, "{location} in round {round}");
        }
    }
    assert!(acknowledged.len() >= 300, "{}", acknowledged.len());
    if !on_postgres() {
        let faults = "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'";
        assert_eq!(number(&aside.place, faults).await, 0);
    }
    let last = json!({ "name": "Ada", "email": "ada@example.com" });
    assert_eq!(aside.send_json(Method::POST, "/users", &last).await.status, 201);
}

async fn users(aside: &Aside) -> i64 {
    number(&aside.place, "SELECT count(*) FROM users").await
}
