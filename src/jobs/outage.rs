//! Says once an outage, not once an attempt, that the queue is away.

use std::sync::{Mutex, PoisonError};

use super::error::QueueError;

/// Who finds out whether the queue is away. What a worker needs of it may fail while requests succeed, and the other
/// way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finder {
    Request,
    Worker,
}

/// Whether the log tells that the queue is away, and whose word that is: only they take it back.
#[derive(Debug, Default)]
pub(super) struct Outage(Mutex<Option<Finder>>);

impl Outage {
    /// `finder` could not use the queue at `place`.
    pub(super) fn begin(&self, finder: Finder, place: &str, error: &QueueError) {
        let mut said_by = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if said_by.is_none() {
            tracing::warn!(queue = place, %error, "the queue of jobs is away");
        } else {
            tracing::debug!(queue = place, %error, "the queue of jobs is still away");
        }
        // A worker is the better witness: it tries by itself until the queue is back.
        if *said_by != Some(Finder::Worker) {
            *said_by = Some(finder);
        }
    }

    /// `finder` could use the queue at `place`.
    pub(super) fn end(&self, finder: Finder, place: &str) {
        let mut said_by = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *said_by == Some(finder) {
            *said_by = None;
            tracing::info!(queue = place, "the queue of jobs is back");
        }
    }
}
