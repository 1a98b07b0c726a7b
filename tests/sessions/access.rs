//! Who may use sessions.

use reqwest::Method;
use serde_json::json;
use support::{answer::Answer, aside::Aside, memcached::Memcached};

use crate::request::{id, start, start_at};

const TOKEN: &str = "correct-horse.battery_staple~42+/==";

/// Logs in, looks and logs out under this `Authorization`, if any. Where no session is begun, it looks for `other`.
async fn all(aside: &Aside, authorization: Option<&str>, other: &str) -> [Answer; 3] {
    let send = async |method, path: &str| {
        let mut request = aside.client.request(method, format!("http://{}{path}", aside.address));
        if path == "/sessions" {
            request = request.json(&json!({ "user_id": 1, "username": "Ada" }));
        }
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        Answer::to(request).await.unwrap()
    };
    let begun = send(Method::POST, "/sessions").await;
    let path = match begun.status {
        201 => format!("/sessions/{}", id(&begun)),
        _ => format!("/sessions/{other}"),
    };
    let read = send(Method::GET, &path).await;
    let ended = send(Method::DELETE, &path).await;
    [begun, read, ended]
}

#[tokio::test]
async fn with_a_token_set_only_its_bearer_uses_sessions() {
    let memcached = Memcached::start().await;
    let aside = start(&[&memcached], &["--api-token", TOKEN]).await;
    let bearer = format!("Bearer {TOKEN}");
    let [begun, ..] = all(&aside, Some(&bearer), "").await.map(|answer| answer.status);
    assert_eq!(begun, 201);
    let post = aside.client.post(format!("http://{}/sessions", aside.address));
    let post = post.header("authorization", &bearer);
    let begun = Answer::to(post.json(&json!({ "user_id": 1, "username": "Ada" }))).await.unwrap();
    let known = id(&begun);
    let longer = format!("Bearer {TOKEN}x");
    for wrong in [None, Some("Bearer "), Some("Bearer wrong"), Some(TOKEN), Some(longer.as_str())] {
        for answer in all(&aside, wrong, &known).await {
            answer.problem(401);
            assert_eq!(answer.header("www-authenticate"), "Bearer");
            assert_eq!(answer.header("cache-control"), "no-store");
            assert!(!answer.headers.contains_key("set-cookie"), "{answer:?}");
        }
        // The browser whose session it is needs the cookie only; a token in place of it is no use.
        aside.get("/sessions/current").await.problem(404);
        let cookie = format!("aside_session={known}");
        let current = aside.send(Method::GET, "/sessions/current", &[("cookie", &cookie)]).await;
        assert_eq!((current.status, current.json()), (200, begun.json()));
    }
    assert_eq!(all(&aside, Some(&bearer), "").await.map(|answer| answer.status), [201, 200, 204]);
    assert!(!aside.log().contains(TOKEN));
}

#[tokio::test]
async fn without_a_token_sessions_are_open_on_a_loopback_address_and_closed_on_any_other() {
    let memcached = Memcached::start().await;
    let open = start(&[&memcached], &[]).await;
    assert_eq!(all(&open, None, "").await.map(|answer| answer.status), [201, 200, 204]);

    let known = crate::request::log_in(&open).await;
    let closed = start_at(&open.place, &[&memcached], &["--listen", "0.0.0.0:0"]).await;
    for authorization in [None, Some("Bearer "), Some("Bearer x")] {
        for answer in all(&closed, authorization, &known).await {
            answer.problem(403);
        }
    }
    let cookie = format!("aside_session={known}");
    for method in [Method::GET, Method::DELETE] {
        for headers in [&[("cookie", cookie.as_str())][..], &[]] {
            let answer = closed.send(method.clone(), "/sessions/current", headers).await;
            answer.problem(403);
            assert!(!answer.headers.contains_key("set-cookie"), "{answer:?}");
        }
    }
    assert_eq!(crate::request::get(&open, &known).await.status, 200, "it was not ended");
    let said = "writes, sessions, jobs and the control of the cache are closed";
    assert_eq!(closed.log().matches(said).count(), 1);
}
