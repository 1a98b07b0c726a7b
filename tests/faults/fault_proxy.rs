//! A TCP proxy in front of a real memcached that does wrong what it is told to, from one moment to the next.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use aside::memcached::Address;
use support::eventually;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::sleep,
};

use crate::fault::{End, Fault, cut_at, is_value};

/// Bytes that are read at once: a reply to all that Aside sends in these tests comes whole.
const READ_BYTES_MAX: usize = 256 << 10;

/// The way to one memcached.
pub(crate) struct FaultProxy {
    here: SocketAddr,
    fault: watch::Sender<Fault>,
    serving: JoinHandle<()>,
}

impl FaultProxy {
    /// Begins to pass everything to `server`, which may come and go.
    pub(crate) async fn start(server: Address) -> Self {
        let listen = async || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.ok();
        let listener = eventually("a free port", listen).await;
        let here = listener.local_addr().unwrap();
        let fault = watch::Sender::new(Fault::None);
        let serving = tokio::spawn(accept(listener, server, fault.subscribe()));
        Self { here, fault, serving }
    }

    pub(crate) fn address(&self) -> String {
        self.here.to_string()
    }

    /// From now on it does this, on connections that are open as well.
    pub(crate) fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn accept(listener: TcpListener, server: Address, fault: watch::Receiver<Fault>) {
    // Aborted with this task.
    let mut connections = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.unwrap();
        while connections.try_join_next().is_some() {}
        let (server, fault) = (server.to_string(), fault.clone());
        // An error is what a fault brings about, or either side's leaving.
        connections.spawn(async move {
            let _ = serve(client, &server, fault).await;
        });
    }
}

async fn serve(
    mut client: TcpStream,
    server: &str,
    mut fault: watch::Receiver<Fault>,
) -> io::Result<()> {
    passes(&mut fault).await;
    if matches!(*fault.borrow(), Fault::Refused) {
        return Ok(());
    }
    let mut server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let mut refused = fault.clone();
    let end = tokio::select! {
        end = replies(&mut from_server, &mut to_client, fault.clone()) => end?,
        passed = requests(&mut from_client, &mut to_server, fault.clone()) => return passed,
        _ = refused.wait_for(|fault| matches!(fault, Fault::Refused)) => return Ok(()),
    };
    match end {
        End::Reset => client.set_zero_linger()?,
        End::HalfClose => {
            to_client.shutdown().await?;
            requests(&mut from_client, &mut to_server, fault).await?;
        }
        End::Silence => requests(&mut from_client, &mut to_server, fault).await?,
    }
    Ok(())
}

/// Waits until there is no black hole.
async fn passes(fault: &mut watch::Receiver<Fault>) {
    // The sender goes only with this task.
    let _ = fault.wait_for(|fault| !matches!(fault, Fault::BlackHole)).await;
}

async fn requests(
    client: &mut ReadHalf<'_>,
    server: &mut WriteHalf<'_>,
    mut fault: watch::Receiver<Fault>,
) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(READ_BYTES_MAX);
    while client.read_buf(&mut bytes).await? > 0 {
        passes(&mut fault).await;
        server.write_all(&bytes).await?;
        bytes.clear();
    }
    Ok(())
}

/// Passes replies until the server leaves or a fault ends the connection.
async fn replies(
    server: &mut ReadHalf<'_>,
    client: &mut WriteHalf<'_>,
    mut fault: watch::Receiver<Fault>,
) -> io::Result<End> {
    let mut reply = Vec::with_capacity(READ_BYTES_MAX);
    while server.read_buf(&mut reply).await? > 0 {
        passes(&mut fault).await;
        let fault = *fault.borrow();
        match fault {
            Fault::None | Fault::BlackHole | Fault::Refused => client.write_all(&reply).await?,
            Fault::Late(by) => late(client, &reply, by).await?,
            Fault::Sliced => sliced(client, &reply).await?,
            Fault::Altered(alter) => client.write_all(&alter(&reply)).await?,
            Fault::Cut(end) if is_value(&reply) => {
                client.write_all(&reply[..cut_at(&reply)]).await?;
                return Ok(end);
            }
            Fault::Cut(_) => client.write_all(&reply).await?,
        }
        reply.clear();
    }
    Ok(End::HalfClose)
}

async fn late(client: &mut WriteHalf<'_>, reply: &[u8], by: Duration) -> io::Result<()> {
    sleep(by).await;
    client.write_all(reply).await
}

async fn sliced(client: &mut WriteHalf<'_>, reply: &[u8]) -> io::Result<()> {
    for byte in reply {
        client.write_all(&[*byte]).await?;
        // Lets the other side read this much before there is more.
        tokio::task::yield_now().await;
    }
    Ok(())
}
