//! The first thing to happen to a connection: it is let in and wrapped, or refused.

use std::{
    io::{self, Read, Write},
    net::{self, Shutdown},
    sync::Arc,
};

use rustix::net::sockopt::set_tcp_user_timeout;
use tokio::net::TcpStream;

use crate::{
    connections::{Connections, OpenConnection},
    limits::Limits,
    refusal::Refusal,
};

/// Bytes of a refused request that are read before the connection is closed. A socket that is closed with unread bytes
/// sends a reset, which may overtake the 503; a request that is larger than this risks that.
const REFUSED_BYTES_READ: usize = 4 * 1024;

/// The end of the head that refuses a connection.
const RETRY_AND_CLOSE: &[u8] = b"retry-after: 1\r\nconnection: close\r\n\r\n";

/// Lets in as many connections as there may be, and answers 503 to those past that.
pub(super) struct Acceptor {
    pub(super) limits: Limits,
    pub(super) connections: Arc<Connections>,
}

impl Acceptor {
    /// The socket, ready for the core that serves it, and its place among those that are open.
    ///
    /// # Errors
    /// If there are too many connections, which the client has been told then, or if it has left.
    pub(super) fn let_in(&self, socket: TcpStream) -> io::Result<(net::TcpStream, OpenConnection)> {
        // A client that has left already has no address, and fails here.
        let address = socket.peer_addr()?.ip();
        let Some(open) = self.connections.admit(address) else {
            refuse(socket)?;
            return Err(io::ErrorKind::ConnectionRefused.into());
        };
        socket.set_nodelay(true)?;
        // Bytes that the kernel has taken to send are out of reach of the stream's own deadline. This one also holds while
        // a client takes nothing and its kernel says so.
        let deadline_ms = u32::try_from(self.limits.write_deadline.as_millis());
        set_tcp_user_timeout(&socket, deadline_ms.unwrap_or(u32::MAX))?;
        Ok((socket.into_std()?, open))
    }
}

/// Answers without waiting for the client: the socket does not block, and its send buffer is still empty.
fn refuse(socket: TcpStream) -> io::Result<()> {
    let mut socket = socket.into_std()?;
    socket.write_all(&Refusal::TooManyConnections.bytes(RETRY_AND_CLOSE))?;
    socket.shutdown(Shutdown::Write)?;
    let _ = socket.read(&mut [0; REFUSED_BYTES_READ])?;
    Ok(())
}
