//! The command line: one binary, `serve` unless told otherwise.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::ExitCode,
    time::Duration,
};

use axum_server::Handle;
use clap::{Args, Parser, Subcommand};
use tokio::{
    net::TcpSocket,
    signal::unix::{SignalKind, signal},
};

use crate::{app::App, config::Settings, telemetry};

/// Exit status when a setting is refused.
const REFUSED: u8 = 2;

/// Connections that the kernel keeps until they are accepted; past it, clients' attempts are lost and tried
/// again a second later. The kernel cuts it to `net.core.somaxconn`, 4096 by default.
const BACKLOG: u32 = 4096;

/// How long `aside healthcheck` waits for each step of the answer.
const HEALTHCHECK_TIMEOUT: Duration = Duration::from_secs(3);

/// A caching HTTP service in front of a slow backend: cache-aside over memcached.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve HTTP (the default)
    Serve(Box<Settings>),
    /// Ask a running service whether it is alive; exit status 0 if it is
    Healthcheck(Healthcheck),
}

#[derive(Args, Debug)]
struct Healthcheck {
    /// Address that the service listens on
    #[arg(long, env = "ASIDE_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    listen: SocketAddr,
}

/// Runs the program as its arguments and its environment say.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => return refuse(&error.to_string()),
        Err(help) => help.exit(),
    };
    match cli.command {
        None => serve(&cli.settings),
        Some(Command::Serve(settings)) => serve(&settings),
        Some(Command::Healthcheck(check)) => check.run(),
    }
}

/// Says in one line what is refused.
fn refuse(error: &str) -> ExitCode {
    let line = error.lines().next().unwrap_or_default();
    let line = line.strip_prefix("error: ").unwrap_or(line);
    eprintln!("error: {line}");
    ExitCode::from(REFUSED)
}

fn serve(settings: &Settings) -> ExitCode {
    telemetry::start(settings.log_format);
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
            Ok(app) => until_stopped(app, listener, settings.shutdown_grace).await,
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

/// Serves until SIGTERM or Ctrl-C, then lets requests under way end within `grace`. A second signal ends
/// it at once.
async fn until_stopped(app: App, listener: TcpListener, grace: Duration) -> ExitCode {
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
    let drain = app.draining();
    let mut serving = std::pin::pin!(app.serve(listener, handle.clone()));
    let ended = tokio::select! {
        ended = &mut serving => Some(ended),
        signal = stop() => {
            tracing::info!(signal, grace = ?grace, "shutting down");
            drain();
            handle.graceful_shutdown(Some(grace));
            None
        }
    };
    let ended = match ended {
        Some(ended) => ended,
        None => tokio::select! {
            ended = &mut serving => ended,
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

impl Healthcheck {
    fn run(&self) -> ExitCode {
        match self.ask() {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => {
                eprintln!("error: the service at {} is not well", self.listen);
                ExitCode::FAILURE
            }
            Err(error) => {
                eprintln!("error: the service at {} does not answer: {error}", self.listen);
                ExitCode::FAILURE
            }
        }
    }

    fn ask(&self) -> io::Result<bool> {
        let mut address = self.listen;
        // What listens on every address is asked on the loopback one.
        if address.ip().is_unspecified() {
            address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        let mut stream = TcpStream::connect_timeout(&address, HEALTHCHECK_TIMEOUT)?;
        stream.set_read_timeout(Some(HEALTHCHECK_TIMEOUT))?;
        stream.set_write_timeout(Some(HEALTHCHECK_TIMEOUT))?;
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        Ok(&status == b"HTTP/1.1 200")
    }
}
