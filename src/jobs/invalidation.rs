//! Forgets the keys that writes have made outdated: at once, and again until it is done.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use tokio::{sync::mpsc, time::sleep};
use tower::ServiceExt;

use crate::{
    cache::{Forget, Key},
    users::{Database, Intent, WriteError},
};

/// Pause between two sweeps. An intent that two sweeps have seen is left over: its writer has died, or
/// could not reach the cache.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);

/// Intents for which one pause is enough. For each so many more the next sweep comes one pause later, so that a
/// long outbox leaves the one connection that writes, by which it is read, to those who write.
const INTENTS_PER_PAUSE: usize = 10_000;

/// Intents read at once, and removed in one transaction.
const PAGE: u32 = 1000;

/// Keys that a sweep forgets at once: enough to keep a connection busy, and few beside the lookups.
const FORGOTTEN_AT_ONCE: usize = 64;

/// Fulfilled intents that may wait to be removed. One more is not removed but found by a sweep.
const FULFILLED_MAX: usize = 4096;

/// Tells whether every place of a key is in service.
pub type InService = Arc<dyn Fn(&Key) -> bool + Send + Sync>;

/// Carries out the intents of writes. Clones share the sweeper, which ends with the last of them.
#[derive(Clone)]
pub struct Invalidations {
    database: Database,
    forget: Forget,
    fulfilled: mpsc::Sender<Intent>,
}

impl Invalidations {
    /// Begins to sweep `database` for intents that are left over. One that could not be carried out is tried
    /// again only where its key is `in_service`.
    pub fn start(database: Database, forget: Forget, in_service: InService) -> Self {
        let (fulfilled, removals) = mpsc::channel(FULFILLED_MAX);
        let removing = remove(database.clone(), removals);
        let sweeping = sweep(database.clone(), forget.clone(), in_service);
        tokio::spawn(async move {
            tokio::select! {
                () = removing => {}
                () = sweeping => {}
            }
        });
        Self { database, forget, fulfilled }
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
    mut intents: Vec<Intent>,
) -> Result<(), WriteError> {
    let attempt = |intent: Intent| {
        let forgotten = forget.clone().oneshot(intent.key.clone());
        async move { forgotten.await.is_ok().then_some(intent) }
    };
    while !intents.is_empty() {
        let page = intents.split_off(intents.len().saturating_sub(PAGE as usize));
        let attempts: Vec<_> = page.into_iter().map(attempt).collect();
        let ended = stream::iter(attempts).buffer_unordered(FORGOTTEN_AT_ONCE);
        let ended: Vec<Option<Intent>> = ended.collect().await;
        let fulfilled: Vec<_> = ended.into_iter().flatten().collect();
        if !fulfilled.is_empty() {
            tracing::info!(keys = fulfilled.len(), "forgot keys that earlier writes had left over");
            database.fulfilled(&fulfilled).await?;
        }
    }
    Ok(())
}

/// Removes what has been carried out, until there is nobody left who carries anything out.
async fn remove(database: Database, mut removals: mpsc::Receiver<Intent>) {
    let mut batch = Vec::new();
    while removals.recv_many(&mut batch, FULFILLED_MAX).await > 0 {
        // If that fails the rows are swept up later.
        let _ = database.fulfilled(&batch).await;
        batch.clear();
    }
}

/// An intent that a sweep has seen.
struct Seen {
    version: i64,
    tried: bool,
}

async fn sweep(database: Database, forget: Forget, in_service: InService) {
    let mut seen = HashMap::new();
    loop {
        // A database that can't be read has no writes either; `/readyz` tells of it.
        if let Ok(intents) = pending(&database).await {
            let left = left_over(intents, &mut seen, &*in_service);
            let _ = deliver(&database, &forget, left).await;
        }
        let pauses = 1 + seen.len() / INTENTS_PER_PAUSE;
        sleep(SWEEP_PAUSE * u32::try_from(pauses).unwrap_or(u32::MAX)).await;
    }
}

/// Of these intents those that are to be tried now, and all of them as `seen`.
///
/// Each is tried once, whatever is in service: its writer may have died before it could forget anything. To try
/// again while a place of the key is away would delete, each time, what the other place was filled with since;
/// and the one that is away forgets the key by itself before it is used.
fn left_over(
    intents: Vec<Intent>,
    seen: &mut HashMap<Key, Seen>,
    in_service: impl Fn(&Key) -> bool,
) -> Vec<Intent> {
    let (mut left, mut now) = (Vec::new(), HashMap::with_capacity(intents.len()));
    for intent in intents {
        let before = seen.get(&intent.key).filter(|seen| seen.version == intent.version);
        let is_due = before.is_some_and(|seen| !seen.tried || in_service(&intent.key));
        let tried = is_due || before.is_some_and(|seen| seen.tried);
        now.insert(intent.key.clone(), Seen { version: intent.version, tried });
        if is_due {
            left.push(intent);
        }
    }
    *seen = now;
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_tries_what_another_has_seen_and_tries_again_only_where_it_can_succeed() {
        let (key, mut seen) = (Key::numbered("user", 1), HashMap::new());
        let mut sweep = |version, in_service| {
            let intents = vec![Intent { key: key.clone(), version }];
            left_over(intents, &mut seen, |_| in_service).len()
        };
        assert_eq!(sweep(1, true), 0, "its writer may be about to carry it out");
        assert_eq!(sweep(1, false), 1, "its writer may have died");
        assert_eq!((sweep(1, false), sweep(1, false)), (0, 0), "a place of it is away");
        assert_eq!((sweep(1, true), sweep(1, true)), (1, 1), "it may be a single time-out");
        assert_eq!((sweep(2, false), sweep(2, false), sweep(2, false)), (0, 1, 0), "a later write");
        left_over(Vec::new(), &mut seen, |_| true);
        assert!(seen.is_empty(), "what has been forgotten is not remembered");
    }
}
