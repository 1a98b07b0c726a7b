//! `If-None-Match`: a client that has the body already is told so. `If-Match`: one that wants another is told, too.

use reqwest::Method;
use support::{answer::Answer, aside::Aside};

async fn ask(aside: &Aside, path: &str, tags: &str) -> Answer {
    aside.send(Method::GET, path, &[("if-none-match", tags)]).await
}

#[tokio::test]
async fn a_tag_that_matches_is_answered_304_with_the_headers_and_without_the_body() {
    let aside = Aside::start(&[]).await;
    let full = aside.get("/users/42").await;
    let etag = full.header("etag");
    let matching = [
        etag.to_owned(),
        format!("W/{etag}"),
        format!("\"other\", W/\"another\", {etag}"),
        "*".to_owned(),
    ];
    for tags in matching {
        let answer = ask(&aside, "/users/42", &tags).await;
        assert_eq!((answer.status, &answer.body[..]), (304, &b""[..]), "{tags}: {answer:?}");
        assert_eq!(answer.header("etag"), etag);
        assert_eq!((answer.x_cache(), answer.header("cache-control")), ("HIT", "no-cache"));
        assert!(answer.cache_status().contains_key("hit") && answer.age_s() < 20);
    }
}

#[tokio::test]
async fn a_tag_that_does_not_match_or_is_none_is_answered_in_full() {
    let aside = Aside::start(&[]).await;
    let etag = aside.get("/users/42").await.header("etag").to_owned();
    let bare = etag.trim_matches('"');
    for tags in ["\"other\"", "W/\"other\"", "\"*\"", bare, "", &etag.to_uppercase()] {
        // A tag of digits alone has no other case.
        if tags != etag {
            ask(&aside, "/users/42", tags).await.user(42);
        }
    }
}

#[tokio::test]
async fn a_cold_id_and_an_unknown_one_are_conditional_too() {
    let aside = Aside::start(&[]).await;
    let any = ask(&aside, "/users/42", "*").await;
    assert_eq!((any.status, any.x_cache()), (304, "MISS"), "{any:?}");
    ask(&aside, "/users/10001", "*").await.problem(404);
}

#[tokio::test]
async fn a_read_of_another_version_than_if_match_names_is_412() {
    let aside = Aside::start(&[]).await;
    let etag = aside.get("/users/42").await.header("etag").to_owned();
    let ask = async |path, tags: &str| aside.send(Method::GET, path, &[("if-match", tags)]).await;
    for tags in ["*".to_owned(), etag.clone(), format!("\"other\", {etag}")] {
        ask("/users/42", &tags).await.user(42);
    }
    for tags in ["\"other\"".to_owned(), format!("W/{etag}")] {
        let answer = ask("/users/42", &tags).await;
        answer.problem(412);
        assert_eq!((answer.x_cache(), answer.header("etag")), ("HIT", etag.as_str()));
    }
    ask("/users/42", "other").await.problem(400);
    ask("/users/10001", "\"other\"").await.problem(404);
}

#[tokio::test]
async fn replicas_agree_on_the_tag_of_a_user() {
    let (one, other) = tokio::join!(Aside::start(&[]), Aside::start(&[]));
    let etag = one.get("/users/42").await.header("etag").to_owned();
    assert_eq!(ask(&other, "/users/42", &etag).await.status, 304);
    assert_ne!(other.get("/users/43").await.header("etag"), etag);
}
