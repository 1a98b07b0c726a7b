//! How many connections there may be.

use aside::http::edge::Limits;

use crate::wire::{Edge, GOOD, assert_problem, eventually};

#[tokio::test]
async fn one_connection_too_many_is_told_to_retry_and_closed() {
    let edge = Edge::start(Limits { connections_max: 2, ..Limits::default() }).await;
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut client = edge.connect().await;
        client.send(GOOD).await;
        client.read_until("number 1;").await;
        open.push(client);
    }
    assert_eq!(edge.counters.open(), 2);

    let answer = edge.connect().await.read_to_end().await;
    assert_problem(&answer, "503", "");
    assert!(answer.contains("\r\nretry-after: 1\r\n"), "{answer}");
    eventually("the refused connection is not counted as open", || edge.counters.open() == 2).await;
    assert_eq!(edge.counters.refused(), 1);

    // The others notice nothing, and a free place is taken again.
    open[0].send(GOOD).await;
    open[0].read_until("number 1;").await;
    open.pop();
    eventually("the closed connection is not counted any more", || edge.counters.open() == 1).await;
    edge.is_well().await;
    assert_eq!(edge.counters.refused(), 1);
}
