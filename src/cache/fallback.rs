//! The own memory of this process, which answers while memcached does not.

use super::{Ask, Filled, Key, Lease, Look, Memory, Origin, Places, Store, StoreError, Value};

/// A store that asks `P` and, where `P` gives no answer or is not there at all, a small [`Memory`] in its place.
///
/// Only for what can be loaded again. A session can't: it must be kept in the memcached store itself, and
/// when that gives no answer the answer is 503, never "no such session".
///
/// A lease of one is filled into that one. Entries in the memory live a few seconds at most:
/// while this process can't reach memcached, it can't hear of another replica's writes either.
#[derive(Clone, Debug)]
pub struct Fallback<P> {
    primary: Option<P>,
    memory: Memory,
}

impl<P: Store> Fallback<P> {
    /// Asks `primary`, if there is one, then `memory`, whose leases must come from [`Origin::Fallback`] where there is.
    pub fn new(primary: Option<P>, memory: Memory) -> Self {
        Self { primary, memory }
    }

    /// The primary, if it gave this lease.
    fn grantor(&self, lease: &Lease) -> Option<&P> {
        self.primary.as_ref().filter(|_| lease.origin != Origin::Fallback)
    }
}

impl<P: Store> Store for Fallback<P> {
    async fn lookup(&self, key: &Key, ask: Ask) -> Result<Look, StoreError> {
        if let Some(primary) = &self.primary
            && let Ok(look) = primary.lookup(key, ask).await
        {
            return Ok(look);
        }
        self.memory.lookup(key, ask).await
    }

    async fn fill(&self, key: &Key, lease: &Lease, value: Value) -> Result<Filled, StoreError> {
        match self.grantor(lease) {
            Some(primary) => primary.fill(key, lease, value).await,
            None => self.memory.fill(key, lease, value).await,
        }
    }

    fn release(&self, key: &Key, lease: &Lease) {
        match self.grantor(lease) {
            Some(primary) => primary.release(key, lease),
            None => self.memory.release(key, lease),
        }
    }

    async fn forget(&self, key: &Key) -> Result<(), Places> {
        self.memory.forget(key).await?;
        match &self.primary {
            Some(primary) => primary.forget(key).await,
            None => Ok(()),
        }
    }
}
