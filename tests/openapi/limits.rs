//! The limits that the document tells are those that the program has.

use reqwest::Method;
use serde_json::json;

use crate::{answers::send, document::Document, support::aside::Aside};

#[tokio::test]
async fn the_documented_limits_of_a_body_are_the_limits() {
    let aside = Aside::start(&["--slow-query", "0s"]).await;
    let document = Document::of(&aside).await;
    let limit = |schema: &str, limit: &str| {
        let limit = document.json.pointer(&format!("/components/schemas/{schema}/{limit}"));
        usize::try_from(limit.unwrap().as_u64().unwrap()).unwrap()
    };
    let rename = async |name: String, status| {
        let answer = send(&aside, Method::PATCH, "/users/1", &json!({ "name": name })).await;
        assert_eq!(document.check("change_user", &answer).status, status);
    };
    let characters = limit("ProfileChange", "properties/name/maxLength");
    rename("x".repeat(characters), 200).await;
    rename("x".repeat(characters + 1), 422).await;
    assert_eq!(limit("Profile", "properties/name/maxLength"), characters);
    assert_eq!(limit("Login", "properties/username/maxLength"), characters);

    let warm_up = async |ids, status| {
        let ids = json!({ "ids": vec![1; ids] });
        let answer = send(&aside, Method::POST, "/jobs/warm-ups", &ids).await;
        assert_eq!(document.check("warm_up", &answer).status, status);
    };
    let ids = limit("WarmUps", "properties/ids/maxItems");
    warm_up(ids, 202).await;
    warm_up(ids + 1, 422).await;
    assert_eq!(limit("WarmUps", "properties/ids/items/minimum"), 1);

    let change = async |email: String, status| {
        let answer = send(&aside, Method::PATCH, "/users/1", &json!({ "email": email })).await;
        assert_eq!(document.check("change_user", &answer).status, status);
    };
    let bytes = limit("ProfileChange", "properties/email/maxLength");
    assert_eq!(limit("Profile", "properties/email/maxLength"), bytes);
    let local = "a".repeat(60);
    let domain = format!("{0}.{0}.{0}.example", "x".repeat(61));
    assert_eq!(local.len() + 1 + domain.len(), bytes);
    change(format!("{local}@{domain}"), 200).await;
    change(format!("a{local}@{domain}"), 422).await;
}
