//! Forgets the keys that writes have made outdated: at once, and again until it is done.

use std::{collections::HashMap, time::Duration};

use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};
use tower::ServiceExt;

use crate::{
    cache::{Forget, Key},
    users::{Database, Intent, WriteError},
};

/// Pause between two sweeps. An intent that two sweeps have seen is left over: its writer has died, or
/// could not reach the cache.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);

/// Intents read at once.
const PAGE: u32 = 1000;

/// Fulfilled intents that may wait to be removed. One more is not removed but found by a sweep.
const FULFILLED_MAX: usize = 4096;

/// Carries out the intents of writes. Clones share the sweeper, which ends with the last of them.
#[derive(Clone)]
pub struct Invalidations {
    database: Database,
    forget: Forget,
    fulfilled: mpsc::Sender<Intent>,
}

impl Invalidations {
    /// Begins to sweep `database` for intents that are left over.
    pub fn start(database: Database, forget: Forget) -> Self {
        let (fulfilled, removals) = mpsc::channel(FULFILLED_MAX);
        let invalidations = Self { database, forget, fulfilled };
        tokio::spawn(sweep(invalidations.database.clone(), invalidations.forget.clone(), removals));
        invalidations
    }

    /// Forgets the key of `intent`. `false` if that could not be done now; it will be.
    pub async fn carry_out(&self, intent: Intent) -> bool {
        if self.forget.clone().oneshot(intent.key.clone()).await.is_err() {
            return false;
        }
        // The row is removed behind the answer, together with others': it costs a transaction.
        let _ = self.fulfilled.try_send(intent);
        true
    }

    /// Forgets `key` without a write. `false` if that could not be done now; it is noted then, and will be.
    ///
    /// # Errors
    /// If it could not be done and the database can't be written either.
    pub async fn forget(&self, key: Key) -> Result<bool, WriteError> {
        if self.forget.clone().oneshot(key.clone()).await.is_ok() {
            return Ok(true);
        }
        // The server may be back by now; if not, the note is found by the next sweep.
        let intent = self.database.intend(key).await?;
        Ok(self.carry_out(intent).await)
    }

    /// Tries every intent that is left over from before the start, once.
    ///
    /// # Errors
    /// If the database can't be read or written.
    pub async fn deliver(&self) -> Result<(), WriteError> {
        let left = pending(&self.database).await?;
        deliver(&self.database, &self.forget, left).await
    }
}

/// The keys of all intents that have not been fulfilled.
///
/// # Errors
/// If the database can't be read.
pub async fn pending(database: &Database) -> Result<Vec<Intent>, WriteError> {
    let mut all: Vec<Intent> = Vec::new();
    loop {
        let after = all.last().map_or("", |intent| intent.key.as_str());
        let page = database.intents(after, PAGE).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

async fn deliver(
    database: &Database,
    forget: &Forget,
    intents: Vec<Intent>,
) -> Result<(), WriteError> {
    let mut fulfilled = Vec::new();
    for intent in intents {
        if forget.clone().oneshot(intent.key.clone()).await.is_ok() {
            fulfilled.push(intent);
        }
    }
    if fulfilled.is_empty() {
        return Ok(());
    }
    tracing::info!(keys = fulfilled.len(), "forgot keys that earlier writes had left over");
    database.fulfilled(&fulfilled).await
}

async fn sweep(database: Database, forget: Forget, mut removals: mpsc::Receiver<Intent>) {
    let mut seen: HashMap<Key, i64> = HashMap::new();
    let mut ticks = interval(SWEEP_PAUSE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut batch = Vec::new();
    loop {
        tokio::select! {
            taken = removals.recv_many(&mut batch, FULFILLED_MAX) => {
                if taken == 0 {
                    return;
                }
                // If that fails the rows are swept up later.
                let _ = database.fulfilled(&batch).await;
                batch.clear();
            }
            _ = ticks.tick() => {
                // A database that can't be read has no writes either; `/readyz` tells of it.
                let intents = pending(&database).await.unwrap_or_default();
                let known = |intent: &Intent| seen.get(&intent.key) == Some(&intent.version);
                let left = intents.iter().filter(|intent| known(intent)).cloned().collect();
                let _ = deliver(&database, &forget, left).await;
                seen = intents.into_iter().map(|intent| (intent.key, intent.version)).collect();
            }
        }
    }
}
