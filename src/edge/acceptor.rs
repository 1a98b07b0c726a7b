//! What happens to a connection when it is accepted: it is counted, and wrapped or refused.

use std::future::{Ready, ready};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;

use axum_server::accept::Accept;
use rustix::net::sockopt::set_tcp_user_timeout;
use tokio::net::TcpStream;

use super::addresses::{Addresses, OfAddress};
use super::counters::{OpenConnection, TooMany, admit};
use super::limits::Limits;
use super::refusal;
use super::stream::EdgeStream;
use crate::metrics::EdgeCounters;

/// Bytes of a refused request that are read before the connection is closed. A socket that is closed with unread bytes
/// sends a reset, which may overtake the 503; a request that is larger than this risks that.
const REFUSED_BYTES_READ: usize = 4 * 1024;

/// Lets connections in up to a number, and answers 503 to those past it.
#[derive(Clone)]
pub(super) struct Acceptor {
    limits: Limits,
    connections_max: u64,
    addresses: Option<Arc<Addresses>>,
    counters: Arc<EdgeCounters>,
}

impl Acceptor {
    pub(super) fn new(limits: &Limits, counters: Arc<EdgeCounters>) -> Self {
        let connections_max = limits.connections_possible();
        if connections_max < limits.connections_max {
            tracing::warn!(
                connections_max,
                wanted = limits.connections_max,
                "the limit on open files (ulimit -n) allows fewer connections than configured"
            );
        }
        let addresses = limits.connections_of_an_address(connections_max).map(Addresses::new);
        Self { limits: limits.clone(), connections_max, addresses, counters }
    }

    /// The place of a connection from `socket`'s other end among those of its address.
    fn of_address(&self, socket: &TcpStream) -> Result<Option<OfAddress>, TooMany> {
        let Some(addresses) = &self.addresses else { return Ok(None) };
        // Who has left already has no address and needs no place.
        let Ok(peer) = socket.peer_addr() else { return Ok(None) };
        addresses.admit(peer.ip()).map(Some).ok_or(TooMany)
    }

    fn wrap(&self, socket: TcpStream, open: OpenConnection) -> io::Result<EdgeStream> {
        socket.set_nodelay(true)?;
        // What the kernel has taken to send is out of reach of the stream's own deadline. This one also holds while a
        // client takes nothing and its kernel says so.
        let deadline_ms = u32::try_from(self.limits.write_deadline.as_millis());
        set_tcp_user_timeout(&socket, deadline_ms.unwrap_or(u32::MAX))?;
        Ok(EdgeStream::new(socket, &self.limits, open))
    }
}

impl<S> Accept<TcpStream, S> for Acceptor {
    type Stream = EdgeStream;
    type Service = S;
    type Future = Ready<io::Result<(EdgeStream, S)>>;

    fn accept(&self, socket: TcpStream, service: S) -> Self::Future {
        let of_address = || self.of_address(&socket);
        ready(match admit(&self.counters, self.connections_max, of_address) {
            Some(open) => self.wrap(socket, open).map(|stream| (stream, service)),
            None => refuse(socket).and(Err(io::ErrorKind::ConnectionRefused.into())),
        })
    }
}

/// Answers without waiting for the client: the socket does not block, and its send buffer is still empty.
fn refuse(socket: TcpStream) -> io::Result<()> {
    let mut socket = socket.into_std()?;
    socket.write_all(refusal::too_many_connections())?;
    socket.shutdown(Shutdown::Write)?;
    let _ = socket.read(&mut [0; REFUSED_BYTES_READ])?;
    Ok(())
}
