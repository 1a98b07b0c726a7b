//! A served edge.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aside_edge::{EdgeCounters, Limits, serve};
use axum::body::Bytes;
use axum::extract::Path;
use axum::routing::{get, post};
use axum::{Json, Router};
use support::raw::RawClient;
use tokio::net::TcpSocket;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;

/// The bytes that the kernel keeps for a client that does not take them: left to itself, it keeps gigabytes for a
/// thousand such clients.
const SEND_BUFFER_BYTES: u32 = 64 * 1024;

/// More than a small receive buffer holds, and less than the send buffer.
const MEDIUM_BYTES: usize = 48 * 1024;

/// More than the kernel's socket buffers hold.
const LARGE_BYTES: usize = 32 * 1024 * 1024;

pub(crate) const GOOD: &str = "GET /numbers/1 HTTP/1.1\r\nHost: a\r\n\r\n";
pub(crate) const GOOD_AND_LAST: &str =
    "GET /numbers/1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

pub(crate) struct Edge {
    pub(crate) address: SocketAddr,
    pub(crate) counters: EdgeCounters,
    /// Ends the service, with the grace that is sent.
    pub(crate) stop: oneshot::Sender<Duration>,
    /// `GET /wait` first adds one of these,
    pub(crate) arrived: Arc<Semaphore>,
    /// and then takes one of these; none are there at first.
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) served: JoinHandle<std::io::Result<()>>,
}

impl Edge {
    pub(crate) async fn start(limits: Limits) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        // The connections inherit it.
        socket.set_send_buffer_size(SEND_BUFFER_BYTES).unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let listener = socket.listen(1024).unwrap().into_std().unwrap();
        let address = listener.local_addr().unwrap();
        let counters = EdgeCounters::default();
        let (stop, stopped) = oneshot::channel();
        let [arrived, permits] = [(); 2].map(|()| Arc::new(Semaphore::new(0)));
        let router = router(Arc::clone(&arrived), Arc::clone(&permits));
        let stopped = async { stopped.await.unwrap_or_default() };
        let counted = counters.clone();
        let served = tokio::spawn(serve(
            vec![Handle::current()],
            listener,
            router,
            limits,
            counted,
            stopped,
        ));
        Self { address, counters, stop, arrived, permits, served }
    }

    pub(crate) async fn connect(&self) -> RawClient {
        RawClient::connect(self.address).await
    }

    /// Sends `bytes` on a connection of its own, and returns all that comes back.
    pub(crate) async fn exchange(&self, bytes: impl AsRef<[u8]>) -> String {
        RawClient::exchange(self.address, bytes).await
    }

    pub(crate) async fn is_well(&self) {
        let answer = self.exchange(GOOD_AND_LAST).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
}

fn router(arrived: Arc<Semaphore>, permits: Arc<Semaphore>) -> Router {
    let large = Bytes::from(vec![b'x'; LARGE_BYTES]);
    Router::new()
        .route(
            "/numbers/{number}",
            get(|Path(number): Path<String>| async move { format!("number {number};") }),
        )
        .route("/medium", get(|| async { vec![b'x'; MEDIUM_BYTES] }))
        .route("/large", get(|| async move { large }))
        .route(
            "/json",
            post(|Json(value): Json<serde_json::Value>| async move { value.to_string() }),
        )
        .route("/ignored", post(|| async { "ignored" }))
        .route(
            "/wait",
            get(|| async move {
                arrived.add_permits(1);
                permits.acquire().await.unwrap().forget();
                "waited"
            }),
        )
}

/// Asserts that `answer` is one problem of `status`, after which the connection was closed.
pub(crate) fn assert_problem(answer: &str, status: &str, request: &str) {
    let context = format!("{answer:?} to {:?}", &request[..request.len().min(200)]);
    let (head, body) =
        answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {context}"));
    let head = head.to_ascii_lowercase();
    assert!(head.starts_with(&format!("http/1.1 {status} ")), "{context}");
    assert!(head.contains("\r\ncontent-type: application/problem+json"), "{context}");
    assert!(head.contains("\r\nconnection: close"), "{context}");
    assert!(head.contains(&format!("\r\ncontent-length: {}", body.len())), "{context}");
    let problem: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(problem["status"].to_string(), status, "{context}");
    assert!(problem["detail"].is_string(), "{context}");
}
