//! A TCP proxy that can be cut: one client's way to a server, while others still reach it.

use std::net::{Ipv4Addr, SocketAddr};

use aside::memcached::Address;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

use super::{eventually, memcached::free_port};

/// A way to a memcached that can be cut and mended.
pub struct Proxy {
    here: SocketAddr,
    server: Address,
    serving: JoinHandle<()>,
}

impl Proxy {
    /// Starts a way to `server` that is open.
    pub async fn start(server: Address) -> Self {
        let here = (Ipv4Addr::LOCALHOST, free_port()).into();
        let serving = serve(here, server.clone()).await;
        Self { here, server, serving }
    }

    /// The address of this end of the way.
    pub fn address(&self) -> SocketAddr {
        self.here
    }

    /// Closes every connection and the port.
    pub fn cut(&mut self) {
        self.serving.abort();
    }

    /// Opens the port again.
    pub async fn mend(&mut self) {
        self.serving = serve(self.here, self.server.clone()).await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut();
    }
}

async fn serve(here: SocketAddr, server: Address) -> JoinHandle<()> {
    let listener =
        eventually("the port is free", async || TcpListener::bind(here).await.ok()).await;
    tokio::spawn(async move {
        // Aborted with this task.
        let mut connections = JoinSet::new();
        while let Ok((mut client, _)) = listener.accept().await {
            let server = server.to_string();
            connections.spawn(async move {
                let mut server = TcpStream::connect(server).await.unwrap();
                // Either side may end it.
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    })
}
