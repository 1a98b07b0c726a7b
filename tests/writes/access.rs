//! Who may write.

use reqwest::Method;
use serde_json::json;
use support::{answer::Answer, aside::Aside};

use crate::request::number;

const TOKEN: &str = "correct-horse.battery_staple~42+/==";

const COUNT: &str = "SELECT count(*) FROM users";

/// Tries every write under this `Authorization`, if any.
async fn writes(aside: &Aside, authorization: Option<&str>) -> [Answer; 4] {
    let ada = json!({ "name": "Ada", "email": "ada@example.com" });
    let write = async |method, path| {
        let mut request = aside.request(method, path, &ada);
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        Answer::to(request).await.unwrap()
    };
    [
        write(Method::POST, "/users").await,
        write(Method::PUT, "/users/1").await,
        write(Method::PATCH, "/users/1").await,
        write(Method::DELETE, "/users/2").await,
    ]
}

#[tokio::test]
async fn with_a_token_set_only_its_bearer_writes_and_nobody_is_told_what_it_is() {
    let aside = Aside::start(&["--api-token", TOKEN, "--slow-query", "0s"]).await;
    let before = aside.name(1).await;
    let (half, longer) = (&TOKEN[..TOKEN.len() / 2], format!("Bearer {TOKEN}x"));
    let half = format!("Bearer {half}");
    let basic = format!("Basic {TOKEN}");
    let upper = format!("Bearer {}", TOKEN.to_uppercase());
    let wrong =
        [None, Some(""), Some("Bearer"), Some("Bearer "), Some(TOKEN), Some("Bearer wrong")];
    let close = [&half, &longer, &basic, &upper].map(|text| Some(text.as_str()));
    for authorization in wrong.into_iter().chain(close) {
        for answer in writes(&aside, authorization).await {
            let said = answer.problem(401);
            assert_eq!(answer.header("www-authenticate"), "Bearer", "{authorization:?}");
            assert!(!said.contains("wrong") && !format!("{answer:?}").contains(TOKEN));
        }
    }
    assert_eq!(number(&aside.place, COUNT).await, 10_000);
    assert_eq!(aside.name(1).await, before, "reads need no token");

    let right = format!("Bearer {TOKEN}");
    let statuses = writes(&aside, Some(&right)).await.map(|answer| answer.status);
    assert_eq!(statuses, [201, 409, 409, 204], "the address is the new user's");
    let log = aside.log();
    assert!(!log.contains(TOKEN) && !log.contains("wrong"), "{log}");
}

#[tokio::test]
async fn a_token_is_compared_whole_however_the_scheme_is_written() {
    let aside = Aside::start(&["--api-token", TOKEN]).await;
    let written = writes(&aside, Some(&format!("bearer {TOKEN}"))).await;
    assert_eq!(written.map(|answer| answer.status), [201, 409, 409, 204]);
}

#[tokio::test]
async fn without_a_token_writes_are_open_on_a_loopback_address_and_closed_on_any_other() {
    let open = Aside::start(&["--slow-query", "0s"]).await;
    assert_eq!(writes(&open, None).await.map(|answer| answer.status), [201, 409, 409, 204]);

    for host in ["evil.example", &format!("evil.example:{}", open.address.port())] {
        let delete = open.client.delete(format!("http://{}/users/3", open.address));
        Answer::to(delete.header("host", host)).await.unwrap().problem(403);
    }
    assert_eq!(
        open.get("/users/3").await.status,
        200,
        "a page that has its name point here deletes nothing"
    );
    for host in ["localhost:1", "[::1]"] {
        let read = open.client.get(format!("http://{}/cache/users/3", open.address));
        assert_ne!(Answer::to(read.header("host", host)).await.unwrap().status, 403);
    }

    let closed = Aside::start(&["--listen", "0.0.0.0:0", "--slow-query", "0s"]).await;
    for authorization in [None, Some("Bearer "), Some("Bearer x")] {
        for answer in writes(&closed, authorization).await {
            answer.problem(403);
        }
    }
    assert_eq!(number(&closed.place, COUNT).await, 10_000);
    closed.get("/users/1").await.user(1);
    let log = closed.log();
    assert_eq!(log.matches("no API token is set").count(), 1, "{log}");
}
