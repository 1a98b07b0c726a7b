//! The meta commands, and the check that every reply is the one that was asked for.

mod changes;
mod looks;
mod plain;

use async_memcached::{Client, Error, ErrorKind, MetaProtocol, MetaValue, Status};
use tokio::time::Instant;

use crate::cache::{Key, Origin, StoreError};

/// The largest value that is sent. memcached's own limit for an item is 1 MiB, its header and key
/// included; a larger one it refuses *and removes the old value*.
const VALUE_BYTES_MAX: usize = 1_000_000;

/// A key that nobody stores: reading it tells whether the server answers.
const PROBE_KEY: &str = "aside:probe";

/// A connection to one server, with what its leases need to know.
pub(super) struct Wire {
    client: Client,
    origin: Origin,
    connected_at: Instant,
    round_trips: u64,
}

/// Why a connection can't be used any more.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    /// The round trip took too long.
    #[error("no answer within the deadline")]
    TimedOut,
    /// A reply that nobody had asked for, or none where there must be one.
    #[error("a reply was not the one asked for")]
    Crosstalk,
    /// It is not known what the server must forget before it is used.
    #[error("what it has missed can't be told: {0}")]
    Backlog(String),
    /// Anything else, from a refused connection to a reply that is no memcached's.
    #[error(transparent)]
    Client(#[from] Error),
}

impl Wire {
    pub(super) fn new(client: Client, origin: Origin, connected_at: Instant) -> Self {
        Self { client, origin, connected_at, round_trips: 0 }
    }

    /// Reads a key, so that it is known that the server not only accepts connections but answers.
    pub(super) async fn probe(&mut self) -> Result<(), WireError> {
        self.client.meta_get(PROBE_KEY, false, None, Some(&["v"])).await?;
        Ok(())
    }

    /// Whether the server still answers over this connection, by a command that it doesn't count among its gets.
    pub(super) async fn is_alive(&mut self) -> bool {
        self.client.version().await.is_ok()
    }

    /// Makes sure that the next reply is the one to the next command. Of what is left out of a reply there is nothing
    /// that bears a key and a number: the `MN` that ended it may have been a stray one.
    async fn is_in_step(&mut self) -> Result<(), WireError> {
        // Nobody stores this one either. Unlike a get of it, the answer bears both.
        let key = Key::numbered(PROBE_KEY, 0);
        self.delete(&key, None).await?.map(drop).map_err(|_| WireError::Crosstalk)
    }

    /// An error line that was read whole is the operation's; anything else is the connection's.
    fn refused(&self, error: Error) -> Result<StoreError, WireError> {
        match error {
            Error::Protocol(Status::Error(ErrorKind::Server(_) | ErrorKind::Client(_)))
                if !self.client.is_closed() =>
            {
                Ok(StoreError::Refused)
            }
            error => Err(error.into()),
        }
    }

    fn next_opaque(&mut self) -> u64 {
        self.round_trips += 1;
        self.round_trips
    }
}

/// Whether `meta` answers this key in this round trip. A late or doubled reply bears another number.
fn is_for(meta: &MetaValue, key: &Key, opaque: u64) -> bool {
    let mut digits = itoa::Buffer::new();
    meta.key.as_deref() == Some(key.as_ref())
        && meta.opaque_token.as_deref() == Some(digits.format(opaque).as_bytes())
}
