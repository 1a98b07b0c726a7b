//! Brings the notes into the log: behind the answers, and many at once.

use std::{collections::HashMap, iter, time::Duration};

use tokio::{sync::mpsc::Receiver, time::sleep};

use super::{Log, note::Note};
use crate::{cache::Places, database::Unwritten};

/// Notes that are taken at once, first and after those that come meanwhile.
const TOGETHER_MAX: usize = 1_000;

/// Time that a note waits for others to be recorded with: shorter than others leave a change to its writer.
const GATHERED_FOR: Duration = Duration::from_millis(25);

/// Pause after the database could not be written.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Notes after which the log is pruned.
const PRUNED_AFTER: usize = 1_000;

/// Records all that comes, for ever. What can't be is tried again.
pub(super) async fn record(log: &Log, mut notes: Receiver<Note>) {
    let (mut waiting, mut recorded) = (Vec::new(), PRUNED_AFTER);
    while notes.recv_many(&mut waiting, TOGETHER_MAX).await > 0 {
        sleep(GATHERED_FOR).await;
        waiting.extend(iter::from_fn(|| notes.try_recv().ok()).take(TOGETHER_MAX));
        while let Err(error) = record_together(log, &waiting).await {
            tracing::debug!(%error, "what was forgotten can't be recorded yet");
            sleep(RETRY_PAUSE).await;
        }
        recorded += waiting.len();
        waiting.drain(..).for_each(|note| log.recorded(&note));
        if recorded >= PRUNED_AFTER && log.database.prune(log.places()).await.is_ok() {
            recorded = 0;
        }
    }
}

async fn record_together(log: &Log, notes: &[Note]) -> Result<(), Unwritten> {
    let mut by_places: HashMap<Places, Vec<i64>> = HashMap::new();
    for note in notes {
        match note {
            Note::Forgotten(places, positions) => {
                by_places.entry(*places).or_default().extend(positions);
            }
            Note::Emptied(place, up_to) => {
                log.database.emptied(log.list(), *place, *up_to).await?;
            }
        }
    }
    for (places, positions) in by_places {
        log.database.record(log.list(), places, &positions).await?;
    }
    Ok(())
}
