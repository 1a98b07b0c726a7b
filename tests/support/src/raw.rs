//! A client that sees bytes.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::PATIENCE;

/// A connection of a client that sends what no library would.
pub struct RawClient {
    /// Its socket.
    pub socket: TcpStream,
}

impl RawClient {
    /// Connects to `address`.
    pub async fn connect(address: SocketAddr) -> Self {
        Self { socket: TcpStream::connect(address).await.unwrap() }
    }

    /// Sends `bytes` to `address` on a connection of its own, and returns all that comes back until it is closed.
    pub async fn exchange(address: SocketAddr, bytes: impl AsRef<[u8]>) -> String {
        let mut client = Self::connect(address).await;
        client.send(bytes).await;
        client.read_to_end().await
    }

    /// Sends `bytes`. A server that has closed may let the rest of a request fail; what it answered counts.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = timeout(PATIENCE, self.socket.write_all(bytes.as_ref())).await.unwrap();
    }

    /// Reads until the server closes.
    pub async fn read_to_end(&mut self) -> String {
        let mut bytes = Vec::new();
        let read = timeout(PATIENCE, self.socket.read_to_end(&mut bytes)).await;
        assert!(read.is_ok(), "still open after {:?}", String::from_utf8_lossy(&bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Reads until `end` has come.
    pub async fn read_until(&mut self, end: &str) -> String {
        let mut text = String::new();
        while !text.ends_with(end) {
            let byte = timeout(PATIENCE, self.socket.read_u8()).await.unwrap();
            text.push(char::from(byte.unwrap_or_else(|error| panic!("{error} after {text:?}"))));
        }
        text
    }
}
