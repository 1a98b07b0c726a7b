//! The signals by which a program is told to end.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::command::{Failed, Result};

/// Ctrl-C and SIGTERM, which end nothing by themselves any more.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Begins to receive them.
    pub(super) fn receive() -> Result<Self> {
        let receive = |kind| {
            let why = |error| Failed::refused(format!("signals can't be received: {error}"));
            signal(kind).map_err(why)
        };
        let interrupt = receive(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: receive(SignalKind::terminate())? })
    }

    /// Waits for the next of them.
    pub(super) async fn next(&mut self) -> SignalKind {
        tokio::select! {
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = self.terminate.recv() => SignalKind::terminate(),
        }
    }
}
