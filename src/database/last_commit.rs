//! The age of this process's last commit that others hear of.

use std::{sync::Mutex, time::Duration};

use tokio::time::Instant;

/// Time after a commit of this process in which another tells nobody: all who have heard of that one look by themselves, for
/// longer than this (`postgres::Ear`).
const HEARD_FOR: Duration = Duration::from_secs(1);

/// The last commit of this process that others hear of.
#[derive(Debug, Default)]
pub(super) struct LastCommit(Mutex<Option<Instant>>);

impl LastCommit {
    /// True if it was so lately that all who have heard of it still look by themselves.
    pub(super) fn is_heard(&self) -> bool {
        self.0.lock().is_ok_and(|at| at.is_some_and(|at| at.elapsed() < HEARD_FOR))
    }

    /// Takes note of one that was asked for at this moment: the answer may have come late, and others have heard of it before.
    pub(super) fn began(&self, at: Instant) {
        // Nothing panics while it holds the lock.
        if let Ok(mut last) = self.0.lock() {
            *last = Some(at);
        }
    }
}
