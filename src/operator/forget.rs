//! Forgets every entry of every resource.

use std::time::Duration;

use tokio::time::timeout;

use super::Operator;

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
    /// Sessions and the items of other programs stay. It is for a task of its own, which goes on when a client leaves.
    ///
    /// # Errors
    /// [`Unfinished`].
    pub async fn forget_all(self) -> Result<u64, Unfinished> {
        let held = self.parts.memory.clear();
        let Some((memcached, _)) = &self.parts.servers else {
            return Ok(held.try_into().unwrap_or(0));
        };
        let emptied = timeout(FORGET_ALL_TIMEOUT, memcached.empty_all()).await;
        let emptied = emptied.map_err(|_| Unfinished { forgotten: 0 })?;
        let forgotten = emptied.iter().map(|(_, emptied)| emptied.forgotten).sum();
        let failures = emptied.into_iter().filter_map(|(at, emptied)| Some((at, emptied.failure?)));
        let failures = failures.inspect(|(server, error)| {
            tracing::warn!(%server, %error, "entries can't be listed");
        });
        if failures.count() == 0 { Ok(forgotten) } else { Err(Unfinished { forgotten }) }
    }
}
