//! A place that a queue is kept in, and what it needs of that.

use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;

use super::{
    error::{QueueError, one_line},
    message::Target,
};

/// The outcome of an operation on a storage, or the reason for none.
pub(super) type Result<T, E = QueueError> = std::result::Result<T, E>;

/// A place that keeps jobs, in the order in which they were pushed. Each method opens or creates the place if
/// need be, also while others do the same, and is done whole or not at all.
#[async_trait]
pub(super) trait Storage: Send + Sync {
    /// Stores a job for each of `messages`, or fails as full if more than `waiting_max` would wait then.
    async fn push(&self, messages: Vec<String>, waiting_max: u64) -> Result<()>;

    /// Gives the caller the first job that is due, for as long as `lease`: one whose last lease has lapsed, or
    /// else one that waits.
    async fn claim(&self, lease: Duration) -> Result<Option<Job>>;

    /// Notes what becomes of a job. `false`, and nothing is noted, if the job is not the caller's any more.
    async fn note(&self, job: &Job, next: Next<'_>) -> Result<bool>;

    /// Jobs by state, and of the dead ones so many that died last, the latest first.
    async fn report(&self, shown_max: u32) -> Result<Report>;

    /// Removes the oldest of the done and of the dead jobs beyond so many.
    async fn prune(&self, done_max: u64, dead_max: u64) -> Result<()>;
}

/// A job that a worker has claimed. Its id and the number of the attempt are the claim: a worker that takes the
/// job after the lease has another number.
pub(super) struct Job {
    pub(super) id: String,
    pub(super) message: Vec<u8>,
    pub(super) attempt: i64,
}

/// The next state of a claimed job.
#[derive(Clone, Copy, Debug)]
pub(super) enum Next<'a> {
    /// Its worker goes on with it, and has it for so long from now.
    Running(Duration),
    /// It has succeeded.
    Done,
    /// It has failed, and is tried again after so long.
    Retry(Duration),
    /// It has failed for good, with this error.
    Dead(&'a str),
}

impl Next<'_> {
    /// The state that is stored, for how many milliseconds nobody may claim it, and the error.
    pub(super) fn stored(&self) -> (&'static str, i64, String) {
        match self {
            Self::Running(lease) => ("running", milliseconds(*lease), String::new()),
            Self::Done => ("done", 0, String::new()),
            Self::Retry(pause) => ("queued", milliseconds(*pause), String::new()),
            Self::Dead(error) => ("dead", 0, one_line(error)),
        }
    }
}

/// Whole milliseconds, at most some hundred years: a point of time that far away is still a number.
pub(super) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).min(1 << 42)
}

/// Numbers of jobs in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct JobCounts {
    /// Nobody has tried them yet, or their worker has died.
    pub waiting: i64,
    /// A worker has them.
    pub running: i64,
    /// They have succeeded, and are still remembered.
    pub done: i64,
    /// They have failed and will be tried again.
    pub retrying: i64,
    /// They have failed for good.
    pub dead: i64,
}

/// A job that failed for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dead {
    /// The thing that was to be loaded; absent if the message did not say.
    #[serde(flatten)]
    pub target: Option<Target>,
    /// The number of times that it was tried.
    pub attempts: i64,
    /// Why the last attempt failed: one line, at most 200 characters.
    pub error: String,
}

/// The queue as `GET /jobs` tells of it.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Jobs by state.
    #[serde(flatten)]
    pub counts: JobCounts,
    /// The latest dead jobs.
    pub last_dead: Vec<Dead>,
}

/// The numbers of jobs that are waiting, running, done, retrying and dead.
pub(super) type CountsRow = (i64, i64, i64, i64, i64);

/// The message of a dead job, its attempts and its error.
pub(super) type DeadRow = (Vec<u8>, i64, String);

impl Report {
    pub(super) fn of(counts: CountsRow, last_dead: Vec<DeadRow>) -> Self {
        let (waiting, running, done, retrying, dead) = counts;
        let counts = JobCounts { waiting, running, done, retrying, dead };
        let told = |(message, attempts, error): DeadRow| Dead {
            target: Target::read(&message),
            attempts,
            error: one_line(&error),
        };
        Self { counts, last_dead: last_dead.into_iter().map(told).collect() }
    }
}
