//! One server: a queue, and the few connections that work it.

use std::{sync::Arc, time::Duration};

use async_channel::Sender;
use tokio::{sync::oneshot, time::timeout};

use super::{
    Address, Backlog,
    connection::Worker,
    health::{Health, State},
    operation::{Operation, Reply},
};
use crate::{
    cache::{Origin, StoreError},
    metrics::ServerMetrics,
};

/// Connections to one server. One would do for throughput, as each carries batches; with two, a fill of
/// a megabyte or a connection that is being made anew does not hold up the lookups.
const CONNECTIONS: usize = 2;

/// Operations that may wait for a connection. One more is answered "unavailable" at once.
const QUEUED_MAX: usize = 8192;

/// A memcached server as its callers see it.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: Address,
    queue: Sender<Operation>,
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
        let (queue, queued) = async_channel::bounded(QUEUED_MAX);
        let health = Arc::new(Health::new(address.to_string(), metrics.clone()));
        for _ in 0..CONNECTIONS {
            let worker = Worker {
                dsn: address.dsn(),
                origin,
                queued: queued.clone(),
                health: health.clone(),
                round_trip_timeout: operation_timeout,
                metrics: metrics.clone(),
                backlog: backlog.clone(),
            };
            tokio::spawn(worker.run());
        }
        Self { address, queue, health, operation_timeout }
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
        self.queue.try_send(operation(reply)).map_err(|_| StoreError::Unavailable)?;
        match timeout(self.operation_timeout, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(StoreError::NoAnswer),
        }
    }
}
