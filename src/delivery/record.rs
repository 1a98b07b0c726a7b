//! What was forgotten where, on its way into the log: behind the answers, and many at once.

use std::{collections::HashMap, time::Duration};

use tokio::time::sleep;

use super::{Log, recording::Waiting};
use crate::{cache::Places, database::Unwritten};

/// Pause after the database could not be written.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Records all that comes, for ever. What can't be is tried again.
pub(super) async fn record(log: &Log) {
    loop {
        log.recording.added().await;
        while let Err(error) = record_waiting(log).await {
            tracing::debug!(%error, "what was forgotten can't be recorded yet");
            sleep(RETRY_PAUSE).await;
        }
    }
}

async fn record_waiting(log: &Log) -> Result<(), Unwritten> {
    let Waiting { forgotten, emptied } = log.recording.take();
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
