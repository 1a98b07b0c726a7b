//! `aside serve`: serves until told to stop.

use std::{
    io::{self, Write},
    net::{SocketAddr, TcpListener},
};

use aside_edge::raise_open_files;
use tokio::{
    net::TcpSocket,
    runtime::Builder,
    signal::unix::SignalKind,
    sync::oneshot,
    time::{Instant, sleep_until, timeout_at},
};

use super::{
    command::{FAILURE, Failed, Result, block_on},
    signals::Signals,
};
use crate::{app::App, config::Settings, telemetry};

/// Connections that the kernel keeps until they are accepted; past it, clients' attempts are lost and tried
/// again a second later. The kernel cuts it to `net.core.somaxconn`, 4096 by default.
const BACKLOG: u32 = 4096;

/// Serves as `settings` say.
pub(super) fn serve(settings: &Settings) -> Result {
    telemetry::start(settings.log_format).map_err(Failed::refused)?;
    block_on(Builder::new_multi_thread(), async {
        let address = settings.listen;
        let why = |error| Failed::refused(format!("can't listen on '--listen {address}': {error}"));
        let listener = listen(address).map_err(why)?;
        let app = App::start(settings).await.map_err(Failed::refused)?;
        until_stopped(app, listener, settings).await
    })
}

/// Binds the address. A service that has just ended does not keep it from being bound again.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

/// Serves until SIGTERM or Ctrl-C; then, unready, for the delay, so that nobody is sent to a port that is closed;
/// then lets requests under way, and loads that nobody waits for, end within the grace. A second signal ends it
/// at once.
async fn until_stopped(app: App, listener: TcpListener, settings: &Settings) -> Result {
    let Settings { shutdown_delay: delay, shutdown_grace: grace, .. } = *settings;
    if let Some(open_files) = raise_open_files() {
        tracing::info!(open_files, "the limit on open files is raised as far as it can be");
    }
    let mut signals = Signals::receive()?;
    let why = |error| Failed::refused(format!("the listener has no address: {error}"));
    let address = listener.local_addr().map_err(why)?;
    // To standard output, so that a script that asked for port 0 can read it.
    let _ = writeln!(io::stdout(), "listening on http://{address}");
    let (stop, stopped) = oneshot::channel();
    let (drain, settled) = (app.draining(), app.settled());
    let mut serving =
        std::pin::pin!(app.serve(listener, async move { stopped.await.unwrap_or(grace) }));
    let signal = tokio::select! {
        ended = &mut serving => return told(ended),
        signal = signals.next() => name(signal),
    };
    tracing::info!(signal, ?delay, ?grace, "shutting down");
    drain();
    let stop_at = Instant::now() + delay;
    tokio::spawn(async move {
        sleep_until(stop_at).await;
        let _ = stop.send(grace);
    });
    let end = async {
        let ended = serving.await;
        if timeout_at(stop_at + grace, settled).await.is_err() {
            tracing::warn!("loads that have not ended are given up");
        }
        told(ended)
    };
    tokio::select! {
        ended = end => ended,
        signal = signals.next() => {
            tracing::warn!(signal = name(signal), "ending at once");
            Err(Failed::Told(FAILURE))
        }
    }
}

fn name(signal: SignalKind) -> &'static str {
    if signal == SignalKind::terminate() { "SIGTERM" } else { "SIGINT" }
}

fn told(ended: io::Result<()>) -> Result {
    ended.map_err(|error| {
        tracing::error!(%error, "serving ended");
        Failed::Told(FAILURE)
    })
}
