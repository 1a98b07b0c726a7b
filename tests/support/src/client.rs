//! Aside's side of one memcached server.

use std::{future::ready, sync::Arc, time::Duration};

use aside::{
    cache::{
        Ask, Backlog, Change, Filled, Key, Lease, Look, Missed, Page, Servers, Store, StoreError,
        Token, Value,
    },
    cores::Cores,
    memcached::{self, Address, State},
    metrics::Metrics,
};
use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::eventually;

/// A look that takes the lease of what is absent.
pub const LEASED: Ask = Ask { lease_s: Some(30), refresh_s: None };

/// A look that takes nothing.
pub const UNLEASED: Ask = Ask { lease_s: None, refresh_s: None };

/// A store over one server, and what it has measured.
pub struct Client {
    /// The store, whose first server the methods here look at.
    pub store: memcached::Memcached,
    metrics: Metrics,
}

impl Client {
    /// Starts where nothing was written while the server was away.
    pub fn start(address: Address, operation_timeout: Duration) -> Self {
        Self::start_behind(address, operation_timeout, Vec::new())
    }

    /// Starts where `missed` was written while the server was away.
    pub fn start_behind(address: Address, operation_timeout: Duration, missed: Vec<Key>) -> Self {
        let metrics = Metrics::default();
        let backlog: Arc<dyn Backlog> = Arc::new(MissedBefore(missed));
        let store = memcached::Memcached::start(
            &Cores::here(),
            &[address],
            operation_timeout,
            &metrics,
            Some(backlog),
        );
        Self { store, metrics }
    }

    /// The state of the server.
    pub fn state(&self) -> State {
        self.store.states().next().unwrap().1
    }

    /// Waits until the server is used.
    pub async fn is_in_service(&self) {
        let used = async || (self.state() == State::InService).then_some(());
        eventually("the server is in service", used).await;
    }

    /// Waits until the connections that are waited for are made. What is asked over one of them before would be void on the
    /// other.
    pub async fn is_connected(&self) {
        eventually("connections", async || {
            // A connection that was lost in idleness is made anew when it is used.
            let looked = self.store.lookup(&key("nothing"), UNLEASED).await;
            let forgotten = self.store.forget(&key("nothing")).await;
            (looked.is_ok() && forgotten.is_ok()).then_some(())
        })
        .await;
    }

    /// Waits until the server is not used any more, and does `meanwhile` again and again.
    pub async fn is_out_of_service_after(&self, meanwhile: impl AsyncFn()) {
        eventually("the server is out of service", async || {
            meanwhile().await;
            (self.state() == State::OutOfService).then_some(())
        })
        .await;
    }

    /// The value of `aside_memcached_<name>`.
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.metrics.render().unwrap();
        let prefix = format!("aside_memcached_{name}{{");
        let line = text.lines().find(|line| line.starts_with(&prefix));
        let number = line.and_then(|line| line.rsplit(' ').next());
        number.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
    }

    /// Looks `name` up, and takes its lease if it is absent.
    pub async fn look_up(&self, name: &str) -> Result<Look, StoreError> {
        self.store.lookup(&key(name), LEASED).await
    }

    /// The lease of `name`, which must be absent.
    pub async fn won(&self, name: &str) -> Lease {
        match self.look_up(name).await {
            Ok(Look::Placeholder { lease, token: Token::Won }) => lease,
            other => panic!("no lease on {name}: {other:?}"),
        }
    }

    /// Forgets `name` at the server.
    pub async fn forget(&self, name: &str) -> Result<(), StoreError> {
        self.store.forget_at(0, &key(name)).await
    }

    /// Takes the lease of `name`, which must be absent, and fills it.
    pub async fn fill(&self, name: &str, body: Bytes) -> Result<Filled, StoreError> {
        let look = self.look_up(name).await?;
        let Look::Placeholder { lease, .. } = look else { panic!("{name} is there: {look:?}") };
        self.store.fill(&key(name), &lease, value(body)).await
    }
}

/// The key `name`.
pub fn key(name: &str) -> Key {
    Key::new(name).unwrap()
}

/// A value that lives for a minute.
pub fn value(body: impl Into<Bytes>) -> Value {
    Value { body: body.into(), flags: 7, left_s: 60 }
}

/// The body of an answer that found one.
pub fn body(look: &Result<Look, StoreError>) -> Option<&Bytes> {
    match look {
        Ok(Look::Found { found, .. }) => Some(&found.body),
        _ => None,
    }
}

/// The log of keys that were written before the server was reached first.
struct MissedBefore(Vec<Key>);

impl Backlog for MissedBefore {
    fn missed(&self, _: u16, _: Option<i64>) -> BoxFuture<'_, Result<Missed, String>> {
        let keys = (1..).zip(self.0.clone());
        let changes: Vec<_> = keys.map(|(position, key)| Change { position, key }).collect();
        let up_to = changes.last().map_or(0, |change| change.position);
        Box::pin(ready(Ok(Missed::Changes(Page { changes, up_to, is_full: false }))))
    }

    fn forgotten(&self, _: u16, _: Vec<i64>, _: i64) {}

    fn emptied(&self, _: u16, _: i64) {}

    fn caught_up(&self, _: u16) {}

    fn has_key(&self, _: &str) -> bool {
        false
    }
}
