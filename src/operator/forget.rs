//! Forgets every entry of every resource.

use std::time::Duration;

use tokio::time::timeout;

use super::{Operator, Parts};
use crate::memcached::Emptied;

/// Longest time to forget everything. Past it the answer says that it may not be all.
const FORGET_ALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Not everything could be forgotten: a server is away, does not list its keys, or took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// Entries that were.
    pub forgotten: u64,
}

impl Operator {
    /// Forgets what the servers list and what this process's own memory has, and tells how many entries those were.
    /// Sessions and the items of other programs stay.
    ///
    /// # Errors
    /// [`Unfinished`].
    pub async fn forget_all(&self) -> Result<u64, Unfinished> {
        let parts = self.parts.clone();
        // A task of its own: a client that leaves does not stop it half-way.
        let task = tokio::spawn(async move { parts.forget_all().await });
        task.await.unwrap_or(Err(Unfinished { forgotten: 0 }))
    }
}

impl Parts {
    async fn forget_all(&self) -> Result<u64, Unfinished> {
        let held = self.memory.clear();
        let Some((memcached, _)) = &self.servers else { return Ok(held.try_into().unwrap_or(0)) };
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
