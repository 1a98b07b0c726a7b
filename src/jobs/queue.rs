//! The durable queue of jobs, on SQLite, PostgreSQL or Redis: apalis, and what apalis leaves open.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde::Serialize;
use tokio::time::timeout;
use ulid::{Generator, Ulid};
use utoipa::ToSchema;

use super::{
    Address,
    message::Message,
    outage::{Finder, Outage},
    postgres::PostgresQueue,
    redis::RedisQueue,
    sqlite::SqliteQueue,
    storage::{Heartbeat, Rest, Source, Storage},
};

/// What the jobs are called in the tables of apalis, so that others can share them.
pub(super) const NAME: &str = "warm-ups";

/// Attempts at one job, a worker that died of it included. After the last it is dead: nobody takes it any
/// more, and [`Report`] shows it.
pub const ATTEMPTS_MAX: usize = 5;

/// Dead jobs that a [`Report`] tells of, the latest first.
pub const DEAD_SHOWN_MAX: u32 = 20;

/// Longest error that a [`Report`] tells, in characters; the rest is cut off.
const ERROR_CHARACTERS_MAX: usize = 200;

/// How long one operation on the queue may take. Past it, the queue counts as unavailable.
const OPERATION_DEADLINE: Duration = Duration::from_secs(5);

/// When a worker or a job is given up.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How long a worker may be silent until its job is given to another; whole seconds, at least 3.
    pub lease: Duration,
    /// Pause before the second attempt at a job; doubled with each further one.
    pub retry: Duration,
}

/// How much the queue holds.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Jobs that may wait, 1,000,000. One more is refused as [`QueueError::Full`].
    pub waiting_max: u64,
    /// Jobs that are remembered once they are done, 10,000. The oldest of more are removed.
    pub done_max: u64,
    /// Dead jobs that are kept to be looked at, 100,000. The oldest of more are removed.
    pub dead_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { waiting_max: 1_000_000, done_max: 10_000, dead_max: 100_000 }
    }
}

/// Why the queue did not do it. Nothing was stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// So many jobs wait already that these would be too many.
    #[error("the queue is full")]
    Full,
    /// The queue can't be reached or written. One line, without a password.
    #[error("the queue is unavailable: {0}")]
    Unavailable(String),
}

/// How many jobs there are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Counts {
    /// Nobody has tried them yet, or their worker has died.
    pub waiting: u64,
    /// A worker has them.
    pub running: u64,
    /// They have succeeded, and are still remembered.
    pub done: u64,
    /// They have failed and will be tried again.
    pub retrying: u64,
    /// They have failed for good.
    pub dead: u64,
}

/// A job that failed for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Dead {
    /// The user that was to be loaded; nobody if the message did not say.
    #[schema(required)]
    pub user: Option<i64>,
    /// How often it was tried.
    pub attempts: i64,
    /// Why the last attempt failed: one line, at most 200 characters.
    pub error: String,
}

/// What `GET /jobs` tells of the queue.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Report {
    /// Jobs by state.
    #[serde(flatten)]
    pub counts: Counts,
    /// The latest dead jobs.
    pub last_dead: Vec<Dead>,
}

/// A queue of users to be loaded into the cache. Clones share its connections.
#[derive(Clone)]
pub struct Queue(Arc<Inner>);

struct Inner {
    store: Store,
    place: String,
    timing: Timing,
    limits: Limits,
    outage: Outage,
}

enum Store {
    Sqlite(SqliteQueue),
    Postgres(PostgresQueue),
    Redis(RedisQueue),
}

/// Runs one expression on whichever store it is, with the deadline of an operation.
macro_rules! on_store {
    ($queue:expr, $store:ident => $operation:expr) => {
        match &$queue.0.store {
            Store::Sqlite($store) => within($operation).await,
            Store::Postgres($store) => within($operation).await,
            Store::Redis($store) => within($operation).await,
        }
    };
}

impl Counts {
    pub(super) fn of(rows: Vec<(String, i64)>) -> Self {
        let count = |state: &str| {
            let row = rows.iter().find(|(name, _)| name == state);
            row.map_or(0, |(_, count)| count.unsigned_abs())
        };
        Self {
            waiting: count("waiting"),
            running: count("running"),
            done: count("done"),
            retrying: count("retrying"),
            dead: count("dead"),
        }
    }
}

impl Dead {
    /// Of the message, the attempts, and what apalis has noted as the result.
    pub(super) fn of((message, attempts, result): (Vec<u8>, i64, String)) -> Self {
        Self { user: Message::read(&message).user(), attempts, error: noted_error(&result) }
    }
}

impl Queue {
    /// The queue at `address`. Nothing is opened yet: that is done by whatever needs it first, again and
    /// again until it succeeds.
    pub fn new(address: &Address, timing: Timing, limits: Limits) -> Self {
        let store = match address {
            Address::Sqlite(options) => Store::Sqlite(SqliteQueue::new(options)),
            Address::Postgres(options) => Store::Postgres(PostgresQueue::new(options)),
            Address::Redis(client) => Store::Redis(RedisQueue::new(client)),
        };
        let place = address.to_string();
        Self(Arc::new(Inner { store, place, timing, limits, outage: Outage::default() }))
    }

    /// Where it is, without user and password.
    pub fn place(&self) -> &str {
        &self.0.place
    }

    /// Creates the tables if they are not there. Any number of processes may do so at once. If they were
    /// there, and are in a file, this looks whether it still is.
    ///
    /// # Errors
    /// [`QueueError::Unavailable`].
    pub async fn open(&self) -> Result<(), QueueError> {
        on_store!(self, store => store.open())
    }

    /// Puts `users` on the queue, in their order, all or none. When this returns they are stored as safely
    /// as the store does it: an SQLite file is synchronised to the disk.
    ///
    /// # Errors
    /// [`QueueError`]. After a deadline or a lost connection to PostgreSQL or Redis, or in a file that was
    /// moved away meanwhile, they may have been stored nevertheless.
    pub async fn push(&self, users: &[i64]) -> Result<(), QueueError> {
        self.told(on_store!(self, store => store.push(users, self.0.limits.waiting_max)))
    }

    /// Jobs by state.
    ///
    /// # Errors
    /// [`QueueError::Unavailable`].
    pub async fn counts(&self) -> Result<Counts, QueueError> {
        self.told(on_store!(self, store => store.counts()))
    }

    /// Jobs by state, and the latest dead ones.
    ///
    /// # Errors
    /// [`QueueError::Unavailable`].
    pub async fn report(&self) -> Result<Report, QueueError> {
        let counts = self.counts().await?;
        let last_dead = self.told(on_store!(self, store => store.last_dead(DEAD_SHOWN_MAX)))?;
        Ok(Report { counts, last_dead })
    }

    /// Removes the oldest of the done and dead jobs that are too many.
    ///
    /// # Errors
    /// [`QueueError::Unavailable`].
    pub async fn prune(&self) -> Result<(), QueueError> {
        let Limits { done_max, dead_max, .. } = self.0.limits;
        on_store!(self, store => store.prune(done_max, dead_max))
    }

    /// Lets nobody take the job before `pause` has passed, should it fail now.
    pub(super) async fn postpone(&self, job: &str, worker: &str, pause: Duration) {
        // If this fails the job is tried again sooner, or the acknowledgement fails as well.
        let _ = on_store!(self, store => store.postpone(job, worker, pause));
    }

    /// Puts aside the rows that apalis can't read: each would end every worker that meets it.
    pub(super) async fn put_unreadable_aside(&self) -> Result<(), QueueError> {
        on_store!(self, store => store.put_unreadable_aside())
    }

    /// What a worker takes jobs from, and rests after each as `rest` says.
    pub(super) async fn storage(&self, rest: Rest) -> Result<Storage, QueueError> {
        let heartbeat = Heartbeat::of(self.0.timing.lease);
        let storage = match &self.0.store {
            Store::Sqlite(store) => Source::Sqlite(within(store.storage(heartbeat)).await?),
            Store::Postgres(store) => Source::Postgres(store.storage(heartbeat)),
            Store::Redis(store) => Source::Redis(store.storage(heartbeat).await?),
        };
        Ok(Storage::new(storage, rest))
    }

    pub(super) fn timing(&self) -> Timing {
        self.0.timing
    }

    /// Its worker could not use it.
    pub(super) fn failed(&self, error: &QueueError) {
        self.0.outage.begin(Finder::Worker, &self.0.place, error);
    }

    /// Its worker can use it.
    pub(super) fn works(&self) {
        self.0.outage.end(Finder::Worker, &self.0.place);
    }

    /// What came of a request, once the log has it if it must.
    fn told<T>(&self, outcome: Result<T, QueueError>) -> Result<T, QueueError> {
        let Inner { outage, place, .. } = &*self.0;
        match &outcome {
            Ok(_) | Err(QueueError::Full) => outage.end(Finder::Request, place),
            Err(error) => outage.begin(Finder::Request, place, error),
        }
        outcome
    }
}

async fn within<T>(
    operation: impl Future<Output = Result<T, QueueError>>,
) -> Result<T, QueueError> {
    let late = |_| Err(QueueError::Unavailable("it does not answer".to_owned()));
    timeout(OPERATION_DEADLINE, operation).await.unwrap_or_else(late)
}

/// Ids for so many jobs, each greater than all before it in this process: jobs of one second are taken in
/// the order of their ids. (Those that apalis draws by itself are in no order within a millisecond.)
pub(super) fn ids(count: usize) -> Vec<Ulid> {
    static IDS: Mutex<Generator> = Mutex::new(Generator::new());
    let mut ids = IDS.lock().unwrap_or_else(PoisonError::into_inner);
    let mut next =
        || ids.generate().unwrap_or_else(|overflow| overflow.commit_overflow_increment());
    (0..count).map(|_| next()).collect()
}

/// What is wrong, fit for a log: one line.
pub(super) fn unavailable(error: impl ToString) -> QueueError {
    QueueError::Unavailable(one_line(&error.to_string()))
}

/// The error that apalis has noted as the `result` of a job.
fn noted_error(result: &str) -> String {
    let error = serde_json::from_str::<Result<serde_json::Value, String>>(result);
    let error = match &error {
        Ok(Err(error)) => error.strip_prefix("AbortError: ").unwrap_or(error),
        _ => result,
    };
    one_line(error)
}

fn one_line(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .take(ERROR_CHARACTERS_MAX)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_only_ever_grow() {
        let ids: Vec<Ulid> = (0..10).flat_map(|_| ids(1000)).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn a_noted_error_is_one_short_line() {
        assert_eq!(noted_error(r#"{"Err":"AbortError: a\nb"}"#), "a b");
        assert_eq!(noted_error(r#"{"Err":"plain"}"#), "plain");
        assert_eq!(noted_error("\u{1b}[31mno JSON"), " [31mno JSON");
        assert_eq!(noted_error(&"x".repeat(1000)).len(), ERROR_CHARACTERS_MAX);
    }
}
