//! A load: what a look made necessary, what it entitles to, and what comes of it.

use bytes::Bytes;

use super::{Detail, Key, Lease, Value};

/// A load that a look made necessary.
#[derive(Clone, Debug)]
pub(super) struct Load<I> {
    /// What is to be loaded.
    pub(super) id: I,
    /// Its cache key.
    pub(super) key: Key,
    /// What the look gave; `None` if the store was not asked, so that nothing is shared or stored.
    pub(super) claim: Option<Claim>,
}

/// What a look entitles to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    /// The version that was seen.
    pub(super) lease: Lease,
    /// What its holder does.
    pub(super) role: Role,
}

/// What the holder of a claim does, and what it owes if the load fails.
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

/// What a load gave.
#[derive(Clone, Debug)]
pub(super) struct Loaded {
    /// The JSON body; `None` says that there is no such thing.
    pub(super) body: Option<Bytes>,
    /// Seconds since the source gave it.
    pub(super) age_s: u32,
    /// Another caller's load, in this process or another.
    pub(super) collapsed: bool,
    /// Whether it is stored; `None` if that is for another to know.
    pub(super) stored: Option<bool>,
    /// Why it is not stored.
    pub(super) detail: Option<Detail>,
}
