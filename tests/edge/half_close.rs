//! A client that has no more to say is answered; one that is gone is noticed.

use std::{net::SocketAddr, sync::Arc};

use aside_edge::Limits;
use support::{PATIENCE, aside::Aside, eventually, raw::RawClient};
use tokio::{io::AsyncWriteExt, sync::Semaphore, time::timeout};

use crate::wire::{Edge, GOOD};

/// The answer to a client that closes its side after `request`, as `printf … | nc -q1` does.
async fn half_closed(address: SocketAddr, request: &str) -> String {
    let mut client = RawClient::connect(address).await;
    client.send(request).await;
    client.socket.shutdown().await.unwrap();
    client.read_to_end().await
}

#[tokio::test]
async fn hits_misses_and_writes_are_answered_after_a_half_close() {
    let aside = Aside::start(&["--slow-query", "50ms"]).await;
    for id in 1..=20 {
        for what in ["miss", "hit"] {
            let request = format!("GET /users/{id} HTTP/1.1\r\nHost: localhost\r\n\r\n");
            let answer = half_closed(aside.address, &request).await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{what} {id}: {answer:?}");
            let x_cache = format!("\r\nx-cache: {}\r\n", what.to_uppercase());
            assert!(answer.contains(&x_cache), "{what} {id}: {answer:?}");
        }
        let body = format!(r#"{{"name":"Ada","email":"ada.{id}@example.org"}}"#);
        let write = format!(
            "POST /users HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = half_closed(aside.address, &write).await;
        assert!(answer.starts_with("HTTP/1.1 201 "), "write {id}: {answer:?}");
    }
}

#[tokio::test]
async fn all_requests_that_came_before_the_half_close_are_answered() {
    let edge = Edge::start(Limits::default()).await;
    let wait = "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n";
    let request = format!("{GOOD}{wait}{GOOD}");
    let asked = tokio::spawn({
        let address = edge.address;
        async move { half_closed(address, &request).await }
    });
    arrival(&edge.arrived).await;
    edge.permits.add_permits(1);
    let answer = asked.await.unwrap();
    assert_eq!(answer.matches("HTTP/1.1 200 OK\r\n").count(), 3, "{answer}");
    eventually("the connection is ended", async || (edge.counters.open.get() == 0).then_some(()))
        .await;
}

#[tokio::test]
async fn an_idle_connection_that_half_closes_is_ended() {
    let edge = Edge::start(Limits::default()).await;
    let mut client = edge.connect().await;
    client.send(GOOD).await;
    client.read_until("number 1;").await;
    client.socket.shutdown().await.unwrap();
    assert_eq!(client.read_to_end().await, "");
    eventually("the connection is ended", async || (edge.counters.open.get() == 0).then_some(()))
        .await;
}

#[tokio::test]
async fn half_a_request_before_the_half_close_is_no_request() {
    let edge = Edge::start(Limits::default()).await;
    assert_eq!(half_closed(edge.address, "GET /wait HTTP/1.1\r\nHost: a\r\n").await, "");
    let post = "POST /json HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
                Content-Length: 9\r\n\r\n{";
    let answer = half_closed(edge.address, post).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    eventually("the connections are ended", async || (edge.counters.open.get() == 0).then_some(()))
        .await;
}

#[tokio::test]
async fn a_client_that_resets_is_noticed_while_its_request_is_handled() {
    let edge = Edge::start(Limits::default()).await;
    for behind in ["", GOOD] {
        let mut client = edge.connect().await;
        client.send(format!("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n{behind}")).await;
        arrival(&edge.arrived).await;
        client.socket.set_zero_linger().unwrap();
        drop(client);
        eventually("the handler is dropped", async || {
            (edge.counters.open.get() == 0).then_some(())
        })
        .await;
    }
    assert_eq!(edge.permits.available_permits(), 0);
}

async fn arrival(arrived: &Arc<Semaphore>) {
    timeout(PATIENCE, arrived.acquire()).await.unwrap().unwrap().forget();
}
