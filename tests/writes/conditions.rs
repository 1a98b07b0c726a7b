//! `PUT`, `PATCH` and `DELETE`, and the versions that `If-Match` lets them change.

use reqwest::Method;
use serde_json::json;
use support::{answer::Answer, aside::Aside};
use tokio::task::JoinSet;

use crate::request::{all_forgotten, assert_written};

const WRITES: [Method; 3] = [Method::PUT, Method::PATCH, Method::DELETE];

/// Writes the user `id` in any way, under the `If-Match` fields `conditions`.
async fn write(aside: &Aside, method: &Method, id: i64, conditions: &[&str]) -> Answer {
    let ada = json!({ "name": "Ada", "email": format!("ada.{id}@example.com") });
    let mut request = aside.request(method.clone(), &format!("/users/{id}"), &ada);
    for condition in conditions {
        request = request.header("if-match", *condition);
    }
    Answer::to(request).await.unwrap()
}

async fn etag(aside: &Aside, id: i64) -> String {
    aside.get(&format!("/users/{id}")).await.user(id).header("etag").to_owned()
}

/// Asserts that the write was made, and that it is what is read now.
async fn assert_made(aside: &Aside, method: &Method, id: i64, answer: &Answer) {
    assert_written(answer, &format!("user:{id}"), "forgotten");
    let read = aside.get(&format!("/users/{id}")).await;
    if *method == Method::DELETE {
        assert_eq!((answer.status, answer.body.len()), (204, 0), "{answer:?}");
        read.problem(404);
    } else {
        assert_eq!(answer.user(id).body, read.user(id).body);
        assert_eq!(answer.header("etag"), read.header("etag"));
        assert_eq!(read.json()["name"], "Ada");
    }
}

#[tokio::test]
async fn without_if_match_or_with_one_that_names_the_present_version_a_write_is_made() {
    let aside = Aside::start(&["--slow-query", "0s"]).await;
    let mut id = 0;
    for method in WRITES {
        for which in 0..5 {
            id += 1;
            let tag = etag(&aside, id).await;
            let among = format!(r#""00", W/"1", {tag}"#);
            let conditions: &[&str] = match which {
                0 => &[],
                1 => &["*"],
                2 => &[&tag],
                3 => &[&among],
                _ => &[r#""00""#, &tag],
            };
            let answer = write(&aside, &method, id, conditions).await;
            assert!(answer.status < 300, "{method} {conditions:?}: {answer:?}");
            assert_made(&aside, &method, id, &answer).await;
        }
    }
    all_forgotten(&aside.place).await;
}

#[tokio::test]
async fn a_write_of_another_version_is_refused_with_412_and_of_a_condition_that_cant_be_read_with_400()
 {
    let aside = Aside::start(&["--slow-query", "0s"]).await;
    let tag = etag(&aside, 1).await;
    let before = aside.name(1).await;
    let weak = format!("W/{tag}");
    let bare = tag.trim_matches('"').to_owned();
    let tail = format!("{tag}, {bare}");
    for method in WRITES {
        for condition in [r#""00""#, r#""""#, &weak, r#""00", "01""#, "", ",", r#""00",,"01""#] {
            let answer = write(&aside, &method, 1, &[condition]).await;
            assert_eq!(answer.status, 412, "{method} {condition}: {answer:?}");
            answer.problem(412);
        }
        for condition in [&bare, r#"""#, r#""00"#, "**", "w/\"00\"", "*, *", &tail] {
            let answer = write(&aside, &method, 1, &[condition]).await;
            assert_eq!(answer.status, 400, "{method} {condition:?}: {answer:?}");
            answer.problem(400);
        }
    }
    assert_eq!(etag(&aside, 1).await, tag);
    assert_eq!(aside.name(1).await, before);
}

#[tokio::test]
async fn if_none_match_keeps_a_write_from_the_versions_that_it_names() {
    let aside = Aside::start(&["--slow-query", "0s"]).await;
    for (id, method) in (1..).zip(WRITES) {
        let tag = etag(&aside, id).await;
        let write = async |condition: &str| {
            let ada = json!({ "name": "Ada", "email": format!("ada.{id}@example.com") });
            let request = aside.request(method.clone(), &format!("/users/{id}"), &ada);
            Answer::to(request.header("if-none-match", condition)).await.unwrap()
        };
        for (status, condition) in
            [(412, "*"), (412, &tag), (412, &format!("\"x\", W/{tag}")), (400, "x")]
        {
            let answer = write(condition).await;
            assert_eq!(answer.status, status, "{method} {condition}: {answer:?}");
            answer.problem(status);
        }
        assert_eq!(etag(&aside, id).await, tag);
        assert_made(&aside, &method, id, &write(r#""00""#).await).await;
    }
}

#[tokio::test]
async fn of_many_writers_at_once_that_saw_the_same_version_one_changes_it() {
    let aside = Aside::start(&["--slow-query", "0s"]).await;
    for id in 1..=5 {
        let tag = etag(&aside, id).await;
        let mut writers = JoinSet::new();
        for number in 0..16 {
            let name = json!({ "name": format!("Name {number}") });
            let request = aside.request(Method::PATCH, &format!("/users/{id}"), &name);
            let request = request.header("if-match", &tag);
            writers.spawn(async move { request.send().await.unwrap().status().as_u16() });
        }
        let mut statuses = writers.join_all().await;
        statuses.sort_unstable();
        assert_eq!((statuses[0], &statuses[1..]), (200, &[412; 15][..]), "user {id}");
    }
}

#[tokio::test]
async fn of_two_writers_that_saw_the_same_version_one_is_told_that_it_came_too_late() {
    let aside = Aside::start(&["--slow-query", "0s"]).await;
    let tag = etag(&aside, 1).await;
    aside.rename(1, "Grace").await;
    write(&aside, &Method::PUT, 1, &[&tag]).await.problem(412);
    assert_eq!(aside.name(1).await, "Grace");
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_nothing_else() {
    let aside = Aside::start(&["--slow-query", "0s"]).await;
    let before = aside.get("/users/1").await.json();
    let after = aside.rename(1, "Ada").await.json();
    for field in ["id", "email", "created_at"] {
        assert_eq!(after[field], before[field]);
    }
    assert!(after["updated_at"].as_str() > before["updated_at"].as_str(), "{after}");
}

#[tokio::test]
async fn a_patch_that_changes_nothing_changes_nothing_and_null_is_no_value() {
    let aside = Aside::start(&["--slow-query", "0s"]).await;
    let before = aside.get("/users/1").await;
    let (tag, user) = (before.header("etag"), before.json());
    for (status, change) in [
        (422, json!({ "name": null })),
        (422, json!({ "email": null })),
        (422, json!({ "name": "Ada", "email": null })),
        (200, json!({})),
        (200, json!({ "name": user["name"] })),
        (200, json!({ "name": user["name"], "email": user["email"] })),
    ] {
        let answer = Answer::to(aside.request(Method::PATCH, "/users/1", &change)).await.unwrap();
        assert_eq!(answer.status, status, "{change}: {answer:?}");
        assert!(status == 422 || answer.header("etag") == tag, "{change}: {answer:?}");
        assert_eq!(etag(&aside, 1).await, tag, "{change}");
    }
}

#[tokio::test]
async fn what_a_patch_may_be_is_said_and_nothing_else_is_taken() {
    let aside = Aside::start(&["--slow-query", "0s"]).await;
    for (status, content_type) in [
        (200, "application/json"),
        (200, "Application/JSON; charset=utf-8"),
        (200, "application/merge-patch+json"),
        (415, "application/json-patch+json"),
        (415, "application/problem+json"),
        (415, "text/plain"),
    ] {
        let request = aside.client.patch(format!("http://{}/users/1", aside.address));
        let request = request.header("content-type", content_type).body(r#"{"name":"Ada"}"#);
        let answer = Answer::to(request).await.unwrap();
        assert_eq!(answer.status, status, "{content_type}: {answer:?}");
        let taken = answer.header("accept-patch");
        assert_eq!(taken, "application/json, application/merge-patch+json", "{content_type}");
    }
}

#[tokio::test]
async fn a_user_that_is_not_there_cant_be_changed_and_an_id_is_never_given_again() {
    let aside = Aside::start(&["--slow-query", "0s"]).await;
    for method in WRITES {
        for id in [10_001, i64::MAX] {
            write(&aside, &method, id, &[]).await.problem(404);
        }
        for id in ["0", "007", "-1", "1e3", "%31", "9223372036854775808"] {
            let ada = json!({ "name": "Ada", "email": "ada@example.com" });
            let request = aside.request(method.clone(), &format!("/users/{id}"), &ada);
            Answer::to(request).await.unwrap().problem(400);
        }
    }
    assert_eq!(write(&aside, &Method::DELETE, 10_000, &[]).await.status, 204);
    write(&aside, &Method::DELETE, 10_000, &[]).await.problem(404);
    let new = json!({ "name": "Ada", "email": "ada@example.com" });
    let new = Answer::to(aside.request(Method::POST, "/users", &new)).await.unwrap();
    assert_eq!(new.header("location"), "/users/10001");
}
