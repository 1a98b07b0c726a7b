//! Work that goes on beside the requests.

mod worker;

mod warm_up;

mod queue;

mod outage;
mod postgres;
#[cfg(feature = "redis")]
mod redis;
mod sqlite;
mod table;

mod storage;

mod address;
mod error;
mod message;

pub use address::InvalidAddress;
pub use error::QueueError;
pub use message::{Target, UNNAMED};
pub use queue::{DEAD_SHOWN_MAX, Queue, QueueLimits};
pub use storage::{Dead, JobCounts, Report};
pub use warm_up::{ATTEMPTS_MAX, Attempt, Observer, Outcome, Timing, WarmUp};
pub use worker::work;
