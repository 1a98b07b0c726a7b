//! What was forgotten where and is not in the log yet.

use std::{
    collections::HashMap,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use crate::cache::Places;

/// Changes that may wait to be recorded. One more is not, and its key is forgotten once more by a sweep.
const WAITING_MAX: usize = 300_000;

/// What waits to be recorded.
#[derive(Debug, Default)]
pub(super) struct Recording {
    waiting: Mutex<Waiting>,
    added: Notify,
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// By the positions of changes, the places that have forgotten them.
    pub(super) forgotten: HashMap<i64, Places>,
    /// By place, up to which change it was emptied.
    pub(super) emptied: HashMap<u16, i64>,
}

impl Recording {
    /// Records soon that `places` have forgotten these changes.
    pub(super) fn add(&self, places: Places, positions: impl IntoIterator<Item = i64>) {
        let mut waiting = self.lock();
        for position in positions {
            let before = waiting.forgotten.get(&position).copied().unwrap_or_default();
            if waiting.forgotten.len() < WAITING_MAX || !before.is_empty() {
                waiting.forgotten.insert(position, before.with(places));
            }
        }
        drop(waiting);
        self.added.notify_one();
    }

    /// Records soon that `place` was emptied after the change `up_to`.
    pub(super) fn emptied(&self, place: u16, up_to: i64) {
        self.lock().emptied.insert(place, up_to);
        self.added.notify_one();
    }

    /// Waits until something was added since the last wait.
    pub(super) async fn added(&self) {
        self.added.notified().await;
    }

    /// Takes all that waits.
    pub(super) fn take(&self) -> Waiting {
        mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
