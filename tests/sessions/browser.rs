//! The cookie, and what a browser does with it.

use cookie::{Cookie, SameSite};
use reqwest::Method;
use serde_json::json;
use support::{answer::Answer, aside::Aside, memcached::Memcached};

use crate::request::{delete, get, id, key, left_s, log_in, start, try_log_in};

/// Asserts that `answer` sets the cookie, and returns the whole of it.
#[track_caller]
fn cookie(answer: &Answer) -> Cookie<'_> {
    let cookie = Cookie::parse(answer.header("set-cookie")).unwrap();
    assert_eq!((cookie.name(), cookie.path()), ("aside_session", Some("/")));
    assert_eq!((cookie.http_only(), cookie.same_site()), (Some(true), Some(SameSite::Lax)));
    assert_eq!(cookie.domain(), None, "it goes back to this host only");
    cookie
}

/// Asserts that the cookie is dropped.
#[track_caller]
fn assert_cleared(answer: &Answer) {
    let cookie = cookie(answer);
    assert_eq!(cookie.value(), "");
    assert_eq!(cookie.max_age().unwrap().whole_seconds(), 0);
}

async fn current(aside: &Aside, method: Method, cookies: &str) -> Answer {
    aside.send(method, "/sessions/current", &[("cookie", cookies)]).await
}

#[tokio::test]
async fn a_browser_finds_its_session_by_the_cookie_and_logs_out_with_it() {
    let memcached = Memcached::start().await;
    let aside = start(&[&memcached], &["--session-ttl", "10m"]).await;
    let begun = try_log_in(&aside).await;
    let session = id(&begun);
    assert_eq!(
        begun.header("set-cookie"),
        format!("aside_session={session}; HttpOnly; SameSite=Lax; Path=/; Max-Age=600")
    );
    assert_eq!(cookie(&begun).secure(), None, "a loopback address is reached without TLS");

    let cookies = format!("theme=dark; aside_session={session}; other=1");
    memcached.tell(&format!("mg {} T15", key(&session))).await;
    let read = current(&aside, Method::GET, &cookies).await;
    assert_eq!((read.status, &read.body), (200, &begun.body));
    assert_eq!(read.header("set-cookie"), begun.header("set-cookie"), "it lives anew, too");
    assert_eq!(read.header("cache-control"), "no-store");
    assert!(left_s(&memcached, &session).await > 500);
    let read = get(&aside, &session).await;
    assert!(!read.headers.contains_key("set-cookie"), "a link must log nobody in: {read:?}");

    let ended = current(&aside, Method::DELETE, &cookies).await;
    assert_eq!(ended.status, 204);
    assert_cleared(&ended);
    get(&aside, &session).await.problem(404);
    let gone = current(&aside, Method::GET, &cookies).await;
    gone.problem(404);
    assert!(!gone.headers.contains_key("set-cookie"), "an old answer must not end a new session");
    let again = current(&aside, Method::DELETE, &cookies).await;
    again.problem(404);
    assert_cleared(&again);

    let ended = delete(&aside, &log_in(&aside).await).await;
    assert_eq!(ended.status, 204);
    assert!(!ended.headers.contains_key("set-cookie"), "it may be another's session: {ended:?}");
}

#[tokio::test]
async fn where_other_machines_reach_the_service_the_cookie_is_for_tls_only() {
    let memcached = Memcached::start().await;
    let arguments = ["--listen", "0.0.0.0:0", "--api-token", "secret"];
    let aside = start(&[&memcached], &arguments).await;
    let url = format!("http://127.0.0.1:{}/sessions", aside.address.port());
    let post = aside.client.post(&url).bearer_auth("secret");
    let begun = Answer::to(post.json(&json!({ "user_id": 1, "username": "Ada" }))).await.unwrap();
    let cookies = format!("aside_session={}", id(&begun));
    let read = current(&aside, Method::GET, &cookies).await;
    let ended = current(&aside, Method::DELETE, &cookies).await;
    for answer in [&begun, &read, &ended] {
        assert_eq!(cookie(answer).secure(), Some(true), "{answer:?}");
    }
    assert_eq!((read.status, ended.status), (200, 204));
    assert_cleared(&ended);
}

#[tokio::test]
async fn no_session_is_found_without_a_cookie_by_a_bad_one_or_by_one_of_two() {
    let memcached = Memcached::start().await;
    let aside = start(&[&memcached], &[]).await;
    let session = log_in(&aside).await;
    for method in [Method::GET, Method::DELETE] {
        aside.send(method.clone(), "/sessions/current", &[]).await.problem(404);
        for cookies in [
            "".to_owned(),
            "aside_session=".to_owned(),
            format!("aside_session={session}x"),
            format!("aside_session=\"{session}\""),
            format!("Aside_Session={session}"),
        ] {
            current(&aside, method.clone(), &cookies).await.problem(404);
        }
        let twice = format!("aside_session={session}");
        let apart = [("cookie", twice.as_str()), ("cookie", "aside_session=planted")];
        aside.send(method.clone(), "/sessions/current", &apart).await.problem(400);
        let planted = format!("aside_session={}; {twice}", "A".repeat(43));
        let refused = current(&aside, method.clone(), &planted).await;
        refused.problem(400);
        assert!(!refused.headers.contains_key("set-cookie"), "{refused:?}");
        aside.get("/sessions/current?aside_session=x").await.problem(404);
    }
    assert_eq!(get(&aside, &session).await.status, 200, "it was not ended");
}

#[tokio::test]
async fn a_log_in_never_takes_the_id_that_the_client_brings() {
    let memcached = Memcached::start().await;
    let aside = start(&[&memcached], &[]).await;
    let planted = "A".repeat(43);
    let post = aside.client.post(format!("http://{}/sessions", aside.address));
    let post = post.header("cookie", format!("aside_session={planted}"));
    let begun = Answer::to(post.json(&json!({ "user_id": 1, "username": "Ada" }))).await.unwrap();
    assert_ne!(id(&begun), planted);
    assert_eq!(cookie(&begun).value(), id(&begun));
    get(&aside, &planted).await.problem(404);
}
