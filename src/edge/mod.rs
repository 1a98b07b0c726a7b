//! The edge: everything that happens to a connection before a handler sees a request.
//!
//! hyper parses and answers HTTP/1. The limits that it leaves to its caller are set here, in the order in which a
//! connection meets them: how many connections there may be ([`Limits::connections_max`]), how long a head, a body and a
//! reader may take, how large a head and a body may be, and which framing is refused because two parsers could read it
//! in two ways.

mod acceptor;
mod body_limits;
mod connections;
mod fields;
mod head_guard;
mod host;
mod limits;
mod linger;
mod problem;
mod refusal;
mod stream;

use std::{
    convert::Infallible,
    future::ready,
    io,
    net::{SocketAddr, TcpListener},
};

use axum::Router;
use axum_server::Handle;
use hyper_util::rt::TokioTimer;
use tower::service_fn;

pub(crate) use self::problem::{NO_STORE, details, problems};
use self::{acceptor::Acceptor, connections::Connections};
pub use self::{
    host::Host,
    limits::{Limits, raise_open_files},
};
pub use crate::metrics::EdgeCounters;

/// hyper's smallest read buffer, in bytes; it panics when it is given less.
const READ_BUFFER_BYTES_MIN: usize = 8 * 1024;

/// Serves `router` to the connections of `listener` until `handle` says to stop.
///
/// `handle.graceful_shutdown(Some(grace))` closes the listener and the idle connections, lets requests in flight
/// finish, and cuts what is left after `grace`. `counters` is written while serving, and may be read.
///
/// # Errors
/// Fails when the listener cannot be given to the runtime. An error on one connection ends only that connection; when
/// no connection can be accepted (no file descriptors, for one), it tries again every 50 ms.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    counters: EdgeCounters,
    handle: Handle<SocketAddr>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let acceptor = Acceptor { limits, connections: Connections::new(&limits, counters) };
    // `acceptor` forgets the choice of HTTP/1, so the choice comes after it.
    let mut server =
        axum_server::from_tcp(listener)?.acceptor(acceptor).http1_only().handle(handle);
    let service = service_fn(move |request| body_limits::answer(router.clone(), &limits, request));
    // hyper's timer runs from one answer to the end of the next head; that of the head alone is the stream's.
    server
        .http_builder()
        .http1()
        .timer(TokioTimer::new())
        // A client that has no more to ask may close its side before it is answered. The stream sees one that is gone.
        .half_close(true)
        .header_read_timeout(limits.idle_deadline)
        .max_headers(limits.headers_max)
        .max_buf_size(limits.head_bytes_max.max(READ_BUFFER_BYTES_MIN));
    server.serve(service_fn(move |_: SocketAddr| ready(Ok::<_, Infallible>(service.clone())))).await
}
