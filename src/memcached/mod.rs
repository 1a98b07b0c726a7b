//! memcached as a [`Store`]: one queue a server, and connections that pipeline what is queued.
//!
//! This is the only module that knows `async_memcached`. A caller puts its operation on the queue of the
//! key's server and waits for the answer until a deadline; it may leave, the operation itself is never
//! cancelled half-way. An idle connection takes all that is queued and sends it as one round trip, so
//! that batches form by themselves when there is much to do.

mod address;
mod breaker;
mod connection;
mod deadline;
mod emptying;
mod figures;
mod inspect;
mod operation;
mod peer;
mod routing;
mod server;
mod wire;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::{BoxFuture, join_all};

pub use self::{
    address::{Address, InvalidAddress},
    breaker::State,
    emptying::Emptied,
    figures::ServerFigures,
    inspect::{InspectError, Inspector, Place},
};
use self::{
    breaker::Breaker,
    operation::{Said, Seen, Wanted},
    peer::Peer,
    routing::Routing,
    server::Server,
};
use crate::{
    cache::{
        Ask, Backlog, Filled, Key, Lease, Look, Origin, Places, Servers, Store, StoreError, Value,
    },
    cores::Cores,
    metrics::Metrics,
};

/// The memcached servers. Clones share them.
#[derive(Clone)]
pub struct Memcached {
    servers: Arc<[Server]>,
    routing: Arc<Routing>,
}

/// A plain item as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainItem {
    /// The bytes; empty if it is a placeholder, which means "being loaded".
    pub value: Bytes,
    /// Seconds until memcached would have dropped it, before this read renewed it; `None` is never.
    pub left_s: Option<u32>,
}

impl Memcached {
    /// Begins to connect to `addresses`, of which there must be at least one, for callers on each of the `cores`. A
    /// round trip ends within `operation_timeout`. A server is put into service only after it has forgotten what it
    /// missed, as `backlog` has it by the places of the servers in `addresses`; without one nothing is ever missed.
    pub fn start(
        cores: &Cores,
        addresses: &[Address],
        operation_timeout: Duration,
        metrics: &Metrics,
        backlog: Option<Arc<dyn Backlog>>,
    ) -> Self {
        let routing = Arc::new(Routing::new(addresses));
        let servers = (0..).zip(addresses).map(|(place, address)| {
            let metrics = metrics.server(&address.to_string());
            Server::start(cores, |releases| Peer {
                address: address.clone(),
                place,
                operation_timeout,
                routing: routing.clone(),
                backlog: backlog.clone(),
                breaker: Breaker::new(address.to_string(), metrics.clone()),
                metrics,
                releases,
            })
        });
        Self { servers: servers.collect(), routing }
    }

    /// Waits until it is known of every server whether it can be reached.
    pub async fn known(&self) {
        for server in self.servers.iter() {
            server.peer.breaker.reaches(|state| state != State::Starting).await;
        }
    }

    /// Waits until the releases that are queued have been made. Where a server is away they lapse by themselves.
    pub async fn released(&self) {
        join_all(self.servers.iter().map(Server::released)).await;
    }

    /// Forgets every entry of the cache on each server, in the order of the servers. Sessions stay.
    pub async fn empty_all(&self) -> Vec<(&Address, Emptied)> {
        let emptied = self.servers.iter().map(async |Server { peer, .. }| {
            (&peer.address, peer.questions().empty(&|text| peer.has_key(text)).await)
        });
        join_all(emptied).await
    }

    /// The servers and whether they are used.
    pub fn states(&self) -> impl Iterator<Item = (&Address, State)> {
        self.servers.iter().map(|server| (&server.peer.address, server.state()))
    }

    /// The server that `key` lives on while all are in service.
    pub fn home(&self, key: &Key) -> Option<&Address> {
        self.home_server(key).ok().map(|server| &server.peer.address)
    }

    /// True if the home server of `key` is in service.
    pub fn reaches(&self, key: &Key) -> bool {
        self.home_server(key).is_ok_and(|server| server.state() == State::InService)
    }

    fn at(&self, place: u16) -> Result<&Server, StoreError> {
        self.servers.get(usize::from(place)).ok_or(StoreError::Unavailable)
    }

    fn home_server(&self, key: &Key) -> Result<&Server, StoreError> {
        let [home, _] = self.routing.choices(key);
        self.at(home.ok_or(StoreError::Unavailable)?)
    }

    /// The server that is asked for `key`: its first choice, or its second while the first is away.
    fn server(&self, key: &Key) -> Result<&Server, StoreError> {
        let choices = self.routing.choices(key).into_iter().flatten();
        let mut servers = choices.filter_map(|place| self.at(place).ok());
        let used = servers.find(|server| server.state() == State::InService);
        used.ok_or(StoreError::Unavailable)
    }

    /// The server that gave `lease`.
    fn grantor(&self, lease: &Lease) -> Result<&Server, StoreError> {
        match lease.origin {
            Origin::Server(place) => self.at(place),
            Origin::Memory | Origin::Fallback => Err(StoreError::Unavailable),
        }
    }
}

/// Plain items: what is kept, and not cached.
///
/// Each lives on the home server of its key and nowhere else. A second choice would say that it is absent,
/// which for a session means "logged out", when all that is known is that its server is away.
impl Memcached {
    /// Keeps `value`, of at most a million bytes, under `key` for `life_s` seconds (1 to 30 days), whatever
    /// was there.
    ///
    /// # Errors
    /// [`StoreError`]; one of `Refused` is a value over the limit, or a server that has no room.
    pub async fn keep(&self, key: &Key, value: Bytes, life_s: u32) -> Result<(), StoreError> {
        let value = Value { body: value, flags: 0, left_s: life_s };
        match self.home_server(key)?.change(key, None, Some(value)).await? {
            Said::Done => Ok(()),
            _ => Err(StoreError::Refused),
        }
    }

    /// Reads `key`; with `renew_s` it has that many seconds to live from now.
    ///
    /// # Errors
    /// [`StoreError`]; what is not there is `None`, and no error.
    pub async fn read(
        &self,
        key: &Key,
        renew_s: Option<u32>,
    ) -> Result<Option<PlainItem>, StoreError> {
        let seen = self.home_server(key)?.get(key, Wanted::Plain { renew_s }).await?;
        Ok(seen.map(|Seen { body, left_s, .. }| PlainItem { value: body, left_s }))
    }

    /// Removes `key`, whatever it holds, and says whether it was there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn remove(&self, key: &Key) -> Result<bool, StoreError> {
        self.home_server(key)?.remove(key).await
    }
}

impl Store for Memcached {
    async fn lookup(&self, key: &Key, ask: Ask) -> Result<Look, StoreError> {
        let seen = self.server(key)?.get(key, Wanted::Entry(ask)).await?;
        Ok(seen.map_or(Look::Absent, Seen::look))
    }

    async fn fill(&self, key: &Key, lease: &Lease, value: Value) -> Result<Filled, StoreError> {
        match self.grantor(lease)?.change(key, Some(*lease), Some(value)).await? {
            Said::Done => Ok(Filled::Stored),
            Said::NotFound | Said::Exists => Ok(Filled::Superseded),
            Said::Void => Ok(Filled::Void),
            Said::TooLarge => Ok(Filled::TooLarge),
            Said::Refused => Err(StoreError::Refused),
        }
    }

    fn release(&self, key: &Key, lease: &Lease) {
        if let Ok(server) = self.grantor(lease) {
            server.release(key, lease);
        }
    }

    /// Forgets `key` on both of its choices, as another replica may use the other one.
    async fn forget(&self, key: &Key) -> Result<(), Places> {
        let attempts = self.places_of(key).numbers().map(async |place| {
            let is_forgotten = self.forget_at(place, key).await.is_ok();
            (!is_forgotten).then_some(place)
        });
        let left: Places = join_all(attempts).await.into_iter().flatten().collect();
        if left.is_empty() { Ok(()) } else { Err(left) }
    }
}

impl Servers for Memcached {
    fn in_service(&self) -> Places {
        let used = self.servers.iter().filter(|server| server.state() == State::InService);
        used.map(|server| server.peer.place).collect()
    }

    fn places_of(&self, key: &Key) -> Places {
        self.routing.places(key)
    }

    fn forget_at<'a>(&'a self, place: u16, key: &'a Key) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move { self.at(place)?.remove(key).await.map(drop) })
    }

    fn empty(&self, place: u16) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            let Server { peer, .. } = self.at(place).map_err(|_| "there is no such server")?;
            peer.questions().empty_or_flush(&|text| peer.has_key(text)).await
        })
    }

    fn left_over(&self, place: u16, changes: u64) {
        if let Ok(Server { peer, .. }) = self.at(place) {
            peer.metrics.undelivered.set(i64::try_from(changes).unwrap_or(i64::MAX));
        }
    }

    fn retire(&self) {
        self.servers.iter().for_each(|server| server.peer.breaker.retire());
    }
}
