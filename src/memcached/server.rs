//! One server: a queue for the lookups of each core, one for changes and one for releases, and a connection that works
//! each.
//!
//! All lookups of a core share one connection, so that under load they share round trips, too: with two, the batches
//! are half as long and memcached has more to do for the same hits. Changes have a connection of their own, so
//! that a fill of a megabyte holds no lookup up; and so have releases, so that a burst of loads that are
//! refused, each of which gives its lease back, holds no fill up.

use std::sync::Arc;

use tokio::{
    sync::{
        mpsc::{Sender, WeakSender, channel},
        oneshot,
    },
    time::timeout,
};

use super::{
    breaker::State,
    connection,
    operation::{Changing, Queued, Reading, Reply, Said, Seen, Wanted},
    peer::Peer,
};
use crate::{
    cache::{Key, Lease, StoreError, Value},
    cores::{Cores, own},
};

/// Operations that may wait for each connection. One more is answered "unavailable" at once.
const QUEUED_MAX: usize = 8192;

/// A memcached server as its callers see it.
pub(crate) struct Server {
    pub(crate) peer: Arc<Peer>,
    /// One for each core.
    lookups: Box<[Sender<Queued<Reading>>]>,
    changes: Sender<Queued<Changing>>,
    releases: Sender<Queued<Changing>>,
}

impl Server {
    /// Begins to connect to the `peer` that is told the queue of releases. The connections end when this is dropped.
    pub(crate) fn start(
        cores: &Cores,
        peer: impl FnOnce(WeakSender<Queued<Changing>>) -> Peer,
    ) -> Self {
        let (changes, changed) = channel(QUEUED_MAX);
        let (releases, released) = channel(QUEUED_MAX);
        let peer = Arc::new(peer(releases.downgrade()));
        tokio::spawn(connection::run(peer.clone(), changed, connection::changes));
        tokio::spawn(connection::run(peer.clone(), released, connection::changes));
        let lookups = cores.handles().iter().map(|core| {
            let (lookups, looked_up) = channel(QUEUED_MAX);
            core.spawn(connection::run(peer.clone(), looked_up, connection::gets));
            lookups
        });
        let lookups = lookups.collect();
        Self { peer, lookups, changes, releases }
    }

    pub(crate) fn state(&self) -> State {
        self.peer.breaker.state()
    }

    /// Reads `key`; `None` if nothing is there.
    pub(crate) async fn get(&self, key: &Key, wanted: Wanted) -> Result<Option<Seen>, StoreError> {
        let lookups = own(&self.lookups).ok_or(StoreError::Unavailable)?;
        self.call(lookups, |reply| Reading { key: key.clone(), wanted, reply }).await
    }

    /// Stores `value` under `key`, or removes what is there, if `lease` still holds or is none. Whoever writes waits no
    /// longer than the deadline, whatever is carried out before: what is left then is delivered later.
    pub(crate) async fn change(
        &self,
        key: &Key,
        lease: Option<Lease>,
        value: Option<Value>,
    ) -> Result<Said, StoreError> {
        let (key, again) = (key.clone(), false);
        let changing = |reply| Changing { key, lease, value, reply: Some(reply), again };
        let said = timeout(self.peer.operation_timeout, self.call(&self.changes, changing)).await;
        said.unwrap_or(Err(StoreError::NoAnswer))
    }

    /// Removes `key`, whatever it holds, and says whether it was there.
    pub(crate) async fn remove(&self, key: &Key) -> Result<bool, StoreError> {
        match self.change(key, None, None).await? {
            Said::Done => Ok(true),
            Said::NotFound | Said::Exists => Ok(false),
            _ => Err(StoreError::Refused),
        }
    }

    /// Queues the release of `lease`. Nobody waits for it: where it can't be made, the lease lapses by itself.
    pub(crate) fn release(&self, key: &Key, lease: &Lease) {
        if self.state() == State::InService {
            let _ = self.releases.try_send(Queued::now(Changing::giving_back(key, lease, None)));
        }
    }

    /// Waits until the releases that are queued now have been made, or the server is out of service. They are made
    /// when a delete of what nobody stores, queued behind them, is answered.
    pub(crate) async fn released(&self) {
        while self.state() == State::InService {
            let (reply, said) = oneshot::channel();
            let (key, reply) = (Key::numbered("aside:released", 0), Some(reply));
            let last = Changing { key, lease: None, value: None, reply, again: false };
            if self.releases.send(Queued::now(last)).await.is_err() || said.await.is_ok() {
                return;
            }
        }
    }

    /// Queues the operation that `operation` makes and waits for its answer. The task of the connection sees to it that
    /// this ends, so that a hit needs no timer of its own.
    async fn call<O, R>(
        &self,
        queue: &Sender<Queued<O>>,
        operation: impl FnOnce(Reply<R>) -> O,
    ) -> Result<R, StoreError> {
        if self.state() != State::InService {
            return Err(StoreError::Unavailable);
        }
        let (reply, answer) = oneshot::channel();
        let queued = Queued::now(operation(reply));
        queue.try_send(queued).map_err(|_| StoreError::Unavailable)?;
        answer.await.map_err(|_| StoreError::NoAnswer)
    }
}
