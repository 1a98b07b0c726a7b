//! Work that goes on beside the requests.

mod warm_up;
mod worker;

mod queue;

mod address;
mod message;
mod outage;
mod postgres;
mod redis;
mod sqlite;
mod storage;

pub use address::{Address, InvalidAddress};
pub use queue::{
    ATTEMPTS_MAX, Counts, DEAD_SHOWN_MAX, Dead, Limits, Queue, QueueError, Report, Timing,
};
pub use warm_up::{Attempt, Observer, Outcome, WarmUp};
pub use worker::Worker;
