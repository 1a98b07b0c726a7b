//! The store behind the stack: look up under a lease, fill under it, release it, forget.
//!
//! The interface is memcached's own lease protocol (the meta commands `mg`, `ms` and `md` with the
//! flags `N`, `R` and `C`; memcached's `doc/protocol.txt`): one look says what is there, how long it
//! has to live, and whether the caller is the one who loads it.

use std::future::Future;

use bytes::Bytes;
use tokio::time::Instant;

use super::{Key, Places};

/// A place that keeps entries and hands out leases.
///
/// Every operation ends within the store's own deadline; none of them is retried inside.
pub trait Store: Clone + Send + Sync + 'static {
    /// Looks `key` up and, as `ask` says, takes the lease of an absent key or of a stale one.
    fn lookup(&self, key: &Key, ask: Ask) -> impl Future<Output = Result<Look, StoreError>> + Send;

    /// Stores `value`, but only if nobody has replaced or forgotten the key since `lease` was given.
    fn fill(
        &self,
        key: &Key,
        lease: &Lease,
        value: Value,
    ) -> impl Future<Output = Result<Filled, StoreError>> + Send;

    /// Lets what `lease` was given for be removed, soon, so that another look may take a new lease. Nobody waits
    /// for it; where it can't be done the lease lapses by itself. A store that can't tell any more whether
    /// the key still holds that version removes whatever it holds.
    fn release(&self, key: &Key, lease: &Lease);

    /// Removes `key`, whatever it holds, wherever it may be. A key that is not there is forgotten already.
    ///
    /// # Errors
    /// The places that have not said that they did, and may still hold it.
    fn forget(&self, key: &Key) -> impl Future<Output = Result<(), Places>> + Send;
}

/// The lease and the token that a look may take besides the value. Looks with the same `Ask` travel in one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ask {
    /// `N`: seconds that a lease on an absent key lasts; `None` takes none and leaves no trace.
    pub lease_s: Option<u32>,
    /// `R`: with fewer seconds than this left to live, one caller is told to refresh.
    pub refresh_s: Option<u32>,
}

/// The answer of a look.
#[derive(Clone, Debug)]
pub enum Look {
    /// A value is there, fresh or stale.
    Found {
        /// The value.
        found: Value,
        /// The version seen, under which it may be replaced.
        lease: Lease,
        /// Says who refreshes it, if it is to be refreshed.
        token: Token,
    },
    /// No value is there, but a placeholder: somebody loads it, perhaps this very caller.
    Placeholder {
        /// The version of the placeholder; the same for its holder and for all who wait.
        lease: Lease,
        /// [`Token::Won`] makes the caller the holder.
        token: Token,
    },
    /// Nothing is there, and no lease was given: none was asked for, or the store has no room for a placeholder.
    Absent,
}

/// The value under a key, as it is stored and as it comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// The bytes. None of ours is empty, as an empty value means "being loaded".
    pub body: Bytes,
    /// The 32 bits stored beside the bytes; see [`Flags`](super::Flags).
    pub flags: u32,
    /// Seconds until the store drops it: 1 to 30 days where it is stored.
    pub left_s: u32,
}

/// The choice of who loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// `W`: this caller loads.
    Won,
    /// `Z`: somebody else was chosen before.
    Taken,
    /// Neither: nothing is to be loaded, or it was not asked.
    Unclaimed,
}

/// The right to replace one version of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// memcached's CAS number of the version.
    pub cas: u64,
    /// The server that gave it; it means nothing to any other.
    pub origin: Origin,
    /// The time at which the look was sent.
    pub asked_at: Instant,
    /// The time at which the connection was made that the look went over.
    pub connected_at: Instant,
}

/// The place that a lease comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The memcached server at this place in the list.
    Server(u16),
    /// This process's own memory, the only store there is.
    Memory,
    /// This process's own memory, standing in for memcached.
    Fallback,
}

/// The end of a fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    /// It is stored.
    Stored,
    /// Somebody wrote or forgot the key since the lease was given: the value may be old, and is not stored.
    Superseded,
    /// The lease is older than the connection: CAS numbers may have begun again since. Not stored.
    Void,
    /// The value is over the store's limit for one item. Not stored.
    TooLarge,
}

/// The reason why the store gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It is out of service, or its queue is full.
    #[error("the store is out of service")]
    Unavailable,
    /// It did not answer by its deadline, or the connection broke before it did.
    #[error("the store did not answer")]
    NoAnswer,
    /// It answered with an error, such as `SERVER_ERROR out of memory`.
    #[error("the store refused")]
    Refused,
}
