//! Requests about sessions, and what they leave in memcached.

use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::{
    answer::Answer,
    aside::{Aside, Place},
    memcached::Memcached,
};

/// A service of the test's own over these servers.
pub(crate) async fn start(memcached: &[&Memcached], arguments: &[&str]) -> Aside {
    start_at(&Place::seeded().await, memcached, arguments).await
}

/// One more service at `place`.
pub(crate) async fn start_at(place: &Place, memcached: &[&Memcached], arguments: &[&str]) -> Aside {
    let servers: Vec<_> = memcached.iter().map(|server| server.address().to_string()).collect();
    let servers = servers.join(",");
    let arguments = [&["--slow-query", "0s", "--memcached", &servers], arguments].concat();
    Aside::start_at(place, &arguments).await
}

/// Sends a JSON body to `POST /sessions`.
pub(crate) async fn post(aside: &Aside, body: &Value) -> Answer {
    aside.send_json(Method::POST, "/sessions", body).await
}

/// Tries to log the first user in.
pub(crate) async fn try_log_in(aside: &Aside) -> Answer {
    post(aside, &json!({ "user_id": 1, "username": "Ada" })).await
}

/// Logs the first user in, and returns the id.
pub(crate) async fn log_in(aside: &Aside) -> String {
    id(&try_log_in(aside).await)
}

/// The id of the session that `answer` shows.
#[track_caller]
pub(crate) fn id(answer: &Answer) -> String {
    assert!([200, 201].contains(&answer.status), "{answer:?}");
    answer.json()["id"].as_str().unwrap().to_owned()
}

pub(crate) async fn get(aside: &Aside, id: &str) -> Answer {
    aside.get(&format!("/sessions/{id}")).await
}

pub(crate) async fn delete(aside: &Aside, id: &str) -> Answer {
    aside.send(Method::DELETE, &format!("/sessions/{id}"), &[]).await
}

/// The key under which memcached must have the session of `id`.
pub(crate) fn key(id: &str) -> String {
    let hash = Sha256::digest(id);
    let digits = hash.iter().map(|byte| format!("{byte:02x}"));
    format!("session:{}", digits.collect::<String>())
}

/// Seconds that memcached keeps the session of `id` yet; asking changes nothing of it.
pub(crate) async fn left_s(memcached: &Memcached, id: &str) -> u32 {
    let answer = memcached.tell(&format!("mg {} t", key(id))).await;
    answer.strip_prefix("HD t").unwrap_or_else(|| panic!("{answer}")).parse().unwrap()
}
