//! Nothing of a session is in the log or in the metrics, not even at the finest level.

use reqwest::Method;
use serde_json::json;
use support::{
    aside::{Aside, Place, command},
    memcached::Memcached,
};

use crate::request::{delete, get, id, key, post, try_log_in};

#[tokio::test]
async fn no_id_no_hash_and_no_name_is_in_the_log_or_in_the_metrics() {
    for format in ["text", "json"] {
        let mut memcached = Memcached::start().await;
        let (place, server) = (Place::seeded().await, memcached.address().to_string());
        let arguments = ["--slow-query", "0s", "--memcached", &server, "--log-format", format];
        let mut command = command(&place, &arguments);
        command.env("RUST_LOG", "trace");
        let aside = Aside::run(&place, command).await;

        let login = json!({ "user_id": 4711, "username": "Ada Zyzzyva" });
        let session = id(&post(&aside, &login).await);
        let cookies = format!("aside_session={session}");
        let all = async || {
            get(&aside, &session).await;
            get(&aside, &format!("{session}%0aX")).await;
            for method in [Method::GET, Method::POST] {
                aside.send(method, "/sessions/current", &[("cookie", &cookies)]).await;
            }
            post(&aside, &json!({ "user_id": 4711, "username": "\u{1b}[31mZyzzyva\r\n" })).await;
            post(&aside, &json!({ "user_id": "Zyzzyva" })).await;
        };
        all().await;
        // Requests that the edge refuses itself.
        for head in ["Host: a\r\nHost: b", "Host: a\n", "Content-Length: x"] {
            let path = format!("/sessions/{session}");
            aside
                .exchange(format!("GET {path} HTTP/1.1\r\n{head}\r\nCookie: {cookies}\r\n\r\n"))
                .await;
        }
        delete(&aside, &session).await;
        memcached.kill();
        for _ in 0..5 {
            all().await;
            post(&aside, &login).await;
            delete(&aside, &session).await;
        }
        assert_eq!(try_log_in(&aside).await.status, 503);

        let (log, metrics) = (aside.log(), aside.get("/metrics").await.body);
        assert!(log.contains("out of service"), "{log}");
        let metrics = String::from_utf8(metrics.to_vec()).unwrap();
        let hash = key(&session);
        let hash = hash.strip_prefix("session:").unwrap();
        for secret in [session.as_str(), hash, "Zyzzyva", "aside_session", "session:", "\u{1b}"] {
            assert!(!metrics.contains(secret), "{secret:?} in {metrics}");
            let line = log.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{secret:?}");
        }
    }
}
