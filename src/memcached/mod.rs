//! memcached as a [`Store`]: one queue a server, and connections that pipeline what is queued.
//!
//! This is the only module that knows `async_memcached`. A caller puts its operation on the queue of the
//! key's server and waits for the answer until a deadline; it may leave, the operation itself is never
//! cancelled half-way. An idle connection takes all that is queued and sends it as one round trip, so
//! that batches form by themselves when there is much to do.

mod address;
mod connection;
mod deadline;
mod emptying;
mod figures;
mod health;
mod inspect;
mod listing;
mod operation;
mod plain;
mod routing;
mod server;
mod wire;

use std::{sync::Arc, time::Duration};

use futures_util::future::{BoxFuture, join_all};

pub use self::{
    address::{Address, InvalidAddress},
    emptying::Emptied,
    figures::ServerFigures,
    health::State,
    inspect::{InspectError, Inspector, Place},
    operation::Kept,
};
use self::{
    operation::Operation,
    routing::{Choices, Routing},
    server::{Server, Setting},
};
use crate::{
    cache::{
        Ask, Backlog, Filled, Key, Lease, Look, Origin, Places, Servers, Store, StoreError, Value,
    },
    metrics::Metrics,
};

/// The memcached servers. Clones share them.
#[derive(Clone, Debug)]
pub struct Memcached {
    servers: Arc<[Server]>,
    routing: Arc<Routing>,
}

impl Memcached {
    /// Begins to connect to `addresses`, of which there must be at least one. Every operation ends within
    /// `operation_timeout`. A server is put into service only after it has forgotten what it missed, as `backlog` has
    /// it by the places of the servers in `addresses`.
    pub fn start(
        addresses: &[Address],
        operation_timeout: Duration,
        metrics: &Metrics,
        backlog: Arc<dyn Backlog>,
    ) -> Self {
        let routing = Arc::new(Routing::new(addresses));
        let servers = (0..).zip(addresses).map(|(place, address)| {
            let server = Setting {
                address: address.clone(),
                place,
                operation_timeout,
                metrics: metrics.server(&address.to_string()),
                backlog: backlog.clone(),
                routing: routing.clone(),
            };
            Server::start(server)
        });
        Self { servers: servers.collect(), routing }
    }

    /// Waits until it is known of every server whether it can be reached.
    pub async fn known(&self) {
        for server in self.servers.iter() {
            server.known().await;
        }
    }

    /// Waits until the releases that are queued have been made. Where a server is away they lapse by themselves.
    pub async fn released(&self) {
        join_all(self.servers.iter().map(Server::released)).await;
    }

    /// Forgets every entry of the cache on each server, in the order of the servers. Sessions stay.
    pub async fn empty_all(&self) -> Vec<(&Address, Emptied)> {
        let emptied = self.servers.iter().map(async |it| (&it.address, it.empty().await));
        join_all(emptied).await
    }

    /// The servers and whether they are used.
    pub fn states(&self) -> impl Iterator<Item = (&Address, State)> {
        self.servers.iter().map(|server| (&server.address, server.state()))
    }

    /// The server that `key` lives on while all are in service.
    pub fn home(&self, key: &Key) -> Option<&Address> {
        let Choices { first, .. } = self.routing.choices(key)?;
        self.servers.get(first).map(|server| &server.address)
    }

    /// The server that is asked for `key`: its first choice, or its second while the first is away.
    fn server(&self, key: &Key) -> Result<&Server, StoreError> {
        let Choices { first, second } = self.routing.choices(key).ok_or(StoreError::Unavailable)?;
        let choices = [Some(first), second].into_iter().flatten();
        choices
            .filter_map(|place| self.servers.get(place))
            .find(|server| server.state() == State::InService)
            .ok_or(StoreError::Unavailable)
    }

    /// The server that gave `lease`.
    fn grantor(&self, lease: &Lease) -> Result<&Server, StoreError> {
        match lease.origin {
            Origin::Server(place) => {
                self.servers.get(usize::from(place)).ok_or(StoreError::Unavailable)
            }
            Origin::Memory | Origin::Fallback => Err(StoreError::Unavailable),
        }
    }
}

impl Store for Memcached {
    async fn lookup(&self, key: &Key, ask: Ask) -> Result<Look, StoreError> {
        self.server(key)?.look_up(key, ask).await
    }

    async fn fill(&self, key: &Key, lease: &Lease, value: Value) -> Result<Filled, StoreError> {
        let (key, granted) = (key.clone(), *lease);
        let fill = |reply| Operation::Fill { key, lease: granted, value, reply };
        self.grantor(lease)?.call(fill).await
    }

    fn release(&self, key: &Key, lease: &Lease) {
        if let Ok(server) = self.grantor(lease) {
            server.release(key, lease);
        }
    }

    /// Forgets `key` on both of its choices, as another replica may use the other one.
    async fn forget(&self, key: &Key) -> Result<(), Places> {
        let attempts = self.places_of(key).numbers().map(|place| async move {
            let is_forgotten = self.forget_at(place, key).await.is_ok();
            if is_forgotten { Places::NONE } else { Places::only(place) }
        });
        let left = join_all(attempts).await.into_iter().fold(Places::NONE, Places::with);
        if left.is_empty() { Ok(()) } else { Err(left) }
    }
}

impl Servers for Memcached {
    fn in_service(&self) -> Places {
        let places = (0..).zip(self.servers.iter());
        let used = places.filter(|(_, server)| server.state() == State::InService);
        used.fold(Places::NONE, |places, (place, _)| places.with(Places::only(place)))
    }

    fn places_of(&self, key: &Key) -> Places {
        self.routing.choices(key).map(Choices::places).unwrap_or_default()
    }

    fn forget_at<'a>(&'a self, place: u16, key: &'a Key) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let server = self.servers.get(usize::from(place)).ok_or(StoreError::Unavailable)?;
            let delete = |reply| Operation::Delete { key: key.clone(), reply };
            server.call(delete).await.map(drop)
        })
    }

    fn empty(&self, place: u16) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            let server = self.servers.get(usize::from(place)).ok_or("there is no such server")?;
            server.empty_or_flush().await
        })
    }

    fn retire(&self) {
        self.servers.iter().for_each(Server::retire);
    }
}
