//! What `/cache` does: explains an entry, and forgets all of them.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::places;
use crate::{
    cache::{Explanation, Key, Memory},
    http::{CacheControl, Held, Unfinished},
    memcached::{Emptied, Inspector, Memcached},
};

/// How long it may take to forget everything. Past it the answer says that it may not be all.
const FORGET_ALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Where the entries are.
pub(super) struct Places {
    pub(super) inspector: Option<Inspector>,
    pub(super) memory: Memory,
    pub(super) memcached: Option<Memcached>,
    pub(super) kept_stale_s: u32,
}

/// The control of all these places.
pub(super) fn control(places: Places) -> CacheControl {
    let places = Arc::new(places);
    let explained = places.clone();
    CacheControl {
        explain: Box::new(move |key| {
            let places = explained.clone();
            Box::pin(async move { places.explain(&key).await })
        }),
        forget_all: Box::new(move || {
            let places = places.clone();
            // A task of its own: a client that leaves does not stop it half-way.
            let task = tokio::spawn(async move { places.forget_all().await });
            Box::pin(async move { task.await.unwrap_or(Err(Unfinished { forgotten: 0 })) })
        }),
    }
}

impl Places {
    async fn explain(&self, key: &Key) -> Held {
        let memory = self.memory.item(key);
        let memory = memory.map(|item| Explanation::of(Some(item), self.kept_stale_s));
        let servers = match &self.inspector {
            Some(inspector) => places::explain(inspector, key, self.kept_stale_s).await,
            None => Vec::new(),
        };
        Held { key: key.to_string(), servers, memory }
    }

    /// Forgets every entry of every source: what the servers list, and this process's own memory.
    async fn forget_all(&self) -> Result<u64, Unfinished> {
        let held = self.memory.clear();
        let Some(memcached) = &self.memcached else { return Ok(held.try_into().unwrap_or(0)) };
        let emptied = timeout(FORGET_ALL_TIMEOUT, memcached.empty_all()).await;
        let Ok(emptied) = emptied else { return Err(Unfinished { forgotten: 0 }) };
        let forgotten = emptied.iter().map(|(_, emptied)| emptied.forgotten).sum();
        let mut is_whole = true;
        for (server, Emptied { failure, .. }) in emptied {
            if let Some(error) = failure {
                tracing::warn!(%server, %error, "entries can't be listed");
                is_whole = false;
            }
        }
        if is_whole { Ok(forgotten) } else { Err(Unfinished { forgotten }) }
    }
}
