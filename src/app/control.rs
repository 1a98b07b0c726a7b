//! What `/cache` does: explains an entry, and forgets all of them.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use tokio::time::{Instant, sleep_until, timeout};
use tower::ServiceExt;

use super::places;
use crate::{
    cache::{Explanation, Forget, Key, Memory},
    calculations,
    http::{CacheControl, Held, Unfinished},
    memcached::{Address, Inspector},
    users,
};

/// The first parts of all keys that are the cache's own. Sessions are not among them.
const SPACES: &[&str] = &[users::SPACE, calculations::SPACE];

/// Keys that are forgotten at once: enough to keep a connection busy, and few beside the lookups.
const FORGOTTEN_AT_ONCE: usize = 64;

/// Keys taken from a listing at once.
const BATCH: usize = 1024;

/// Times that a server is asked to list its keys until it lists none. Past it, what is found was stored meanwhile.
const LISTINGS_MAX: usize = 8;

/// After this time, everything is listed once more. memcached 1.6 leaves out of a listing what its maintenance
/// thread holds, such as an entry that was read a moment ago, and that thread sleeps for a second at most.
const SETTLING: Duration = Duration::from_millis(1500);

/// How long it may take to forget everything. Past it the answer says how much was forgotten.
const FORGET_ALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Where the entries are.
pub(super) struct Places {
    pub(super) inspector: Option<Inspector>,
    pub(super) memory: Memory,
    pub(super) forget: Forget,
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
        let memory = self.memory.sight(key);
        let memory = memory.map(|sight| Explanation::of(Some(sight), self.kept_stale_s));
        let servers = match &self.inspector {
            Some(inspector) => places::explain(inspector, key, self.kept_stale_s).await,
            None => Vec::new(),
        };
        Held { key: key.to_string(), servers, memory }
    }

    /// Forgets every entry of every source: what the servers list, key by key, and this process's own memory.
    async fn forget_all(&self) -> Result<u64, Unfinished> {
        let held = self.memory.clear();
        let Some(inspector) = &self.inspector else { return Ok(held.try_into().unwrap_or(0)) };
        let mut forgotten = 0;
        let begun_at = Instant::now();
        let all = timeout(FORGET_ALL_TIMEOUT, async {
            let mut complete = false;
            for listed_at in [begun_at, begun_at + SETTLING] {
                sleep_until(listed_at).await;
                complete = true;
                for address in inspector.servers() {
                    complete &= self.forget_on(inspector, address, &mut forgotten).await;
                }
            }
            complete
        });
        if all.await == Ok(true) { Ok(forgotten) } else { Err(Unfinished { forgotten }) }
    }

    /// Forgets what one server lists, until it lists nothing any more. `false` if it can't list, or if what it
    /// lists can't be forgotten.
    async fn forget_on(
        &self,
        inspector: &Inspector,
        address: &Address,
        forgotten: &mut u64,
    ) -> bool {
        let mut last = Listing::default();
        for _ in 0..LISTINGS_MAX {
            last = self.forget_listed(inspector, address).await;
            *forgotten += last.forgotten;
            if last.is_cut_short || last.found == 0 {
                break;
            }
        }
        !last.is_cut_short && last.found == last.forgotten
    }

    /// Forgets what one server lists, while it lists it.
    async fn forget_listed(&self, inspector: &Inspector, address: &Address) -> Listing {
        let (mut keys, mut batch) = (inspector.keys(address, SPACES), Vec::new());
        let mut listing = Listing::default();
        while keys.recv_many(&mut batch, BATCH).await > 0 {
            let mut found = Vec::with_capacity(batch.len());
            for listed in batch.drain(..) {
                match listed {
                    Ok(key) => found.push(key),
                    Err(error) => {
                        tracing::warn!(server = %address, %error, "entries can't be listed");
                        listing.is_cut_short = true;
                    }
                }
            }
            listing.found += found.len() as u64;
            let forget = async |key| self.forget.clone().oneshot(key).await.is_ok();
            let mut results = stream::iter(found).map(forget).buffer_unordered(FORGOTTEN_AT_ONCE);
            while let Some(done) = results.next().await {
                listing.forgotten += u64::from(done);
            }
        }
        listing
    }
}

/// What came of one listing.
#[derive(Clone, Copy, Default)]
struct Listing {
    found: u64,
    forgotten: u64,
    is_cut_short: bool,
}
