//! One server: a queue for lookups, one for changes and one for releases, and a connection that works each.
//!
//! All lookups share one connection, so that under load they share round trips, too: with two, the batches
//! are half as long and memcached has more to do for the same hits. Changes have a connection of their own, so
//! that a fill of a megabyte holds no lookup up; and so have releases, so that a burst of loads that are
//! refused, each of which gives its lease back, holds no fill up.

use std::{sync::Arc, time::Duration};

use async_channel::Sender;
use tokio::{sync::oneshot, time::timeout};

use super::{
    Address, Backlog,
    connection::Worker,
    health::{Health, State},
    operation::{Operation, Read, Reply},
};
use crate::{
    cache::{Key, Lease, Origin, StoreError},
    metrics::ServerMetrics,
};

/// Operations that may wait for each connection. One more is answered "unavailable" at once.
const QUEUED_MAX: usize = 8192;

/// A memcached server as its callers see it.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: Address,
    lookups: Sender<Operation>,
    changes: Sender<Operation>,
    releases: Sender<Operation>,
    health: Arc<Health>,
    operation_timeout: Duration,
}

/// What a server is started with.
pub(crate) struct Setting {
    pub(crate) address: Address,
    pub(crate) origin: Origin,
    pub(crate) operation_timeout: Duration,
    pub(crate) metrics: ServerMetrics,
    pub(crate) backlog: Backlog,
}

impl Server {
    /// Begins to connect. The connections end when this is dropped.
    pub(crate) fn start(setting: Setting) -> Self {
        let Setting { address, origin, operation_timeout, metrics, backlog } = setting;
        let health = Arc::new(Health::new(address.to_string(), metrics.clone()));
        let connect = || {
            let (queue, queued) = async_channel::bounded(QUEUED_MAX);
            let worker = Worker {
                dsn: address.dsn(),
                origin,
                queued,
                health: health.clone(),
                round_trip_timeout: operation_timeout,
                metrics: metrics.clone(),
                backlog: backlog.clone(),
            };
            tokio::spawn(worker.run());
            queue
        };
        let (lookups, changes, releases) = (connect(), connect(), connect());
        Self { address, lookups, changes, releases, health, operation_timeout }
    }

    pub(crate) fn state(&self) -> State {
        self.health.state()
    }

    /// Waits until it is known whether the server can be reached.
    pub(crate) async fn known(&self) {
        self.health.known().await;
    }

    /// Queues the operation that `operation` makes and waits for its answer until the deadline.
    pub(crate) async fn call<R>(
        &self,
        operation: impl FnOnce(Reply<R>) -> Operation,
    ) -> Result<R, StoreError> {
        if self.health.state() != State::InService {
            return Err(StoreError::Unavailable);
        }
        let (reply, answer) = oneshot::channel();
        let operation = operation(reply);
        let queue = match operation {
            Operation::Lookup(_) | Operation::Read(_) => &self.lookups,
            Operation::Fill { .. } | Operation::Keep { .. } | Operation::Delete { .. } => {
                &self.changes
            }
            Operation::Release { .. } => &self.releases,
        };
        queue.try_send(operation).map_err(|_| StoreError::Unavailable)?;
        match timeout(self.operation_timeout, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(StoreError::NoAnswer),
        }
    }

    /// Queues the release of `lease`. Nobody waits for it: where it can't be made, the lease lapses by itself.
    pub(crate) fn release(&self, key: &Key, lease: &Lease) {
        if self.health.state() == State::InService {
            let release = Operation::Release { key: key.clone(), lease: *lease, again: true };
            let _ = self.releases.try_send(release);
        }
    }

    /// Waits until the releases that are queued now have been made, or the server is out of service. They are made
    /// when a read that is queued behind them is answered.
    pub(crate) async fn released(&self) {
        while self.health.state() == State::InService {
            let (reply, answer) = oneshot::channel();
            let read = Read { key: Key::numbered("aside:released", 0), renew_s: None, reply };
            if self.releases.send(Operation::Read(read)).await.is_err() || answer.await.is_ok() {
                return;
            }
        }
    }
}
