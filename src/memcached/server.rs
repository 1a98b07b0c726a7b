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
    Address,
    connection::Worker,
    emptying::{Emptied, empty, empty_or_flush},
    health::{Health, State},
    inspect::QUESTION_TIMEOUTS,
    operation::{Answer, Lookup, Operation, Reply},
    routing::Routing,
    wire::Kind,
};
use crate::{
    cache::{Ask, Backlog, Key, Lease, Look, Spaces, StoreError},
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
    spaces: Spaces,
}

/// What a server is started with.
pub(crate) struct Setting {
    pub(crate) address: Address,
    pub(crate) place: u16,
    pub(crate) operation_timeout: Duration,
    pub(crate) metrics: ServerMetrics,
    pub(crate) backlog: Arc<dyn Backlog>,
    pub(crate) routing: Arc<Routing>,
}

impl Server {
    /// Begins to connect. The connections end when this is dropped.
    pub(crate) fn start(setting: Setting) -> Self {
        let Setting { address, place, operation_timeout, metrics, backlog, routing } = setting;
        let spaces = backlog.spaces();
        let health = Arc::new(Health::new(address.to_string(), metrics.clone()));
        let connect = |kind| {
            let (queue, queued) = async_channel::bounded(QUEUED_MAX);
            let worker = Worker {
                kind,
                address: address.clone(),
                place,
                queued,
                health: health.clone(),
                round_trip_timeout: operation_timeout,
                metrics: metrics.clone(),
                backlog: backlog.clone(),
                routing: routing.clone(),
            };
            tokio::spawn(worker.run());
            queue
        };
        let (changes, releases) = (connect(Kind::Changes), connect(Kind::Changes));
        let lookups = connect(Kind::Looks { releases: releases.clone() });
        Self { address, lookups, changes, releases, health, operation_timeout, spaces }
    }

    pub(crate) fn state(&self) -> State {
        self.health.state()
    }

    /// Waits until it is known whether the server can be reached.
    pub(crate) async fn known(&self) {
        self.health.known().await;
    }

    /// Is not used any more, whether it can be reached or not.
    pub(crate) fn retire(&self) {
        self.health.retire();
    }

    /// Forgets every entry of the cache, over connections that are made for that.
    pub(crate) async fn empty(&self) -> Emptied {
        empty(&self.address, self.operation_timeout * QUESTION_TIMEOUTS, &self.spaces).await
    }

    /// As [`Self::empty`]; one that does not list its keys is flushed.
    pub(crate) async fn empty_or_flush(&self) -> Result<(), String> {
        let limit = self.operation_timeout * QUESTION_TIMEOUTS;
        empty_or_flush(&self.address, limit, &self.spaces).await
    }

    /// Queues the operation that `operation` makes and waits for its answer until the deadline.
    pub(crate) async fn call<R>(
        &self,
        operation: impl FnOnce(Reply<R>) -> Operation,
    ) -> Result<R, StoreError> {
        let (reply, mut answer) = oneshot::channel();
        self.queue(operation(reply))?;
        self.hear(&mut answer).await
    }

    /// Looks `key` up as `ask` says. If the caller leaves, or its deadline passes, before it hears that it was
    /// chosen to load or to refresh, another is chosen.
    pub(crate) async fn look_up(&self, key: &Key, ask: Ask) -> Result<Look, StoreError> {
        let (reply, answer) = oneshot::channel();
        let mut awaited = AwaitedLook { server: self, key, answer };
        self.queue(Operation::Lookup(Lookup { key: key.clone(), ask, reply }))?;
        self.hear(&mut awaited.answer).await
    }

    /// Queues the release of `lease`. Nobody waits for it: where it can't be made, the lease lapses by itself.
    pub(crate) fn release(&self, key: &Key, lease: &Lease) {
        let _ = self.queue(Operation::Release { key: key.clone(), lease: *lease, again: true });
    }

    fn queue(&self, operation: Operation) -> Result<(), StoreError> {
        if self.health.state() != State::InService {
            return Err(StoreError::Unavailable);
        }
        let queue = match operation {
            Operation::Lookup(_) | Operation::Read(_) => &self.lookups,
            Operation::Fill { .. } | Operation::Keep { .. } | Operation::Delete { .. } => {
                &self.changes
            }
            Operation::Release { .. } | Operation::PutBack { .. } => &self.releases,
        };
        queue.try_send(operation).map_err(|_| StoreError::Unavailable)
    }

    async fn hear<R>(&self, answer: &mut Answer<R>) -> Result<R, StoreError> {
        match timeout(self.operation_timeout, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(StoreError::NoAnswer),
        }
    }

    /// Waits until the releases that are queued now have been made, or the server is out of service. They are made
    /// when a delete of what nobody stores, queued behind them, is answered.
    pub(crate) async fn released(&self) {
        while self.health.state() == State::InService {
            let (reply, answer) = oneshot::channel();
            let last = Operation::Delete { key: Key::numbered("aside:released", 0), reply };
            if self.releases.send(last).await.is_err() || answer.await.is_ok() {
                return;
            }
        }
    }
}

/// A look that is waited for. An answer that comes when nobody hears it any more is the connection's to give back; one
/// that has come and is not heard is given back when this is dropped.
struct AwaitedLook<'a> {
    server: &'a Server,
    key: &'a Key,
    answer: Answer<Look>,
}

impl Drop for AwaitedLook<'_> {
    fn drop(&mut self) {
        // From here on no answer can come, so that none falls between the two.
        self.answer.close();
        // Otherwise it was heard.
        if let Ok(Ok(look)) = self.answer.try_recv()
            && let Some(give_back) = Operation::give_back(self.key, look)
        {
            let _ = self.server.queue(give_back);
        }
    }
}
