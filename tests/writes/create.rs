//! `POST /users`, and the bodies that no write takes.

use reqwest::Method;
use serde_json::json;
use support::{answer::Answer, aside::Aside, memcached::Memcached};

use crate::request::{all_forgotten, assert_written, missing, number};

/// All that a write could change, in one number.
const ROWS: &str = "SELECT sum(length(name) + length(email) + id) + count(*) * 1000003 FROM users";

#[tokio::test]
async fn a_created_user_is_found_at_once_though_its_404_was_cached() {
    let memcached = Memcached::start().await;
    let aside = Aside::start(&["--memcached", &memcached.address().to_string()]).await;
    aside.get("/users/10001").await.problem(404);
    let before = aside.get("/users/10001").await;
    before.problem(404);
    assert_eq!(before.x_cache(), "HIT", "the 404 is cached");

    let ada = json!({ "name": "Ada Lovelace", "email": "ada@example.com" });
    let created = aside.send_json(Method::POST, "/users", &ada).await;
    assert_eq!(created.status, 201, "{created:?}");
    assert_eq!(created.header("location"), "/users/10001");
    assert_written(&created, "user:10001", "forgotten");

    let found = aside.get(created.header("location")).await;
    assert_eq!(found.user(10_001).body, created.body);
    assert_eq!(found.header("etag"), created.header("etag"));
    assert_eq!(found.json()["created_at"], found.json()["updated_at"]);
    assert_eq!((&found.json()["name"], &found.json()["email"]), (&ada["name"], &ada["email"]));
    all_forgotten(&aside.place).await;
}

#[tokio::test]
async fn an_email_address_belongs_to_one_user() {
    let aside = Aside::start(&[]).await;
    let taken = aside.get("/users/1").await.json()["email"].clone();
    let copy = json!({ "name": "Ada", "email": taken });
    aside.send_json(Method::POST, "/users", &copy).await.problem(409);
    aside.send_json(Method::PUT, "/users/2", &copy).await.problem(409);
    aside.send_json(Method::PATCH, "/users/2", &json!({ "email": taken })).await.problem(409);
    assert_eq!(missing(&aside.place).await, 0, "nothing was written");
    aside.send_json(Method::PATCH, "/users/1", &json!({ "email": taken })).await.user(1);
}

#[tokio::test]
async fn a_body_that_is_no_good_is_refused_and_changes_nothing() {
    let aside = Aside::start(&["--slow-query", "0s"]).await;
    let rows = number(&aside.place, ROWS).await;
    let long = format!(r#"{{"name":"{}","email":"a@b.de"}}"#, "x".repeat(201));
    let large = format!(r#"{{"name":"{}","email":"a@b.de"}}"#, "x".repeat(64 << 10));
    let deep = "[".repeat(60_000);
    let json = "application/json";
    let cases: &[(u16, &str, &[u8])] = &[
        (400, json, b""),
        (400, json, b"{"),
        (400, json, br#"{"name":"Ada","email":"a@b.de"} {}"#),
        (400, json, b"{\"name\":\"\xff\",\"email\":\"a@b.de\"}"),
        (422, json, deep.as_bytes()),
        (422, json, br#""Ada""#),
        (422, json, b"null"),
        (422, json, b"[]"),
        (422, json, br#"["Ada","a@b.de"]"#),
        (422, json, br#"{"name":1,"email":"a@b.de"}"#),
        (422, json, br#"{"name":"Ada","email":"a@b.de","admin":true}"#),
        (422, json, br#"{"name":"Ada","name":"Eve","email":"a@b.de"}"#),
        (422, json, br#"{"name":"","email":"a@b.de"}"#),
        (422, json, br#"{"name":"Ada\u001b[31m","email":"a@b.de"}"#),
        (422, json, br#"{"name":"\u200b","email":"a@b.de"}"#),
        (422, json, br#"{"name":"Ada\u202e","email":"a@b.de"}"#),
        (422, json, br#"{"name":"Ada","email":"a@b"}"#),
        (422, json, br#"{"name":"Ada","email":"a@b.de\r\nBcc: c@d.de"}"#),
        (422, json, long.as_bytes()),
        (413, json, large.as_bytes()),
        (415, "", br#"{"name":"Ada","email":"a@b.de"}"#),
        (415, "text/plain", br#"{"name":"Ada","email":"a@b.de"}"#),
        (415, "application/x-www-form-urlencoded", b"name=Ada&email=a@b.de"),
    ];
    let targets =
        [(Method::POST, "/users"), (Method::PUT, "/users/1"), (Method::PATCH, "/users/1")];
    for (method, path) in targets {
        for (status, content_type, body) in cases {
            let url = format!("http://{}{path}", aside.address);
            let mut request = aside.client.request(method.clone(), url).body(body.to_vec());
            if !content_type.is_empty() {
                request = request.header("content-type", *content_type);
            }
            let answer = Answer::to(request).await.unwrap();
            let head = String::from_utf8_lossy(&body[..body.len().min(60)]);
            assert_eq!(answer.status, *status, "{method} {content_type} {head}: {answer:?}");
            let said = answer.problem(*status);
            assert!(!said.contains("Ada") && !said.contains("Eve"), "{said}");
        }
    }
    // A PUT names every field; what a PATCH leaves out stays.
    for method in [Method::POST, Method::PUT] {
        let path = if method == Method::POST { "/users" } else { "/users/1" };
        aside.send_json(method.clone(), path, &json!({ "name": "Ada" })).await.problem(422);
        aside.send_json(method, path, &json!({ "name": "Ada", "email": null })).await.problem(422);
    }
    assert_eq!(number(&aside.place, ROWS).await, rows);
    assert_eq!(missing(&aside.place).await, 0);
}
