//! Real answers that succeed are as documented.

use reqwest::Method;
use serde_json::json;
use support::{
    aside::Aside,
    eventually,
    memcached::{Memcached, free_port},
};

use crate::document::Document;

/// The answers with a JSON body that the document promises to whoever succeeds.
fn promised(document: &Document) -> Vec<String> {
    let operations = document.operations().flat_map(|(.., operation)| {
        let answers = operation["responses"].as_object().unwrap();
        let answers = answers.iter().filter(|(status, answer)| {
            status.starts_with('2') && answer["content"].get("application/json").is_some()
        });
        answers
            .map(|(status, _)| format!("{} {status}", operation["operationId"].as_str().unwrap()))
    });
    operations.collect()
}

#[tokio::test]
async fn every_success_is_as_documented() {
    let memcached = Memcached::start().await;
    // Of the second server nobody is at home.
    let servers = format!("{},127.0.0.1:{}", memcached.address(), free_port());
    let aside = Aside::start(&["--memcached", &servers, "--slow-query", "0s"]).await;
    let document = Document::of(&aside).await;
    let get = async |id, path: &str| {
        let answer = aside.get(path).await;
        document.check(id, &answer);
        answer
    };
    let calculation = get("show_calculation", "/calculations/9223372036854775807");
    tokio::join!(calculation, reads_and_writes(&document, &aside));
    sessions(&document, &aside).await;
    let queued =
        aside.send_json(Method::POST, "/jobs/warm-ups", &json!({ "ids": [1, 2, 3] })).await;
    assert_eq!(document.check("warm_up", &queued).status, 202);
    get("show_jobs", "/jobs").await;
    for id in 1..=8 {
        get("show_user", &format!("/users/{id}")).await;
        get("explain_user", &format!("/cache/users/{id}")).await;
    }
    get("explain_user", "/cache/users/9999").await;
    get("show_statistics", "/stats").await;
    get("show_readiness", "/readyz").await;
    get("show_health", "/healthz").await;
    get("show_page", "/").await;
    let html = aside.send(Method::GET, "/", &[("accept", "text/html")]).await;
    assert!(document.check("show_page", &html).header("content-type").starts_with("text/html"));
    get("show_docs", "/docs").await;
    get("show_metrics", "/metrics").await;
    get("show_openapi", "/openapi.json").await;
    get("explain_calculation", "/cache/calculations/9").await;
    for (id, path) in
        [("forget_user", "/cache/users/1"), ("forget_calculation", "/cache/calculations/9")]
    {
        let forgotten = aside.send(Method::DELETE, path, &[]).await;
        assert_eq!(document.check(id, &forgotten).status, 204);
    }

    let whole = Aside::start(&["--memcached", &memcached.address().to_string()]).await;
    let forgotten = whole.send(Method::DELETE, "/cache", &[]).await;
    assert_eq!(document.check("forget_all", &forgotten).status, 200);
    let alone = Aside::start(&[]).await;
    alone.get("/users/1").await;
    document.check("explain_user", &alone.get("/cache/users/1").await);
    document.check("explain_user", &alone.get("/cache/users/2").await);
    document.check("show_statistics", &alone.get("/stats").await);

    let seen = document.seen();
    for promised in promised(&document) {
        assert!(seen.contains(&promised), "{promised} is never seen");
    }
}

async fn reads_and_writes(document: &Document, aside: &Aside) {
    let ada = json!({ "name": "Ada", "email": "ada@example.com" });
    let created = aside.send_json(Method::POST, "/users", &ada).await;
    let path = document.check("create_user", &created).header("location").to_owned();
    assert_eq!(created.status, 201);
    let read = aside.get(&path).await;
    let etag = document.check("show_user", &read).header("etag").to_owned();
    let unchanged = aside.send(Method::GET, &path, &[("if-none-match", &etag)]).await;
    assert_eq!(document.check("show_user", &unchanged).status, 304);
    document.check("replace_user", &aside.send_json(Method::PUT, &path, &ada).await);
    let name = json!({ "name": "Ada Lovelace" });
    document.check("change_user", &aside.send_json(Method::PATCH, &path, &name).await);
    let deleted = aside.send(Method::DELETE, &path, &[]).await;
    assert_eq!(document.check("delete_user", &deleted).status, 204);
}

async fn sessions(document: &Document, aside: &Aside) {
    let login = json!({ "user_id": 1, "username": "Ada" });
    let begun = aside.send_json(Method::POST, "/sessions", &login).await;
    let id = document.check("create_session", &begun).json()["id"].as_str().unwrap().to_owned();
    let (path, cookie) = (format!("/sessions/{id}"), format!("aside_session={id}"));
    document.check("show_session", &aside.get(&path).await);
    let own = [("cookie", cookie.as_str())];
    let shown = aside.send(Method::GET, "/sessions/current", &own).await;
    document.check("show_current_session", &shown);
    let ended = aside.send(Method::DELETE, "/sessions/current", &own).await;
    assert_eq!(document.check("delete_current_session", &ended).status, 204);
    let again = aside.send_json(Method::POST, "/sessions", &login).await.json()["id"].clone();
    let path = format!("/sessions/{}", again.as_str().unwrap());
    let ended = aside.send(Method::DELETE, &path, &[]).await;
    assert_eq!(document.check("delete_session", &ended).status, 204);
    let again = aside.send(Method::DELETE, &path, &[]).await;
    assert_eq!(document.check("delete_session", &again).status, 404);
    let again = aside.send(Method::DELETE, "/sessions/current", &own).await;
    assert_eq!(document.check("delete_current_session", &again).status, 404);
}

#[tokio::test]
async fn a_job_that_failed_for_good_is_shown_as_documented() {
    let failing = ["--slow-query", "1m", "--query-timeout", "10ms", "--job-retry", "10ms"];
    let aside = Aside::start(&failing).await;
    let document = Document::of(&aside).await;
    aside.send_json(Method::POST, "/jobs/warm-ups", &json!({ "ids": [42] })).await;
    eventually("a dead job", async || {
        let jobs = aside.get("/jobs").await;
        let jobs = document.check("show_jobs", &jobs).json();
        (jobs["last_dead"][0]["id"] == 42).then_some(())
    })
    .await;
}
