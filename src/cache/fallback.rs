//! The own memory of this process, which answers while memcached does not.

use super::{Ask, Filled, Key, Lease, Look, Memory, Origin, Places, Store, StoreError, Value};

/// A store that asks `P` and, where `P` gives no answer, a small [`Memory`] in its place.
///
/// Only for what can be loaded again. A session can't: it must be kept in the memcached store itself, and
/// when that gives no answer the answer is 503, never "no such session".
///
/// A lease of one is filled into that one. Entries in the memory live a few seconds at most:
/// while this process can't reach memcached, it can't hear of another replica's writes either.
#[derive(Clone, Debug)]
pub struct Fallback<P> {
    primary: P,
    memory: Memory,
}

impl<P: Store> Fallback<P> {
    /// Asks `primary`, then `memory`, whose leases must come from [`Origin::Fallback`].
    pub fn new(primary: P, memory: Memory) -> Self {
        Self { primary, memory }
    }
}

impl<P: Store> Store for Fallback<P> {
    async fn lookup(&self, key: &Key, ask: Ask) -> Result<Look, StoreError> {
        match self.primary.lookup(key, ask).await {
            Ok(look) => Ok(look),
            Err(_) => self.memory.lookup(key, ask).await,
        }
    }

    async fn fill(&self, key: &Key, lease: &Lease, value: Value) -> Result<Filled, StoreError> {
        match lease.origin {
            Origin::Fallback => self.memory.fill(key, lease, value).await,
            Origin::Server(_) | Origin::Memory => self.primary.fill(key, lease, value).await,
        }
    }

    fn release(&self, key: &Key, lease: &Lease) {
        match lease.origin {
            Origin::Fallback => self.memory.release(key, lease),
            Origin::Server(_) | Origin::Memory => self.primary.release(key, lease),
        }
    }

    async fn forget(&self, key: &Key) -> Result<(), Places> {
        self.memory.forget(key).await?;
        self.primary.forget(key).await
    }
}
