//! What happens to connections when the service stops.

use aside_edge::Limits;
use support::PATIENCE;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::wire::{Edge, GOOD};

#[tokio::test]
async fn requests_in_flight_finish_and_idle_connections_and_the_listener_close() {
    let edge = Edge::start(Limits::default()).await;
    let mut in_flight = edge.connect().await;
    in_flight.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n").await;
    timeout(PATIENCE, edge.arrived.acquire()).await.unwrap().unwrap().forget();
    let mut idle = edge.connect().await;
    idle.send(GOOD).await;
    idle.read_until("number 1;").await;

    edge.stop.send(PATIENCE).unwrap();
    assert_eq!(idle.read_to_end().await, "");
    timeout(PATIENCE, async { while TcpStream::connect(edge.address).await.is_ok() {} })
        .await
        .unwrap();
    assert!(!edge.served.is_finished());

    edge.permits.add_permits(1);
    let answer = in_flight.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("waited"), "{answer}");
    timeout(PATIENCE, edge.served).await.unwrap().unwrap().unwrap();
    assert_eq!(edge.counters.open.get(), 0);
}
