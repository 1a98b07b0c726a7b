//! The floor of the stack: hyper answers every request with the same bytes, and asks nobody.
//!
//!     constant 127.0.0.1:8080

use std::{convert::Infallible, env, error::Error};

use http_body_util::Full;
use hyper::{
    Response, body::Bytes, header::CONTENT_TYPE, server::conn::http1, service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// As long as a user.
const BODY: &[u8] = br#"{"id":1,"name":"Ada Lovelace","email":"ada.lovelace.1@example.com","created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"}"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).ok_or("which address?")?;
    let listener = TcpListener::bind(address).await?;
    let answer = service_fn(async |_| {
        let answer = Response::builder().header(CONTENT_TYPE, "application/json");
        Ok::<_, Infallible>(answer.body(Full::new(Bytes::from_static(BODY))).unwrap_or_default())
    });
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), answer));
    }
}
