//! What begins no session, and what names none.

use reqwest::Method;
use serde_json::json;
use support::{answer::Answer, aside::Aside, memcached::Memcached};

use crate::request::{post, start, try_log_in};

/// Sets that memcached has carried out.
async fn sets(memcached: &Memcached) -> u64 {
    memcached.statistic("cmd_set").await.unwrap()
}

async fn send(aside: &Aside, content_type: &str, body: Vec<u8>) -> Answer {
    let mut request = aside.client.post(format!("http://{}/sessions", aside.address)).body(body);
    if !content_type.is_empty() {
        request = request.header("content-type", content_type);
    }
    Answer::to(request).await.unwrap()
}

#[tokio::test]
async fn a_body_that_is_no_good_is_refused_and_begins_nothing() {
    let memcached = Memcached::start().await;
    let aside = start(&[&memcached], &[]).await;
    let before = sets(&memcached).await;
    let name = |name: &str| format!(r#"{{"user_id":1,"username":{name}}}"#).into_bytes();
    let user = |id: &str| format!(r#"{{"user_id":{id},"username":"Ada"}}"#).into_bytes();
    let json = "application/json";
    let chosen = "A".repeat(43);
    let mut cases: Vec<(u16, &str, Vec<u8>)> = vec![
        (400, json, b"".to_vec()),
        (400, json, b"{".to_vec()),
        (400, json, b"{\"user_id\":1,\"username\":\"\xff\"}".to_vec()),
        (400, json, name("\"A\nda\"")),
        (422, json, b"null".to_vec()),
        (422, json, br#"{"user_id":1}"#.to_vec()),
        (422, json, br#"[1,"Ada"]"#.to_vec()),
        (422, json, br#"{"username":"Ada"}"#.to_vec()),
        (422, json, br#"{"user_id":1,"username":"Ada","admin":true}"#.to_vec()),
        // No client chooses its id.
        (422, json, format!(r#"{{"user_id":1,"username":"Ada","id":"{chosen}"}}"#).into_bytes()),
        (413, json, name(&format!("\"{}\"", "x".repeat(64 << 10)))),
        (415, "", user("1")),
        (415, "text/plain", user("1")),
        (415, "application/x-www-form-urlencoded", b"user_id=1&username=Ada".to_vec()),
    ];
    for id in ["0", "-1", "1.5", "1e3", "\"1\"", "null", "9223372036854775808"] {
        cases.push((422, json, user(id)));
    }
    let long = format!("\"{}\"", "x".repeat(201));
    for username in [
        "\"\"",
        "\" \"",
        "\" Ada\"",
        r#""Ada\r\nSet-Cookie: a=b""#,
        r#""Ada\n""#,
        r#""A\u0000da""#,
        r#""\u001b[31mAda""#,
        r#""Ada\u009b31m""#,
        r#""Ada\u007f""#,
        &long,
        "1",
        "null",
    ] {
        cases.push((422, json, name(username)));
    }
    for (status, content_type, body) in cases {
        let head = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        let answer = send(&aside, content_type, body).await;
        assert_eq!(answer.status, status, "{content_type} {head}: {answer:?}");
        assert!(!answer.problem(status).contains("Ada"), "{answer:?}");
        assert!(!answer.headers.contains_key("set-cookie"), "{answer:?}");
    }
    assert_eq!(sets(&memcached).await, before, "nothing is kept, not even a placeholder of a user");
    // The longest name is taken.
    let longest = name(&format!("\"{}\"", "李".repeat(200)));
    assert_eq!(send(&aside, json, longest).await.status, 201);
    assert!(sets(&memcached).await > before);
}

#[tokio::test]
async fn only_a_user_on_record_logs_in() {
    let memcached = Memcached::start().await;
    let aside = start(&[&memcached], &[]).await;
    for id in [10_001, i64::MAX] {
        let answer = post(&aside, &json!({ "user_id": id, "username": "Ada" })).await;
        assert!(answer.problem(404).contains("no user"), "{answer:?}");
        assert!(!answer.headers.contains_key("set-cookie"), "{answer:?}");
    }
    let new = json!({ "name": "Ada", "email": "ada@example.com" });
    let url = format!("http://{}/users", aside.address);
    assert_eq!(Answer::to(aside.client.post(url).json(&new)).await.unwrap().status, 201);
    let answer = post(&aside, &json!({ "user_id": 10_001, "username": "Ada" })).await;
    assert_eq!(answer.status, 201, "{answer:?}");
}

#[tokio::test]
async fn what_is_no_id_names_no_session_and_memcached_is_not_asked() {
    let memcached = Memcached::start().await;
    let aside = start(&[&memcached], &[]).await;
    assert_eq!(try_log_in(&aside).await.status, 201);
    let asked = async || {
        let [looks, deletes] = ["cmd_get", "delete_misses"].map(|name| memcached.statistic(name));
        (looks.await.unwrap(), deletes.await.unwrap())
    };
    let before = asked().await;
    let sound = "A".repeat(42);
    for text in [
        "0",
        "nonsense",
        &sound,
        &format!("{sound}B"),
        &format!("{sound}AA"),
        &format!("{sound}="),
        &format!("{sound}+"),
        &format!("%41{sound}"),
        &format!("{}%00", &sound[2..]),
        &format!("{sound}%0d%0aflush_all"),
        "%2e%2e%2e",
        "session:0f",
        &"A".repeat(4000),
    ] {
        for method in [Method::GET, Method::DELETE] {
            aside.send(method, &format!("/sessions/{text}"), &[]).await.problem(404);
        }
    }
    assert_eq!(asked().await, before);
    // One that is an id, and nobody's, is asked for.
    aside.get(&format!("/sessions/{sound}A")).await.problem(404);
    assert_ne!(asked().await, before);
    aside.get("/sessions").await.problem(405);
    aside.get("/sessions/").await.problem(404);
}
