//! The meta commands, and the check that every reply is the one that was asked for.

mod batch;
mod change;
mod changes;
mod line;
mod looks;
mod plain;
mod probe;
mod request;

use std::{io, time::Duration};

use async_channel::Sender;
use async_memcached::{Error, MetaValue};

pub(super) use self::{changes::Changes, looks::Looks, probe::Unusable};
use super::{Address, operation::Operation};
use crate::cache::{Key, Origin};

/// The largest value that is sent. memcached's own limit for an item is 1 MiB, its header and key
/// included; a larger one it refuses *and removes the old value*.
const VALUE_BYTES_MAX: usize = 1_000_000;

/// A key, or the space of one, that nobody stores: reading it tells whether the server answers.
const PROBE_KEY: &str = "aside:probe";

/// What a connection is used for.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// Lookups and reads. Leases that are won and not heard of go to `releases`.
    Looks {
        /// The queue of the connection that gives them back.
        releases: Sender<Operation>,
    },
    /// Everything else.
    Changes,
}

/// A connection to one server, with what its leases need to know.
pub(super) enum Wire {
    /// For lookups and reads.
    Looks(Looks),
    /// For changes.
    Changes(Changes),
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
    /// The server answers, and can't be used.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// It is not known what the server must forget before it is used.
    #[error("what it has missed can't be told: {0}")]
    Backlog(String),
    /// Anything else of a lookup, from a refused connection to a reply that is no memcached's.
    #[error(transparent)]
    Client(#[from] Error),
    /// The socket's own.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Wire {
    pub(super) async fn connect(
        kind: &Kind,
        address: &Address,
        origin: Origin,
        round_trip_timeout: Duration,
    ) -> Result<Self, WireError> {
        Ok(match kind {
            Kind::Looks { releases } => Self::Looks(
                Looks::connect(address, origin, releases.clone(), round_trip_timeout).await?,
            ),
            Kind::Changes => Self::Changes(Changes::connect(address, round_trip_timeout).await?),
        })
    }

    /// Makes sure that the server not only accepts connections but answers. It has no more time than any operation:
    /// what is too slow for those must not pass.
    pub(super) async fn probe(&mut self) -> Result<(), WireError> {
        match self {
            Self::Looks(looks) => looks.probe().await,
            Self::Changes(changes) => changes.probe().await,
        }
    }

    /// Whether the server still answers over this connection, by a command that it doesn't count among its gets.
    pub(super) async fn is_alive(&mut self) -> bool {
        match self {
            Self::Looks(looks) => looks.is_alive().await,
            Self::Changes(changes) => changes.is_alive().await,
        }
    }

    /// Carries out all of `batch`, in as few round trips as there can be.
    ///
    /// After an error the operations that are left are dropped, and their callers told so by that; only what
    /// nobody waits for stays in `batch`.
    pub(super) async fn carry_out(&mut self, batch: &mut Vec<Operation>) -> Result<(), WireError> {
        match self {
            Self::Looks(looks) => looks.carry_out(batch).await,
            Self::Changes(changes) => changes.carry_out(batch).await,
        }
    }
}

/// Whether `meta` answers this key in this round trip. A late or doubled reply bears another number.
fn is_for(meta: &MetaValue, key: &Key, opaque: u64) -> bool {
    let mut digits = itoa::Buffer::new();
    meta.key.as_deref() == Some(key.as_ref())
        && meta.opaque_token.as_deref() == Some(digits.format(opaque).as_bytes())
}
