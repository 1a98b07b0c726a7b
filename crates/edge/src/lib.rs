//! The edge: everything that happens to a connection before a handler sees a request.
//!
//! hyper parses and answers HTTP/1. The limits that it leaves to its caller are set here, in the order in which a
//! connection meets them: how many connections there may be ([`Limits::connections_max`]), how long a head, a body and a
//! reader may take, how large a head and a body may be, and which framing is refused because two parsers could read it
//! in two ways.

mod acceptor;
mod body_limits;
mod connections;
mod counters;
mod fields;
mod head_guard;
mod host;
mod limits;
mod linger;
mod problem;
mod refusal;
mod stream;

use std::{
    convert::Infallible, future::Future, io, net::TcpListener, pin::pin, sync::Arc, time::Duration,
};

use axum::{body::Body, extract::Request, response::Response};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::{rt::TokioIo, server::graceful::GracefulShutdown};
use tokio::{
    net::TcpStream,
    runtime::Handle,
    task::JoinSet,
    time::{sleep, timeout},
};
use tower::Service;

use self::{acceptor::Acceptor, connections::Connections, stream::EdgeStream};
pub use self::{
    counters::EdgeCounters,
    host::Host,
    limits::{Limits, PerAddress, raise_open_files},
    problem::{NO_STORE, details},
};

/// hyper's smallest read buffer, in bytes; it panics when it is given less.
const READ_BUFFER_BYTES_MIN: usize = 8 * 1024;

/// Pause after a connection could not be accepted, for want of file descriptors for one.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves `service` to the connections of `listener`, each on one of the `runtimes`, until `stop` is ready, with the grace that is left then: the listener
/// and the idle connections are closed, requests in flight finish, and what has not ended after the grace is cut.
///
/// `counters` is written while serving, and may be read.
///
/// # Errors
/// Fails when the listener cannot be given to the runtime. An error on one connection ends only that connection; when
/// no connection can be accepted (no file descriptors, for one), it tries again every 50 ms.
pub async fn serve<S>(
    runtimes: Vec<Handle>,
    listener: TcpListener,
    service: S,
    limits: Limits,
    counters: EdgeCounters,
    stop: impl Future<Output = Duration>,
) -> io::Result<()>
where
    S: Service<Request<Body>, Response = Response, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static,
{
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let acceptor = Acceptor { limits, connections: Connections::new(&limits, counters) };
    let service = service_fn(move |request| body_limits::answer(service.clone(), &limits, request));
    let http = http(&limits);
    let cores: Vec<_> = runtimes.iter().map(|core| (core, Arc::new(()))).collect();
    // Each connection is a task; the tasks that are left are cut when this is dropped.
    let mut open = JoinSet::new();
    let graceful = GracefulShutdown::new();
    let mut stop = pin!(stop);
    let grace = loop {
        tokio::select! {
            biased;
            grace = &mut stop => break grace,
            Some(_) = open.join_next() => {}
            accepted = listener.accept() => match accepted {
                Err(_) => sleep(ACCEPT_PAUSE).await,
                Ok((socket, _)) => if let Ok((socket, place)) = acceptor.let_in(socket)
                    // The core that has the fewest.
                    && let Some((core, count)) = cores.iter().min_by_key(|(_, count)| Arc::strong_count(count))
                {
                    let (http, service) = (http.clone(), service.clone());
                    let (watcher, counted) = (graceful.watcher(), count.clone());
                    open.spawn_on(async move {
                        let _counted = counted;
                        let stream = EdgeStream::new(TcpStream::from_std(socket)?, &limits, place);
                        let connection = http.serve_connection(TokioIo::new(stream), service);
                        let _ = watcher.watch(connection).await;
                        Ok::<_, io::Error>(())
                    }, core);
                }
            },
        }
    };
    drop(listener);
    let _ = timeout(grace, graceful.shutdown()).await;
    open.shutdown().await;
    Ok(())
}

fn http(limits: &Limits) -> http1::Builder {
    let mut http = http1::Builder::new();
    // A client that has no more to ask may close its side before it is answered. The stream sees one that is gone.
    http.half_close(true)
        .max_headers(limits.headers_max)
        .max_buf_size(limits.head_bytes_max.max(READ_BUFFER_BYTES_MIN));
    http
}
