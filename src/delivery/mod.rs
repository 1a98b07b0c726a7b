//! Delivery: every place that may hold an entry forgets what a committed change has made outdated.
//!
//! The log of changes is in the database ([`database`](crate::database)), and says of each change which servers have not
//! forgotten it yet. A write is forgotten directly, before it is acknowledged. What could not be then is delivered
//! by any process that reaches the server:
//!
//! - a server that is put (back) into service is first told what it has missed ([`Log`] as a [`Backlog`](crate::cache::Backlog));
//! - one that is in service is told by a sweep, soon after a change and each second while anything is missed, whatever
//!   the others are;
//! - a process's own memory is told by following the log.
//!
//! What others have written to tables of their own is noted by triggers there, and comes to the log by a [`Relay`].

mod follow;
mod log;
mod note;
mod record;
mod relay;
mod sweep;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use tokio::task::JoinSet;
use tower::ServiceExt;

use self::note::Note;
pub use self::{
    log::{Log, Notes},
    relay::{KeyOf, Relay},
};
use crate::{
    cache::{Forget, Key, Places, Servers, Store},
    database::{NotReady, Outdated, Unwritten},
};

/// Keys that are forgotten at once: enough to fill round trips, and few beside the lookups.
const FORGOTTEN_AT_ONCE: usize = 256;

/// Carries out what changes ask for. Clones share the tasks beside it, which end with the last of them.
#[derive(Clone)]
pub struct Delivery {
    log: Arc<Log>,
    forget: Forget,
    /// Aborted with the last clone.
    _tasks: Arc<JoinSet<()>>,
}

impl Delivery {
    /// Begins to deliver the changes of `log` to `servers` and to the memory of this process; `forget` forgets in all
    /// of them.
    pub fn start(
        log: Arc<Log>,
        notes: Notes,
        forget: Forget,
        servers: Option<Arc<dyn Servers>>,
    ) -> Self {
        let (mut tasks, delivered) = (JoinSet::new(), log.clone());
        tasks.spawn(async move {
            tokio::join!(
                record::record(&delivered, notes.noted),
                follow::follow(&delivered, notes.watch, servers.as_deref()),
                sweep::sweep(&delivered, servers.as_deref()),
            );
        });
        Self { log, forget, _tasks: Arc::new(tasks) }
    }

    /// Checks that the list of servers which this process uses is still that of the database.
    ///
    /// # Errors
    /// [`NotReady::OtherServers`].
    pub fn in_force(&self) -> Result<(), NotReady> {
        if self.log.is_in_force() { Ok(()) } else { Err(NotReady::OtherServers) }
    }

    /// Forgets the key of a change. `false` if that could not be done everywhere now; it will be.
    pub async fn carry_out(&self, Outdated { change, list }: Outdated) -> bool {
        let left = match self.forget.clone().oneshot(change.key).await {
            Ok(()) => Places::NONE,
            Err(left) => left,
        };
        self.log.note(Note::Forgotten(Places::ALL.without(left), vec![change.position]));
        // The servers of another list are for those to tell who use them.
        left.is_empty() && list == self.log.list()
    }

    /// Forgets the entry of `key` without a write, but notes that it is to be forgotten only if it `may_be` in a cache.
    /// `false` if that could not be done everywhere now; it will be. Goes on to its end even if its caller leaves.
    ///
    /// # Errors
    /// If it could not be done and the database can't be written either.
    pub async fn forget(
        &self,
        key: Key,
        may_be: impl Future<Output = bool> + Send + 'static,
    ) -> Result<bool, Unwritten> {
        let delivery = self.clone();
        let task = tokio::spawn(async move {
            let left = delivery.forget_now(&[key]).await;
            if left.iter().all(|(_, left)| left.is_empty()) || !may_be.await {
                return Ok(true);
            }
            // A sweep, or its return, finds the change.
            delivery.outdate(&left).await?;
            Ok(false)
        });
        task.await.unwrap_or_else(|_| Err(Unwritten::Failed("it panicked".to_owned())))
    }

    /// Forgets the entries of `keys`, as far as that can be done now, and tells which places may still have them.
    pub async fn forget_now(&self, keys: &[Key]) -> Vec<(Key, Places)> {
        let forget = async |key: Key| match self.forget.clone().oneshot(key.clone()).await {
            Ok(()) => (key, Places::NONE),
            Err(left) => (key, left),
        };
        let forgetting = stream::iter(keys.to_vec()).map(forget);
        forgetting.buffer_unordered(FORGOTTEN_AT_ONCE).collect().await
    }

    /// Forgets the entries of `keys` in this process's own memory alone.
    pub async fn forget_here(&self, keys: &[Key]) {
        for key in keys {
            // A memory always does.
            let _ = self.log.memory.forget(key).await;
        }
    }

    /// Notes that the entries of these keys, each of which is there once, are outdated, for the memories of all processes, and
    /// for the places that may still have them.
    ///
    /// # Errors
    /// If that can't be noted, so that it is to be tried again.
    pub async fn outdate(&self, left: &[(Key, Places)]) -> Result<(), Unwritten> {
        self.log.database.outdate(self.log.list(), left).await.map(|_| ())
    }

    /// Counts the changes that some server has not forgotten yet.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn missing(&self) -> sqlx::Result<u64> {
        self.log.database.missing(self.log.places()).await
    }
}
