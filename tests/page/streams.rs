//! The streams of figures: bounded, the same for all, and ended with their clients and with the service.

use reqwest::{Response, StatusCode};
use rustix::process::Signal;
use serde_json::{Value, json};
use support::{aside::Aside, eventually, memcached::Memcached};

/// As many may watch.
const STREAMS_MAX: usize = 64;

async fn watch(aside: &Aside, token: Option<&str>) -> Response {
    let request = aside.client.get(format!("http://{}/events", aside.address));
    let request = token.into_iter().fold(request, |request, token| request.bearer_auth(token));
    request.send().await.unwrap()
}

/// The next event; `None` at the end of the stream.
async fn next(stream: &mut Response) -> Option<Value> {
    let mut read = Vec::new();
    while !read.ends_with(b"\n\n") {
        read.extend_from_slice(&stream.chunk().await.unwrap()?);
    }
    let text = String::from_utf8(read).unwrap();
    let last = text.trim_end().rsplit("\n\n").next().unwrap();
    Some(serde_json::from_str(last.strip_prefix("data: ").unwrap()).unwrap())
}

#[tokio::test]
async fn each_moment_has_the_figures_and_keys_only_for_those_who_know_the_token() {
    let memcached = Memcached::start().await;
    let server = memcached.address().to_string();
    let arguments = ["--memcached", &server, "--api-token", "s3cret", "--slow-query", "0s"];
    let aside = Aside::start(&arguments).await;
    // Who logs in is looked up.
    let session = json!({ "user_id": 9, "username": "ada" });
    let session = aside.client.post(format!("http://{}/sessions", aside.address)).json(&session);
    let session: Value = session.bearer_auth("s3cret").send().await.unwrap().json().await.unwrap();
    for id in [7, 7, 8] {
        aside.get(&format!("/users/{id}")).await.user(id);
    }
    let [mut open, mut whole] = [watch(&aside, None).await, watch(&aside, Some("s3cret")).await];
    assert_eq!(open.headers()["content-type"], "text/event-stream");
    assert_eq!(open.headers()["cache-control"], "no-cache");
    let told = next(&mut open).await.unwrap();
    assert_eq!((&told["service"]["gets"], &told["keys"]), (&4.into(), &Value::Null));
    assert!(!told.to_string().contains("user:7"));
    let told = next(&mut whole).await.unwrap();
    assert_eq!(
        told["keys"]["missed"]["keys"],
        json!([["user:7", 1], ["user:8", 1], ["user:9", 1]])
    );
    assert_eq!(told["keys"]["asked"]["keys"], json!([["user:7", 2], ["user:8", 1], ["user:9", 1]]));
    assert_eq!(told["resources"]["users"]["path"], "/users/{id}");
    let times = &told["resources"]["users"]["hits"];
    let counts: u64 =
        times["counts"].as_array().unwrap().iter().map(|it| it.as_u64().unwrap()).sum();
    assert_eq!(counts, 1, "{times}");
    assert!(!told.to_string().contains(session["id"].as_str().unwrap()), "no key of a session");
    assert_eq!(watch(&aside, Some("wrong")).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn so_many_may_watch_one_more_is_refused_and_none_outlives_its_client() {
    let aside = Aside::start(&[]).await;
    let mut streams = Vec::new();
    for _ in 0..STREAMS_MAX {
        let mut stream = watch(&aside, None).await;
        next(&mut stream).await.unwrap();
        streams.push(stream);
    }
    let refused = watch(&aside, None).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("retry-after"));
    assert!(refused.text().await.unwrap().contains("Too many watch already."));
    // All are told, and again.
    for stream in &mut streams {
        next(stream).await.unwrap();
    }
    drop(streams);
    eventually("a place", async || {
        (watch(&aside, None).await.status() == StatusCode::OK).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_service_that_ends_ends_its_streams() {
    let mut aside = Aside::start(&["--shutdown-grace", "60s"]).await;
    let mut stream = watch(&aside, None).await;
    next(&mut stream).await.unwrap();
    aside.signal(Signal::TERM);
    while next(&mut stream).await.is_some() {}
    assert!(aside.ended().await.success());
    let aside = Aside::start(&["--shutdown-delay", "60s"]).await;
    aside.signal(Signal::TERM);
    eventually("no more streams", async || {
        (watch(&aside, None).await.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(())
    })
    .await;
}
