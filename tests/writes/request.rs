//! Requests that write, and what they leave in the database.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use sqlx::Connection;
use support::{
    answer::Answer,
    aside::{Aside, Place},
    eventually,
};

/// A request with a JSON body.
pub(crate) fn request(aside: &Aside, method: Method, path: &str, body: &Value) -> RequestBuilder {
    aside.client.request(method, format!("http://{}{path}", aside.address)).json(body)
}

/// Sends a JSON body and reads the answer.
pub(crate) async fn send(aside: &Aside, method: Method, path: &str, body: &Value) -> Answer {
    Answer::to(request(aside, method, path, body)).await.unwrap()
}

/// Gives the user `id` this name, and asserts that this is acknowledged.
pub(crate) async fn rename(aside: &Aside, id: i64, name: &str) -> Answer {
    let path = format!("/users/{id}");
    let answer = send(aside, Method::PATCH, &path, &json!({ "name": name })).await;
    answer.user(id);
    assert_eq!(answer.json()["name"], name);
    answer
}

/// The name of the user `id`, as a read has it.
pub(crate) async fn name(aside: &Aside, id: i64) -> String {
    let answer = aside.get(&format!("/users/{id}")).await;
    answer.user(id).json()["name"].as_str().unwrap().to_owned()
}

/// What `Cache-Status` must say of a write of `key`.
#[track_caller]
pub(crate) fn assert_written(answer: &Answer, key: &str, detail: &str) {
    let status = answer.cache_status();
    let told = ["fwd", "key", "detail"].map(|parameter| status[parameter].as_str());
    assert_eq!((told, status.len()), (["method", key, detail], 3), "{status:?}");
}

/// Changes that are not forgotten everywhere.
pub(crate) async fn missing(place: &Place) -> i64 {
    number(place, "SELECT count(*) FROM changes WHERE missing <> 0").await
}

/// Waits until every change is forgotten everywhere.
pub(crate) async fn all_forgotten(place: &Place) {
    eventually("nothing is missing", async || (missing(place).await == 0).then_some(())).await;
}

/// The one number that `query` gives.
pub(crate) async fn number(place: &Place, query: &'static str) -> i64 {
    let mut connection = place.connect().await;
    let number = sqlx::query_scalar(query).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    number
}
