//! The meta commands, and the check that every reply is the one that was asked for.

mod changes;
mod gets;
mod line;
mod probe;

use std::io;

use tokio::time::error::Elapsed;

pub(super) use self::{changes::Changes, gets::Gets, probe::Unusable};

/// A key, or the space of one, that nobody stores: reading it tells whether the server answers.
const PROBE_KEY: &str = "aside:probe";

/// A connection to a server, for one kind of operation.
pub(super) trait Wire {
    /// The operation that is asked over it.
    type Operation;

    /// True if the caller has left, so that nothing need be sent any more.
    fn is_abandoned(operation: &Self::Operation) -> bool;

    /// True if the server still answers over this connection, by a command that it doesn't count among its gets.
    async fn is_alive(&mut self) -> bool;

    /// Carries out all of `batch`, in as few round trips as there can be, and answers the callers.
    ///
    /// After an error the operations that are left are dropped, and their callers told so by that; only what
    /// nobody waits for stays in `batch`.
    async fn carry_out(&mut self, batch: &mut Vec<Self::Operation>) -> Result<(), WireError>;
}

/// The reason why a connection can't be used any more.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    /// The round trip took too long.
    #[error("no answer within the deadline")]
    TimedOut,
    /// A reply that nobody had asked for, or none where there must be one.
    #[error("a reply was not the one asked for")]
    Crosstalk,
    /// The server answers, and can't be used.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// It is not known what the server must forget before it is used.
    #[error("what it has missed can't be told: {0}")]
    Backlog(String),
    /// It answers a command with an error.
    #[error("it said {0:?}")]
    Refused(String),
    /// The socket's own.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<Elapsed> for WireError {
    fn from(_: Elapsed) -> Self {
        Self::TimedOut
    }
}
