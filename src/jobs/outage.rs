//! Says once an outage, not once an attempt, that the queue is away.

use std::sync::{Mutex, PoisonError};

use super::error::QueueError;

/// A finder of an outage. What a worker needs of the queue may fail while requests succeed, and the other way round. A
/// worker is the better witness: it tries by itself until the queue is back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Finder {
    Request,
    Worker,
}

/// The finder on whose word the log says that the queue is away: only that one takes it back.
#[derive(Debug, Default)]
pub(super) struct Outage(Mutex<Option<Finder>>);

impl Outage {
    /// `finder` has used the queue at `place`, or could not.
    pub(super) fn note(&self, finder: Finder, place: &str, error: Option<&QueueError>) {
        let mut said_by = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(error @ QueueError::Unavailable(_)) = error {
            if said_by.is_none() {
                tracing::warn!(queue = place, %error, "the queue of jobs is away");
            } else {
                tracing::debug!(queue = place, %error, "the queue of jobs is still away");
            }
            *said_by = said_by.max(Some(finder));
        } else if *said_by == Some(finder) {
            *said_by = None;
            tracing::info!(queue = place, "the queue of jobs is back");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_better_witness_of_an_outage_takes_it_back() {
        let outage = Outage::default();
        let away = QueueError::Unavailable("it does not answer".to_owned());
        for (finder, error, said_by) in [
            (Finder::Request, Some(&away), Some(Finder::Request)),
            (Finder::Worker, None, Some(Finder::Request)),
            (Finder::Worker, Some(&away), Some(Finder::Worker)),
            (Finder::Request, Some(&away), Some(Finder::Worker)),
            (Finder::Request, Some(&QueueError::Full), Some(Finder::Worker)),
            (Finder::Worker, None, None),
            (Finder::Request, Some(&QueueError::Full), None),
        ] {
            outage.note(finder, "sqlite://a.db", error);
            assert_eq!(*outage.0.lock().unwrap(), said_by);
        }
    }
}
