//! A session from its beginning to its end.

use std::{collections::HashSet, time::SystemTime};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use reqwest::Method;
use serde_json::{Value, json};
use support::{eventually, memcached::Memcached};

use crate::request::{delete, get, id, key, left_s, log_in, post, start};

#[tokio::test]
async fn a_session_is_begun_read_and_ended() {
    let memcached = Memcached::start().await;
    let aside = start(&[&memcached], &[]).await;
    let before = SystemTime::now();
    let begun = post(&aside, &json!({ "user_id": 7, "username": "Ada \"李\" Lovelace" })).await;
    assert_eq!(begun.status, 201, "{begun:?}");
    assert_eq!(begun.header("content-type"), "application/json");
    assert_eq!(begun.header("location"), "/sessions/current", "proxies log it, without the id");
    let shown = begun.json();
    let fields: Vec<_> = shown.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["id", "login_time", "user_id", "username"]);
    assert_eq!((&shown["user_id"], &shown["username"]), (&json!(7), &json!("Ada \"李\" Lovelace")));
    let login_time = shown["login_time"].as_str().unwrap();
    let begun_at = humantime::parse_rfc3339(login_time).unwrap();
    assert!(login_time.len() == 24 && begun_at <= SystemTime::now(), "{login_time}");
    // The time is written in whole milliseconds.
    assert!(before.duration_since(begun_at).map_or(0, |early| early.as_millis()) < 2);

    let session = id(&begun);
    let read = get(&aside, &session).await;
    assert_eq!((read.status, read.json()), (200, shown));
    let head = aside.send(Method::HEAD, &format!("/sessions/{session}"), &[]).await;
    assert_eq!((head.status, head.body.len()), (200, 0));

    let ended = delete(&aside, &session).await;
    assert_eq!((ended.status, ended.body.len()), (204, 0));
    let gone = [get(&aside, &session).await, delete(&aside, &session).await];
    for answer in gone.iter().chain([&begun, &read, &ended]) {
        assert_eq!(answer.header("cache-control"), "no-store", "{answer:?}");
    }
    for answer in gone {
        answer.problem(404);
    }
}

#[tokio::test]
async fn ids_are_256_bits_that_never_repeat_and_memcached_shows_none() {
    let memcached = Memcached::start().await;
    let aside = start(&[&memcached], &[]).await;
    let mut ids = HashSet::new();
    for _ in 0..50 {
        let session = log_in(&aside).await;
        assert_eq!(BASE64_URL_SAFE_NO_PAD.decode(&session).unwrap().len(), 32);
        let stored = memcached.tell(&format!("mg {} v k", key(&session))).await;
        assert!(stored.starts_with("VA ") && !stored.contains(&session), "{stored}");
        let value: Value = serde_json::from_str(stored.split_once("\r\n").unwrap().1).unwrap();
        let fields: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, ["login_time", "user_id", "username"], "and no id");
        ids.insert(session);
    }
    assert_eq!(ids.len(), 50);
    // Each bit of each byte is set in some ids and not in others.
    let ids: Vec<_> = ids.iter().map(|id| BASE64_URL_SAFE_NO_PAD.decode(id).unwrap()).collect();
    for place in 0..32 {
        let (or, and) =
            ids.iter().fold((0, 0xff), |(or, and), id| (or | id[place], and & id[place]));
        assert_eq!((or, and), (0xff, 0), "byte {place}");
    }
}

#[tokio::test]
async fn reading_gives_a_session_its_whole_life_again() {
    let memcached = Memcached::start().await;
    let aside = start(&[&memcached], &["--session-ttl", "10m"]).await;
    let session = log_in(&aside).await;
    assert!((590..=600).contains(&left_s(&memcached, &session).await));
    assert_eq!(memcached.tell(&format!("mg {} T15", key(&session))).await, "HD");
    assert!(left_s(&memcached, &session).await <= 15);
    assert_eq!(get(&aside, &session).await.status, 200);
    assert!((590..=600).contains(&left_s(&memcached, &session).await));
}

#[tokio::test]
async fn the_default_life_is_half_an_hour() {
    let memcached = Memcached::start().await;
    let aside = start(&[&memcached], &[]).await;
    let left_s = left_s(&memcached, &log_in(&aside).await).await;
    assert!((1790..=1800).contains(&left_s), "{left_s}");
}

#[tokio::test]
async fn a_session_that_is_not_used_ends() {
    let memcached = Memcached::start().await;
    let aside = start(&[&memcached], &["--session-ttl", "1s"]).await;
    let session = log_in(&aside).await;
    // Looked at past the service, as its own reads would renew it.
    let look = format!("mg {} t", key(&session));
    eventually("the session has ended", async || {
        (memcached.tell(&look).await == "EN").then_some(())
    })
    .await;
    get(&aside, &session).await.problem(404);
}

#[tokio::test]
async fn what_is_no_session_in_memcached_logs_nobody_in() {
    let memcached = Memcached::start().await;
    let aside = start(&[&memcached], &[]).await;
    let session = log_in(&aside).await;
    for value in ["", "x", "{}", "null", r#"{"user_id":"1","username":"Ada","login_time":""}"#] {
        let set = format!("ms {} {} T60\r\n{value}", key(&session), value.len());
        assert_eq!(memcached.tell(&set).await, "HD");
        get(&aside, &session).await.problem(404);
    }
}
