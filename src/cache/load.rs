//! A load: its claim, and its result.

use bytes::Bytes;
use tower::util::BoxCloneSyncService;

use super::{Detail, Found, Key, Lease, LoadError, Value};

/// A bounded number of loads at once: the source behind its bulkhead. Always ready, as a load waits inside its future.
pub(super) type Loads<I> = BoxCloneSyncService<I, Found, LoadError>;

/// Loads whose results are stored, each for one caller or for several. Always ready, as [`Loads`] are.
pub(super) type Fills<I> = BoxCloneSyncService<Load<I>, Loaded, LoadError>;

/// A load that a look made necessary.
#[derive(Clone, Debug)]
pub(super) struct Load<I> {
    /// The thing that is loaded.
    pub(super) id: I,
    /// Its cache key.
    pub(super) key: Key,
    /// The claim that the look gave; `None` if the store was not asked, so that nothing is shared or stored.
    pub(super) claim: Option<Claim>,
}

/// The right or the duty that a look gives to a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    /// The version that was seen.
    pub(super) lease: Lease,
    /// The part of its holder.
    pub(super) role: Role,
}

/// The part of a claim's holder, and its debt if the load fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Holds the placeholder: loads, and releases the lease if that fails.
    Hold,
    /// Holds the refresh token of a stale entry: loads, and puts this back if that fails.
    Refresh(Value),
    /// Saw an entry that does not suit: loads, and owes nothing.
    Replace,
    /// Somebody else loads: waits for that.
    Wait,
}

/// The result of a load.
#[derive(Clone, Debug)]
pub(super) struct Loaded {
    /// The body; `None` says that there is no such thing.
    pub(super) body: Option<Bytes>,
    /// Seconds since the source gave it.
    pub(super) age_s: u32,
    /// Another caller's load, in this process or another.
    pub(super) collapsed: bool,
    /// False if nobody but the caller who began it may have it.
    pub(super) is_shared: bool,
    /// True if it is stored; `None` if that is for another to know.
    pub(super) stored: Option<bool>,
    /// The reason why it is not stored.
    pub(super) detail: Option<Detail>,
}
