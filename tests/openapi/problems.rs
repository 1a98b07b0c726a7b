//! Real answers that refuse are as documented.

use reqwest::Method;
use serde_json::json;

use crate::{
    answers::send,
    document::Document,
    support::{answer::Answer, aside::Aside, memcached::Memcached},
};

#[tokio::test]
async fn what_is_refused_is_refused_as_documented() {
    let aside = Aside::start(&["--slow-query", "0s"]).await;
    let document = Document::of(&aside).await;
    let check = |id, answer: Answer, status| {
        document.check(id, &answer).problem(status);
    };
    check("show_user", aside.get("/users/007").await, 400);
    check("show_user", aside.get("/users/9223372036854775807").await, 404);
    check("show_user", aside.get_with("/users/5", "only-if-cached").await, 504);
    for (tag, status) in [("\"x\"", 412), ("x", 400)] {
        let read = aside.send(Method::GET, "/users/1", &[("if-match", tag)]).await;
        check("show_user", read, status);
    }
    check("calculate", aside.get("/calculations/0").await, 400);
    check("calculate", aside.get_with("/calculations/1", "only-if-cached").await, 504);

    let taken = aside.get("/users/1").await.json()["email"].clone();
    let ada = json!({ "name": "Ada", "email": taken });
    check("create_user", send(&aside, Method::POST, "/users", &ada).await, 409);
    check("replace_user", send(&aside, Method::PUT, "/users/2", &ada).await, 409);
    check("change_user", send(&aside, Method::PATCH, "/users/2", &ada).await, 409);
    check("change_user", send(&aside, Method::PATCH, "/users/0", &ada).await, 400);
    check("create_user", send(&aside, Method::POST, "/users", &json!({ "name": 1 })).await, 422);
    let nameless = json!({ "name": "", "email": "ada@example.com" });
    check("create_user", send(&aside, Method::POST, "/users", &nameless).await, 422);
    check("create_user", aside.send(Method::POST, "/users", &[]).await, 415);
    let long = json!({ "name": "x".repeat(70_000), "email": "ada@example.com" });
    check("create_user", send(&aside, Method::POST, "/users", &long).await, 413);
    let json = [("content-type", "application/json")];
    check("create_user", aside.send(Method::POST, "/users", &json).await, 400);
    for (tag, status) in [("\"x\"", 412), ("x", 400)] {
        let deleted = aside.send(Method::DELETE, "/users/1", &[("if-match", tag)]).await;
        check("delete_user", deleted, status);
    }
    check("delete_user", aside.send(Method::DELETE, "/users/99999", &[]).await, 404);
    for ids in [json!([]), json!([0]), json!(["1"])] {
        let refused = send(&aside, Method::POST, "/jobs/warm-ups", &json!({ "ids": ids })).await;
        check("warm_up", refused, 422);
    }
    check("explain_entry", aside.get("/cache/users/x").await, 400);
    check("forget_entry", aside.send(Method::DELETE, "/cache/users/x", &[]).await, 400);
}

#[tokio::test]
async fn without_memcached_sessions_are_refused_as_documented() {
    let aside = Aside::start(&["--slow-query", "0s"]).await;
    let document = Document::of(&aside).await;
    let login = json!({ "user_id": 1, "username": "Ada" });
    let begun = send(&aside, Method::POST, "/sessions", &login).await;
    document.check("create_session", &begun).problem(503);
    let id = "A".repeat(43);
    let shown = aside.get(&format!("/sessions/{id}")).await;
    document.check("show_session", &shown).problem(503);
    document.check("show_session", &aside.get("/sessions/x").await).problem(404);
    let cookie = format!("aside_session={id}");
    let shown = aside.send(Method::GET, "/sessions/current", &[("cookie", &cookie)]).await;
    document.check("show_current_session", &shown).problem(503);
    let twice = format!("{cookie}; {cookie}");
    let shown = aside.send(Method::GET, "/sessions/current", &[("cookie", &twice)]).await;
    document.check("show_current_session", &shown).problem(400);
    let long = json!({ "user_id": 1, "username": "x".repeat(70_000) });
    let refused = send(&aside, Method::POST, "/sessions", &long).await;
    document.check("create_session", &refused).problem(413);
    let absent = json!({ "user_id": 99_999, "username": "Ada" });
    let begun = send(&aside, Method::POST, "/sessions", &absent).await;
    document.check("create_session", &begun).problem(404);
}

#[tokio::test]
async fn while_memcached_is_away_the_cache_is_not_explained_as_documented() {
    let mut memcached = Memcached::start().await;
    let aside = Aside::start(&["--memcached", &memcached.address().to_string()]).await;
    let document = Document::of(&aside).await;
    memcached.kill();
    document.check("explain_entry", &aside.get("/cache/users/5").await).problem(503);
    let forgotten = aside.send(Method::DELETE, "/cache", &[]).await;
    document.check("forget_all", &forgotten).problem(503);
    document.check("show_user", &aside.get("/users/5").await).user(5);
    document.check("show_statistics", &aside.get("/stats").await);
    document.check("explain_entry", &aside.get("/cache/users/5").await);
}

#[tokio::test]
async fn where_it_is_closed_it_says_so_as_documented() {
    let aside = Aside::start(&["--listen", "0.0.0.0:0"]).await;
    let document = Document::of(&aside).await;
    for (path, method, operation) in document.operations() {
        if operation["security"] == json!([]) {
            continue;
        }
        let method = method.to_uppercase().parse().unwrap();
        let path = path.replace("{id}", "1");
        let id = operation["operationId"].as_str().unwrap();
        document.check(id, &aside.send(method, &path, &[]).await).problem(403);
    }
}
