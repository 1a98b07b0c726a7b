//! What was forgotten where, on its way into the log: behind the answers, and many at once.

use std::{
    collections::HashMap,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::sleep};

use super::Log;
use crate::{cache::Places, users::WriteError};

/// Changes that may wait to be recorded. One more is not, and its key is forgotten once more by a sweep.
const WAITING_MAX: usize = 300_000;

/// Pause after the database could not be written.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// What waits to be recorded.
#[derive(Debug, Default)]
pub(super) struct Recording {
    waiting: Mutex<Waiting>,
    added: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    /// By the positions of changes, the places that have forgotten them.
    forgotten: HashMap<i64, Places>,
    /// By place, up to which change it was emptied.
    emptied: HashMap<u16, i64>,
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

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Records all that comes, for ever. What can't be is tried again.
pub(super) async fn record(log: &Log) {
    loop {
        log.recording.added.notified().await;
        while let Err(error) = record_waiting(log).await {
            tracing::debug!(%error, "what was forgotten can't be recorded yet");
            sleep(RETRY_PAUSE).await;
        }
    }
}

async fn record_waiting(log: &Log) -> Result<(), WriteError> {
    let Waiting { forgotten, emptied } = mem::take(&mut *log.recording.lock());
    let mut by_places: HashMap<Places, Vec<i64>> = HashMap::new();
    for (position, places) in forgotten {
        by_places.entry(places).or_default().push(position);
    }
    let mut result = Ok(());
    for (places, positions) in by_places {
        if result.is_ok() {
            result = log.database.record(log.list(), places, &positions).await;
        }
        if result.is_err() {
            log.recording.add(places, positions);
        }
    }
    for (place, up_to) in emptied {
        if result.is_ok() {
            result = log.database.emptied(log.list(), place, up_to).await;
        }
        if result.is_err() {
            log.recording.emptied(place, up_to);
        }
    }
    result
}
