//! Requests that no client library sends, refused by the edge.

use std::time::Duration;

use support::{answer::Answer, aside::Aside};

use crate::{document::Document, refused::TAKE_BODIES};

/// Sends `request` as it is, and reads its only answer.
async fn exchange(aside: &Aside, request: &str) -> Answer {
    let text = aside.exchange(request).await;
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.map(|line| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.parse::<axum::http::HeaderName>().unwrap(), value.parse().unwrap())
    });
    let (headers, took) = (headers.collect(), Duration::ZERO);
    Answer { status, headers, body: body.to_owned().into(), took }
}

pub(crate) async fn heads(document: &Document, aside: &Aside) {
    let long = format!("Host: localhost\r\nX: {}\r\n", "x".repeat(17_000));
    for (status, fields) in [
        (400, "Host: localhost\n"),
        (400, "Host: localhost\r\n folded\r\n"),
        (400, ""),
        (400, "Host: localhost\r\nHost: localhost\r\n"),
        (400, "Host: a b\r\n"),
        (400, "Host: localhost\r\nX y: 1\r\n"),
        (400, "Host: localhost\r\nContent-Length: +1\r\n"),
        (400, "Host: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n"),
        (413, "Host: localhost\r\nContent-Length: 100000\r\n"),
        (431, &long),
        (501, "Host: localhost\r\nTransfer-Encoding: gzip, chunked\r\n"),
    ] {
        for (id, path) in [("show_health", "/healthz"), ("show_user", "/users/1")] {
            let answer = exchange(aside, &format!("GET {path} HTTP/1.1\r\n{fields}\r\n")).await;
            document.check(id, &answer).problem(status);
        }
    }
}

pub(crate) async fn bodies(document: &Document, aside: &Aside) {
    let fields = "Host: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked";
    for (id, method, path) in TAKE_BODIES {
        let request = format!("{method} {path} HTTP/1.1\r\n{fields}\r\n\r\n+1\r\n");
        document.check(id, &exchange(aside, &request).await).problem(400);
    }
}
