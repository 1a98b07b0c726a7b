//! Looking at the servers without being in anybody's way.
//!
//! Each question goes over a connection of its own that is closed again, so that no lookup ever waits behind
//! it, and none depends on whether the server is in service.

use std::{sync::Arc, time::Duration};

use async_memcached::{Client, Error, MetaProtocol, MetaValue, Status};
use futures_util::future::join_all;
use tokio::time::error::Elapsed;

use super::{Address, deadline::within, figures::ServerFigures, routing::Routing};
use crate::cache::{Item, Key};

/// Deadline, in operation deadlines, of one question to one server: a name lookup, a connection, a round trip.
/// Past it there is no answer.
pub(super) const QUESTION_TIMEOUTS: u32 = 4;

/// The flags of a look that leaves no trace: no `v` (the value stays where it is), no `N` or `R` (no lease is
/// taken), and `u`, so that it does not count as a use.
const UNNOTICED: &[&str] = &["k", "s", "t", "f", "c", "h", "l", "u"];

/// Looks at memcached servers. Clones share nothing but the list.
#[derive(Clone, Debug)]
pub struct Inspector {
    servers: Arc<[Address]>,
    routing: Arc<Routing>,
    question_timeout: Duration,
}

/// The reason why a server did not tell what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InspectError {
    /// No connection can be made.
    #[error("it can't be reached")]
    Unreachable,
    /// It accepted the connection and was silent until the deadline, or closed it.
    #[error("it does not answer")]
    NoAnswer,
    /// The answer is not one of memcached's, or of a memcached that has no room for another connection.
    #[error("it answers something else")]
    Unexpected,
    /// It was not asked, as it is known to be away.
    #[error("it is out of service")]
    OutOfService,
    /// It does not list its keys.
    #[error("it does not list its keys: it was started with -X or -o no_lru_crawler")]
    NotListed,
}

impl From<Elapsed> for InspectError {
    fn from(_: Elapsed) -> Self {
        Self::NoAnswer
    }
}

impl From<Error> for InspectError {
    fn from(error: Error) -> Self {
        match error {
            Error::Connect(_) => Self::Unreachable,
            Error::Io(_) | Error::ConnectionClosed => Self::NoAnswer,
            _ => Self::Unexpected,
        }
    }
}

/// A server as a place for one key.
#[derive(Clone, Debug)]
pub struct Place {
    /// The server.
    pub address: Address,
    /// Its score for the key; the highest is the first choice.
    pub score: u32,
    /// The item under the key; `None` if it is neither the first choice nor the second, and was not asked.
    pub item: Option<Result<Option<Item>, InspectError>>,
}

impl Inspector {
    /// Looks at `servers` with the deadline of [`Memcached::start`](super::Memcached::start).
    pub fn new(servers: &[Address], operation_timeout: Duration) -> Self {
        Self {
            servers: servers.into(),
            routing: Arc::new(Routing::new(servers)),
            question_timeout: operation_timeout * QUESTION_TIMEOUTS,
        }
    }

    /// The deadline of one question, the connection for it included.
    pub fn question_timeout(&self) -> Duration {
        self.question_timeout
    }

    /// The servers, in the order of the setting.
    pub fn servers(&self) -> &[Address] {
        &self.servers
    }

    /// The figures of each server, in the order of the setting. Only those are asked of which `is_asked` says so.
    pub async fn statistics(
        &self,
        is_asked: impl Fn(&Address) -> bool + Send,
    ) -> Vec<Result<ServerFigures, InspectError>> {
        let figures = self.servers.iter().map(|address| {
            let asked = is_asked(address).then(|| self.questions(address));
            async move { asked.ok_or(InspectError::OutOfService)?.figures().await }
        });
        join_all(figures).await
    }

    /// The places of `key`, the first choice first, and its item there. Only the first two are asked: nobody looks
    /// for it on any other.
    pub async fn places(&self, key: &Key) -> Vec<Place> {
        let ranking = (0..).zip(self.routing.ranking(key));
        let places = ranking.filter_map(|(rank, (place, score))| {
            let address = self.servers.get(usize::from(place))?;
            Some(async move {
                let item =
                    if rank < 2 { Some(self.questions(address).item(key).await) } else { None };
                Place { address: address.clone(), score, item }
            })
        });
        join_all(places).await
    }

    fn questions<'a>(&self, address: &'a Address) -> Questions<'a> {
        Questions { address, limit: self.question_timeout }
    }
}

/// Questions to one server, each over a connection of its own that is closed when it is dropped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Questions<'a> {
    pub(super) address: &'a Address,
    /// Deadline of one question, the connection for it included.
    pub(super) limit: Duration,
}

impl Questions<'_> {
    pub(super) async fn connect(&self) -> Result<Client, Error> {
        Client::new(self.address.dsn()).await
    }

    async fn figures(&self) -> Result<ServerFigures, InspectError> {
        let stats = async { self.connect().await?.stats().await };
        Ok(ServerFigures::read(within(self.limit, stats).await??))
    }

    /// `mg` as [`UNNOTICED`] has it. Only memcached's own count of gets knows of it afterwards; an item that
    /// another program has marked stale (`md … I`, which Aside never sends) also says `W` to this look.
    async fn item(&self, key: &Key) -> Result<Option<Item>, InspectError> {
        let look =
            async { self.connect().await?.meta_get(key, false, None, Some(UNNOTICED)).await };
        match within(self.limit, look).await?? {
            None => Ok(None),
            Some(meta) if meta.key.as_deref() != Some(key.as_ref()) => {
                Err(InspectError::Unexpected)
            }
            Some(meta) if meta.status == Some(Status::NotFound) => Ok(None),
            Some(meta) => item(&meta).ok_or(InspectError::Unexpected).map(Some),
        }
    }
}

fn item(meta: &MetaValue) -> Option<Item> {
    Some(Item {
        bytes: meta.size?,
        // Below zero is "for ever".
        left_s: meta.ttl_remaining.and_then(|left_s| u32::try_from(left_s).ok()),
        flags: meta.flags?,
        version: meta.cas?,
        was_read: meta.hit_before,
        noted_s: meta.last_accessed,
        claimed: meta.is_recache_winner.is_some(),
    })
}
