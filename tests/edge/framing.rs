//! F43 and F44, and the head's part of F42: what is a request, and where does it end.

use aside_edge::Limits;

use crate::wire::{Edge, GOOD, GOOD_AND_LAST, assert_problem};

const POST: &str = "POST /json HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";

fn ambiguous_requests() -> Vec<(&'static str, String)> {
    let with = |lines: &str| format!("GET /numbers/1 HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
    vec![
        ("400", "GET /numbers/1 HTTP/1.1\nHost: a\n\n".into()),
        ("400", with("X: 1\nY: 2\r\n")),
        ("400", "\nGET /numbers/1 HTTP/1.1\r\nHost: a\r\n\r\n".into()),
        ("400", with("X: 1\r\n folded\r\n")),
        ("400", with("Host: b\r\n")),
        ("400", with("hOsT: a\r\n")),
        ("400", "GET /numbers/1 HTTP/1.1\r\n\r\n".into()),
        ("400", with("Host : a\r\n")),
        ("400", with("X: a\rb\r\n")),
        ("400", with("X: a\0b\r\n")),
        (
            "400",
            format!(
                "{POST}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"
            ),
        ),
        (
            "400",
            format!(
                "{POST}Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"
            ),
        ),
        ("400", format!("{POST}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}")),
        ("400", format!("{POST}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{{}}")),
        ("400", format!("{POST}Content-Length: 2, 2\r\n\r\n{{}}")),
        ("400", format!("{POST}Content-Length: +2\r\n\r\n{{}}")),
        (
            "400",
            format!(
                "{POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
        ),
        ("501", format!("{POST}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n")),
        ("501", format!("{POST}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n")),
        ("400", format!("{POST}Transfer-Encoding: chunked\r\n\r\n2\n{{}}\r\n0\r\n\r\n")),
        ("400", format!("{POST}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\n0\r\n\r\n")),
        ("400", format!("{POST}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\nX: 1\n\r\n")),
        ("400", format!("{POST}Transfer-Encoding: chunked\r\n\r\nx\r\n")),
        ("431", with(&"X: 1\r\n".repeat(100))),
        ("431", with(&format!("X: {}\r\n", "x".repeat(20_000)))),
        ("431", format!("GET /numbers/{} HTTP/1.1\r\n", "1".repeat(20_000))),
        ("431", "\r\n".repeat(10_000)),
    ]
}

#[tokio::test]
async fn ambiguous_and_oversized_heads_are_answered_with_a_problem_and_closed() {
    let edge = Edge::start(Limits::default()).await;
    for (status, request) in ambiguous_requests() {
        assert_problem(&edge.exchange(&request).await, status, &request);
    }
    edge.is_well().await;
}

#[tokio::test]
async fn they_are_also_when_they_come_byte_by_byte() {
    let edge =
        Edge::start(Limits { head_bytes_max: 400, headers_max: 8, ..Limits::default() }).await;
    for (status, request) in ambiguous_requests() {
        let mut client = edge.connect().await;
        client.socket.set_nodelay(true).unwrap();
        for byte in request.bytes().take(1_000) {
            client.send([byte]).await;
            tokio::task::yield_now().await;
        }
        assert_problem(&client.read_to_end().await, status, &request);
    }
    edge.is_well().await;
}

#[tokio::test]
async fn a_small_limit_on_the_head_is_held_to_the_byte() {
    let request = "GET /numbers/1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let edge = Edge::start(Limits { head_bytes_max: request.len(), ..Limits::default() }).await;
    assert!(edge.exchange(request).await.starts_with("HTTP/1.1 200 "));
    let larger = request.replace("Host: a", "Host: ab");
    assert_problem(&edge.exchange(&larger).await, "431", &larger);
}

#[tokio::test]
async fn line_feeds_in_a_body_and_empty_lines_before_a_request_are_no_offence() {
    let edge = Edge::start(Limits::default()).await;
    let body = "\n\n[\n1\n]\n\n";
    let answer = edge
        .exchange(format!(
            "\r\n\r\n{POST}Content-Length: {}\r\n\r\n{body}{POST}Transfer-Encoding: chunked\r\n\r\n9\r\n{body}\r\n1;x=y\r\n\n\r\n0\r\nX: 1\r\n\r\n{GOOD_AND_LAST}",
            body.len()
        ))
        .await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK\r\n").count(), 3, "{answer}");
    assert_eq!(answer.matches("[1]").count(), 2, "{answer}");
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let edge = Edge::start(Limits::default()).await;
    let mut requests: String = (0..200)
        .map(|number| format!("GET /numbers/{number} HTTP/1.1\r\nHost: a\r\n\r\n"))
        .collect();
    requests.push_str(GOOD_AND_LAST);
    let answer = edge.exchange(requests).await;
    let numbers: Vec<&str> =
        answer.split("number ").skip(1).filter_map(|rest| Some(rest.split_once(';')?.0)).collect();
    let expected: Vec<String> =
        (0..200).map(|number| number.to_string()).chain(["1".into()]).collect();
    assert_eq!(numbers, expected);
}

#[tokio::test]
async fn requests_before_an_ambiguous_one_are_answered_first() {
    let edge = Edge::start(Limits::default()).await;
    for (status, bad) in ambiguous_requests() {
        let answer = edge.exchange(format!("{GOOD}{GOOD}{bad}")).await;
        let last = answer.rfind("HTTP/1.1").unwrap();
        assert_eq!(answer[..last].matches("HTTP/1.1 200 OK\r\n").count(), 2, "{answer}");
        assert_problem(&answer[last..], status, &bad);
    }
}

#[tokio::test]
async fn a_request_in_flight_is_answered_before_the_ambiguous_one_behind_it() {
    let edge = Edge::start(Limits::default()).await;
    let mut client = edge.connect().await;
    client.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n").await;
    client.send("GET / HTTP/1.1\nHost: a\n\n").await;
    edge.permits.add_permits(1);
    let answer = client.read_to_end().await;
    let (first, second) = answer.split_once("waited").unwrap();
    assert!(first.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_problem(second, "400", "bare LF");
}
