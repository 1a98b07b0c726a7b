//! The body's part of F42: how large it may be, and that its failures are problems.

use aside_edge::Limits;
use tokio::io::AsyncWriteExt;

use crate::wire::{Edge, assert_problem};

const POST: &str =
    "POST /json HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nConnection: close\r\n";

fn limits() -> Limits {
    Limits { body_bytes_max: 1_000, ..Limits::default() }
}

/// A JSON string of `bytes` bytes.
fn json(bytes: usize) -> String {
    format!("\"{}\"", "x".repeat(bytes - 2))
}

#[tokio::test]
async fn a_body_at_the_limit_passes_and_one_byte_more_is_413() {
    let edge = Edge::start(limits()).await;
    for (bytes, passes) in [(1_000, true), (1_001, false), (50_000, false)] {
        let body = json(bytes);
        let sized = format!("{POST}Content-Length: {bytes}\r\n\r\n{body}");
        let chunked =
            format!("{POST}Transfer-Encoding: chunked\r\n\r\n{bytes:x}\r\n{body}\r\n0\r\n\r\n");
        for request in [sized, chunked] {
            let answer = edge.exchange(&request).await;
            if passes {
                assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
            } else {
                assert_problem(&answer, "413", &request);
            }
        }
    }
}

#[tokio::test]
async fn a_client_that_is_still_sending_is_heard_out_after_its_413() {
    let edge = Edge::start(limits()).await;
    let request = format!("{POST}Content-Length: 900000\r\n\r\n");
    let mut client = edge.connect().await;
    client.send(&request).await;
    let answer = client.read_to_end().await;
    assert_problem(&answer, "413", &request);
    for _ in 0..90 {
        client.socket.write_all(&[b'x'; 10_000]).await.unwrap();
    }
}

#[tokio::test]
async fn a_client_that_asks_first_is_not_told_to_send_too_large_a_body() {
    let edge = Edge::start(limits()).await;
    let request = format!("{POST}Expect: 100-continue\r\nContent-Length: 1001\r\n\r\n");
    assert_problem(&edge.exchange(&request).await, "413", &request);

    let mut client = edge.connect().await;
    client.send(format!("{POST}Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n")).await;
    assert_eq!(client.read_until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    client.send(json(1_000)).await;
    assert!(client.read_to_end().await.starts_with("HTTP/1.1 200 OK\r\n"));
}

#[tokio::test]
async fn a_body_that_nobody_reads_does_not_become_the_next_request() {
    let edge = Edge::start(limits()).await;
    let inner = "GET /numbers/7 HTTP/1.1\r\nHost: a\r\n\r\n";
    let head =
        format!("POST /ignored HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", inner.len() + 1);
    let answer = edge.exchange(format!("{head}{inner}")).await;
    assert!(answer.contains("ignored") && !answer.contains("number 7"), "{answer}");
}
