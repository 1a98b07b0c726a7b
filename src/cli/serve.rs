//! `aside serve`: serves until told to stop.

use std::{
    io::{self, Write},
    net::{SocketAddr, TcpListener},
    process::ExitCode,
};

use axum_server::Handle;
use tokio::{
    net::TcpSocket,
    signal::unix::{SignalKind, signal},
    time::{Instant, sleep, timeout},
};

use super::output::refuse;
use crate::{app::App, config::Settings, edge::raise_open_files, telemetry};

/// Connections that the kernel keeps until they are accepted; past it, clients' attempts are lost and tried
/// again a second later. The kernel cuts it to `net.core.somaxconn`, 4096 by default.
const BACKLOG: u32 = 4096;

/// Serves as `settings` say.
pub(super) fn serve(settings: &Settings) -> ExitCode {
    if let Err(invalid) = telemetry::start(settings.log_format) {
        return refuse(&invalid.to_string());
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&format!("no threads can be started: {error}")),
    };
    let code = runtime.block_on(async {
        let listener = match listen(settings.listen) {
            Ok(listener) => listener,
            Err(error) => {
                return refuse(&format!("can't listen on '--listen {}': {error}", settings.listen));
            }
        };
        match App::start(settings).await {
            Ok(app) => until_stopped(app, listener, settings).await,
            Err(error) => refuse(&error.to_string()),
        }
    });
    // A query that can't be interrupted must not hold up the end of the process.
    runtime.shutdown_background();
    code
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
async fn until_stopped(app: App, listener: TcpListener, settings: &Settings) -> ExitCode {
    let Settings { shutdown_delay: delay, shutdown_grace: grace, .. } = *settings;
    if let Some(open_files) = raise_open_files() {
        tracing::info!(open_files, "the limit on open files is raised as far as it can be");
    }
    let handle = Handle::new();
    match listener.local_addr() {
        // To standard output, so that a script that asked for port 0 can read it.
        Ok(address) => {
            let _ = writeln!(io::stdout(), "listening on http://{address}");
        }
        Err(error) => return refuse(&format!("the listener has no address: {error}")),
    }
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return refuse("signals can't be received");
    };
    let mut stop = async move || {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    };
    let (drain, settled) = (app.draining(), app.settled());
    let mut serving = std::pin::pin!(app.serve(listener, handle.clone()));
    let ended = tokio::select! {
        ended = &mut serving => Some(ended),
        signal = stop() => {
            tracing::info!(signal, ?delay, ?grace, "shutting down");
            drain();
            tokio::spawn(async move {
                sleep(delay).await;
                handle.graceful_shutdown(Some(grace));
            });
            None
        }
    };
    let stopped_at = Instant::now();
    let end = async {
        let ended = serving.await;
        let left = delay.saturating_add(grace).saturating_sub(stopped_at.elapsed());
        if timeout(left, settled).await.is_err() {
            tracing::warn!("loads that have not ended are given up");
        }
        ended
    };
    let ended = match ended {
        Some(ended) => ended,
        None => tokio::select! {
            ended = end => ended,
            signal = stop() => {
                tracing::warn!(signal, "ending at once");
                return ExitCode::FAILURE;
            }
        },
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "serving ended");
            ExitCode::FAILURE
        }
    }
}
