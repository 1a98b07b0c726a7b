//! A load: what a look made necessary, what it entitles to, and what comes of it.

use bytes::Bytes;

use super::{Detail, Key, Lease, Value};

/// A load that a look made necessary.
#[derive(Clone, Debug)]
pub struct Load<I> {
    /// What is to be loaded.
    pub id: I,
    /// Its cache key.
    pub key: Key,
    /// What the look gave; `None` if the store was not asked, so that nothing is shared or stored.
    pub claim: Option<Claim>,
}

/// What a look entitles to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The version that was seen.
    pub lease: Lease,
    /// What its holder does.
    pub role: Role,
}

/// What the holder of a claim does, and what it owes if the load fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
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
pub struct Loaded {
    /// The JSON body; `None` says that there is no such thing.
    pub body: Option<Bytes>,
    /// Seconds since the source gave it.
    pub age_s: u32,
    /// Another caller's load, in this process or another.
    pub collapsed: bool,
    /// Whether it is stored; `None` if that is for another to know.
    pub stored: Option<bool>,
    /// Why it is not stored.
    pub detail: Option<Detail>,
}
