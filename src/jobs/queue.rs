//! The durable queue of jobs, on SQLite, PostgreSQL or Redis.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{
    address::{InvalidAddress, shown},
    error::{QueueError, unavailable},
    message::Target,
    outage::{Finder, Outage},
    postgres::PostgresDatabase,
    sqlite::SqliteFile,
    storage::{Job, Next, Report, Result, Storage},
};

/// Dead jobs that a [`Report`] tells of, the latest first.
pub const DEAD_SHOWN_MAX: u32 = 20;

/// The longest that one operation on the queue may take. Past it, the queue counts as unavailable.
const OPERATION_DEADLINE: Duration = Duration::from_secs(5);

/// The most that the queue holds.
#[derive(Clone, Copy, Debug)]
pub struct QueueLimits {
    /// Jobs that may wait, for their first attempt or another one, 1,000,000. One more is refused as
    /// [`QueueError::Full`].
    pub waiting_max: u64,
    /// Jobs that are remembered once they are done, 10,000. The oldest of more are removed.
    pub done_max: u64,
    /// Dead jobs that are kept to be looked at, 100,000. The oldest of more are removed.
    pub dead_max: u64,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self { waiting_max: 1_000_000, done_max: 10_000, dead_max: 100_000 }
    }
}

/// A queue of things to be loaded into the cache. Clones share its connections.
#[derive(Clone)]
pub struct Queue {
    storage: Arc<dyn Storage>,
    place: Arc<str>,
    limits: QueueLimits,
    outage: Arc<Outage>,
}

impl Queue {
    /// The queue at `url`. Nothing is opened yet: that is done by the operation that needs it first, again and
    /// again until it succeeds.
    ///
    /// # Errors
    /// [`InvalidAddress`].
    pub fn new(url: &str, limits: QueueLimits) -> Result<Self, InvalidAddress> {
        let storage = match url.split_once(':') {
            Some(("sqlite", _)) => SqliteFile::new(url).map(shared),
            Some(("postgres" | "postgresql", _)) => PostgresDatabase::new(url).map(shared),
            #[cfg(feature = "redis")]
            Some(("redis" | "rediss", _)) => super::redis::RedisServer::new(url).map(shared),
            #[cfg(not(feature = "redis"))]
            Some(("redis" | "rediss", _)) => return Err(InvalidAddress::WithoutRedis),
            _ => None,
        };
        let storage = storage.ok_or(InvalidAddress::Form)?;
        Ok(Self { storage, place: shown(url)?.into(), limits, outage: Arc::default() })
    }

    /// Its address, without user and password.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Puts the things of `resource` that these name on the queue, in their order, all or none. When this returns they
    /// are stored as safely as the storage does it: an SQLite file is synchronised to the disk.
    ///
    /// # Errors
    /// [`QueueError`]. After a deadline or a lost connection to PostgreSQL or Redis, or in a file that was
    /// moved away meanwhile, they may have been stored nevertheless.
    pub async fn push(&self, resource: &str, ids: &[impl ToString]) -> Result<(), QueueError> {
        let target = |id: String| Target { resource: resource.to_owned(), id };
        let message = |id: &_| target(ToString::to_string(id)).to_string();
        let push = self.storage.push(ids.iter().map(message).collect(), self.limits.waiting_max);
        self.told(Finder::Request, push).await
    }

    /// Jobs by state, and the latest dead ones.
    ///
    /// # Errors
    /// [`QueueError::Unavailable`].
    pub async fn report(&self) -> Result<Report, QueueError> {
        self.told(Finder::Request, self.storage.report(DEAD_SHOWN_MAX)).await
    }

    /// Removes the oldest of the done and dead jobs that are too many.
    ///
    /// # Errors
    /// [`QueueError::Unavailable`]. The log is not told: jobs may be taken all the same.
    pub async fn prune(&self) -> Result<(), QueueError> {
        within(self.storage.prune(self.limits.done_max, self.limits.dead_max)).await
    }

    /// Gives a worker the first job that is due, for as long as `lease`.
    pub(super) async fn claim(&self, lease: Duration) -> Result<Option<Job>, QueueError> {
        self.told(Finder::Worker, self.storage.claim(lease)).await
    }

    /// Notes what becomes of a job. `false` if it is not the caller's any more.
    pub(super) async fn note(&self, job: &Job, next: Next<'_>) -> Result<bool, QueueError> {
        self.told(Finder::Worker, self.storage.note(job, next)).await
    }

    /// The outcome of an operation, once the log has it if it must.
    async fn told<T>(&self, by: Finder, asked: impl Future<Output = Result<T>>) -> Result<T> {
        let outcome = within(asked).await;
        self.outage.note(by, &self.place, outcome.as_ref().err());
        outcome
    }
}

fn shared(storage: impl Storage + 'static) -> Arc<dyn Storage> {
    Arc::new(storage)
}

async fn within<T>(operation: impl Future<Output = Result<T>>) -> Result<T> {
    let late = |_| Err(unavailable("it does not answer"));
    timeout(OPERATION_DEADLINE, operation).await.unwrap_or_else(late)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn anything_else_is_no_address() {
        for text in [
            "",
            "aside.db",
            "sqlite://",
            "sqlite://:memory:",
            "sqlite://a.db?mode=ro",
            "mysql://s3cret@localhost/jobs",
            "redis://host:99999",
            "postgres://host:99999/jobs",
            "http://localhost",
        ] {
            let refused = Queue::new(text, QueueLimits::default()).err().unwrap();
            assert!(!refused.to_string().contains("s3cret"), "{text}");
        }
        Queue::new("sqlite:a.db?mode=rwc", QueueLimits::default()).unwrap();
    }
}
