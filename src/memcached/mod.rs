//! memcached as a [`Store`]: one queue a server, and connections that pipeline what is queued.
//!
//! This is the only module that knows `async_memcached`. A caller puts its operation on the queue of the
//! key's server and waits for the answer until a deadline; it may leave, the operation itself is never
//! cancelled half-way. An idle connection takes all that is queued and sends it as one round trip, so
//! that batches form by themselves when there is much to do.

mod address;
mod batch;
mod connection;
mod deadline;
mod health;
mod inspect;
mod listing;
mod operation;
mod plain;
mod routing;
mod server;
mod wire;

use std::{sync::Arc, time::Duration};

use futures_util::future::{BoxFuture, join, join_all};

pub use self::{
    address::{Address, InvalidAddress},
    health::State,
    inspect::{InspectError, Inspector, Place},
    plain::Kept,
};
use self::{
    operation::Operation,
    routing::{Choices, Routing},
    server::{Server, Setting},
};
use crate::{
    cache::{Ask, Filled, Key, Lease, Look, Origin, Store, StoreError, Value},
    metrics::Metrics,
};

/// The keys that a server must forget before it is used (again), or one line that says why they can't be
/// told. Whatever wrote while the server was away has noted them.
pub type Backlog = Arc<dyn Fn() -> BoxFuture<'static, Result<Vec<Key>, String>> + Send + Sync>;

/// The memcached servers. Clones share them.
#[derive(Clone, Debug)]
pub struct Memcached {
    servers: Arc<[Server]>,
    routing: Arc<Routing>,
}

impl Memcached {
    /// Begins to connect to `addresses`, of which there must be at least one. Every operation ends within
    /// `operation_timeout`. A server is put into service only after it has forgotten its `backlog`.
    pub fn start(
        addresses: &[Address],
        operation_timeout: Duration,
        metrics: &Metrics,
        backlog: Backlog,
    ) -> Self {
        let servers = (0..).zip(addresses).map(|(place, address)| {
            let server = Setting {
                address: address.clone(),
                origin: Origin::Server(place),
                operation_timeout,
                metrics: metrics.server(&address.to_string()),
                backlog: backlog.clone(),
            };
            Server::start(server)
        });
        Self { servers: servers.collect(), routing: Arc::new(Routing::new(addresses)) }
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

    /// The servers and whether they are used.
    pub fn states(&self) -> impl Iterator<Item = (&Address, State)> {
        self.servers.iter().map(|server| (&server.address, server.state()))
    }

    /// The server that `key` lives on while all are in service.
    pub fn home(&self, key: &Key) -> Option<&Address> {
        let Choices { first, .. } = self.routing.choices(key)?;
        self.servers.get(first).map(|server| &server.address)
    }

    /// Whether every server that `key` may live on is in service, so that it can be forgotten on all of them.
    pub fn is_in_service(&self, key: &Key) -> bool {
        self.routing.choices(key).is_some_and(|Choices { first, second }| {
            let mut choices = [Some(first), second].into_iter().flatten();
            choices.all(|place| {
                self.servers.get(place).is_some_and(|server| server.state() == State::InService)
            })
        })
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

    /// Forgets `key` on both of its choices, as another replica may use the other one. It is forgotten when
    /// both have said so.
    async fn forget(&self, key: &Key) -> Result<(), StoreError> {
        let Choices { first, second } = self.routing.choices(key).ok_or(StoreError::Unavailable)?;
        let forget = async |place: usize| {
            let delete = |reply| Operation::Delete { key: key.clone(), reply };
            let server = self.servers.get(place).ok_or(StoreError::Unavailable)?;
            server.call(delete).await.map(drop)
        };
        match second {
            None => forget(first).await,
            Some(second) => {
                let (one, other) = join(forget(first), forget(second)).await;
                one.and(other)
            }
        }
    }
}
